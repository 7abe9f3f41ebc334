"""Invoke's program as this project uses it: the order of its tasks, its exit codes, its sentences."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import socket

from invoke import Exit, Parser, Program
from invoke.exceptions import AmbiguousEnvVar, ParseError, UncastableEnvVar

from ..host import streams
from ..host.saying import say
from .config import HELP, check_file, correct_truths
from .endings import as_exit
from .several import joined

NEXT_STEPS = """\
Type next:

  inv --help TASK   a task's flags, and what it does
  inv doctor        what is missing on this machine
  inv demo          everything once, under names of its own
  inv --help        Invoke's own flags, such as --dry
"""


class StackProgram(Program):
    """Invoke's program with five changes.

    - Tasks are listed in the order of the work, not of the alphabet, and so they are without any word.
    - A wrong argument or setting ends with 2, an interrupt with 130, each with a sentence.
    - `--complete` and `--print-completion-script` complete values too.
    - An argument may be several words (see several.py).
    - Compiled modules are kept (Invoke turns that off), so that every later start is faster.

    `asked`: the socket of an engine that was asked for its images already, and the connection.
    `made`: the tasks' parser, once it was made.
    """

    asked: "tuple[str, socket] | None" = None
    made: Parser | None = None

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Do Invoke's own steps, in its order.

        Raises:
            SystemExit: with the exit code, unless the run ended well or `exit` is false.
        """
        streams.complete()
        try:
            with as_exit():
                self.parse(argv)
                self.execute()
        except Exit as end:
            if end.message:
                say(end.message, file=sys.stderr)
            if exit:
                sys.exit(end.code)

    def parse(self, argv: list[str] | None) -> None:
        """All of Invoke's steps before the tasks: arguments, settings files, variables.

        Raises:
            Exit: with code 2 for what is wrong in them, 0 when there is nothing more to do, as after `--list`.
        """
        with usage_as_exit():
            self.create_config()
            self.parse_core(argv)
            sys.dont_write_bytecode = False
            self.parse_collection()
            self.parse_tasks()
            self.parse_cleanup()
            named = self.args.config.value
            check_file(os.environ.get("INVOKE_RUNTIME_CONFIG") if named is None else named)
            self.update_config()
            self.config.load_shell_env()  # again before each task, but here its complaint has a sentence
            correct_truths(self.config)  # and so that Invoke's own settings are right before the first task

    def parse_core_args(self) -> None:
        """Read Invoke's own flags.

        Raises:
            Exit: with code 0 when a shell's script for completion was asked for; it has been printed.
        """
        super().parse_core_args()
        if shell := self.args["print-completion-script"].value:
            from ..host.shells import script

            print(script(shell))
            raise Exit

    def parse_tasks(self) -> None:
        """Read the tasks and their flags."""
        self.core.unparsed = joined(self.core.unparsed, self._make_parser().contexts, self.initial_context)
        super().parse_tasks()

    def _make_parser(self) -> Parser:
        """The parser of the tasks, made once: a second one would lack the explanations, which Invoke takes out."""
        self.made = self.made or super()._make_parser()
        return self.made

    def parse_cleanup(self) -> None:
        """Do what asks for no task: `--help`, `--list`, `--complete`.

        Raises:
            Exit: when there is nothing more to do.
        """
        if self.args.complete.value:
            from .completing import answer

            answer(self, self.argv[self.argv.index("--") + 1 :] if "--" in self.argv else [])
        super().parse_cleanup()

    def no_tasks_given(self) -> None:
        """Show the tasks and where to go on, instead of Invoke's own flags.

        Raises:
            Exit: with code 0.
        """
        self.list_tasks()
        print(NEXT_STEPS)
        raise Exit

    def display_with_columns(self, pairs: Sequence[tuple[str, str | None]], extra: str = "") -> None:
        """Show the tasks. `pairs`: each one's name, perhaps with what Invoke adds to it, and its line."""
        order = list(self.scoped_collection.tasks)
        place = {name: number for number, name in enumerate(order)}
        super().display_with_columns(sorted(pairs, key=lambda pair: place.get(pair[0].split()[0], len(order))), extra)


@contextmanager
def usage_as_exit() -> Iterator[None]:
    """Turn what Invoke says of wrong arguments and variables into a sentence.

    Raises:
        Exit: with code 2.
    """
    try:
        yield
    except Exit as end:  # with 1, where Invoke itself says it
        raise (Exit(end.message, code=2) if end.message else end) from None
    except ParseError as error:
        if lacks := re.match(r"'(\S+)' did not receive required positional arguments: (.*)", str(error)):
            what = lacks[2].replace("'", "").upper()
            raise Exit(f"{lacks[1]} needs {what} behind it. Type: inv --help {lacks[1]}", code=2) from None
        said = re.sub(r"<Argument: (\S+).*?>", r"--\1", str(error))
        raise Exit(f"{said} {HELP}", code=2) from None
    except AmbiguousEnvVar as error:
        raise Exit(f"Two settings have the same INVOKE_… variable: {error}.", code=2) from None
    except (UncastableEnvVar, ValueError) as error:
        raise Exit(wrong_value(error), code=2) from None


def wrong_value(error: Exception) -> str:
    """The sentence about a flag's value, or a variable's, that is no number. Invoke says only what the value is."""
    value = re.search("(?:invalid literal|could not convert).*?('.*')", str(error))
    if value:
        names = [name for name in os.environ if name.startswith("INVOKE_") and repr(os.environ[name]) == value[1]]
        place = f"The variable {names[0]}" if names else "A flag"
        kind = "whole number" if "int()" in str(error) else "number"
        hint = "" if names else f" {HELP}"
        return f"{place} needs a {kind}, and {value[1]} is none.{hint}"
    if isinstance(error, ValueError):
        return f"A setting cannot be used: {error}"
    names = [name for name in os.environ if name.startswith("INVOKE_")]
    return f"A list of settings cannot be a variable ({', '.join(names)}). Write it into a file and type: inv -f FILE …"
