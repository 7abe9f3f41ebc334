"""The `inv` command: Invoke, with this project's order of tasks, exit codes and error messages."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from invoke import Config, Exit, Program
from invoke.exceptions import AmbiguousEnvVar, CollectionNotFound, ParseError, UncastableEnvVar, UnknownFileType
from invoke.vendor.yaml import YAMLError

ROOT = Path(__file__).resolve().parents[2]


class StackConfig(Config):
    """Invoke's configuration, which finds this project's tasks from any folder."""

    @staticmethod
    def global_defaults() -> dict[str, Any]:
        defaults: dict[str, Any] = Config.global_defaults()
        defaults["tasks"]["search_root"] = str(ROOT)
        return defaults


class StackProgram(Program):
    """Invoke's program with three changes.

    - Tasks are listed in the order of the work, not of the alphabet.
    - A wrong argument ends with 2, an interrupt with 130; a broken settings file gets a sentence instead of a traceback.
    - Compiled modules are kept (Invoke turns that off), so that every later start is faster.
    """

    def parse_core(self, argv: list[str] | None) -> None:
        wrong_arguments(super().parse_core, argv)
        sys.dont_write_bytecode = False

    def parse_collection(self) -> None:
        wrong_arguments(super().parse_collection)

    def parse_tasks(self) -> None:
        wrong_arguments(super().parse_tasks)

    def update_config(self, merge: bool = True) -> None:
        path = self.args.config.value or os.environ.get("INVOKE_RUNTIME_CONFIG")
        if path and not Path(path).expanduser().is_file():  # Invoke would go on without it
            raise Exit(f"There is no settings file {path}. Check the path after -f.", code=2)
        wrong_arguments(super().update_config, merge)
        wrong_arguments(self.config.load_shell_env)  # again before each task, but here its complaint has a sentence

    def execute(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):  # a task that changes something undoes it, as for Ctrl-C
            if signal.getsignal(number) == signal.SIG_DFL:  # nohup's choice stays
                signal.signal(number, interrupt)
        try:
            super().execute()
        except KeyboardInterrupt:
            raise Exit("Stopped.", code=130) from None

    def _make_pairs(self, coll: Any, ancestors: list[str] | None = None) -> list[tuple[str, str | None]]:
        pairs: list[tuple[str, str | None]] = super()._make_pairs(coll, ancestors)
        order = list(coll.tasks)
        return sorted(pairs, key=lambda pair: order.index(pair[0].split()[0]) if pair[0] in order else len(order))


def interrupt(number: int, frame: object) -> None:
    """A signal that asks to end becomes what Ctrl-C is in Python."""
    raise KeyboardInterrupt


def wrong_arguments(step: Any, *args: Any) -> None:
    """Do one of Invoke's steps; what it says of wrong input becomes a sentence and exit code 2.

    Raises:
        Exit: with code 2, for an unknown task or flag, a settings file that is not YAML, or an `INVOKE_…` variable
            that cannot become the setting it names.
    """
    try:
        step(*args)
    except ParseError as error:
        raise Exit(f"{error} Type inv --list for the tasks, inv --help TASK for its flags.", code=2) from None
    except CollectionNotFound as error:
        raise Exit(f"There is no {error.name}.py in or above {error.start}.", code=2) from None
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f"{where.name}, line {where.line + 1}" if where else "A settings file"
        raise Exit(f"{place}: not valid YAML ({getattr(error, 'problem', error)}).", code=2) from None
    except (UncastableEnvVar, AmbiguousEnvVar, UnknownFileType, ValueError) as error:
        raise Exit(f"A setting cannot be used: {error}", code=2) from None


def main() -> None:
    for stream in (sys.stdout, sys.stderr):  # in a pipe too, a command is shown before what it says
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    StackProgram(name="inv", binary="inv", binary_names=["inv", "invoke"], config_class=StackConfig).run()


if __name__ == "__main__":
    main()
