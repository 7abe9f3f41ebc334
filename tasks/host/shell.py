"""The only two ways to `c.run`: `ask` for questions, `run` for acts. The only place that quotes."""

import math
import os
import select
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from subprocess import PIPE, Popen
from typing import Any

from invoke import Context, Exit, Local, Result
from invoke.exceptions import CommandTimedOut, ThreadException

UNKNOWN = 127  # a shell's exit code for a program that is not there
# Invoke's options that hold for questions and acts, whatever a settings file says of them.
ALWAYS = {
    "warn": True,
    "in_stream": False,
    "encoding": "utf-8",
    "pty": False,
    "asynchronous": False,
    "disown": False,
}
READ_BY_SHELLS = ("BASH_ENV", "ENV")
STYLE = "\033[{code}m{{command}}\033[0m"


class Show(Enum):
    """How an act is shown on a terminal. In a pipe and under `--dry`, each is its command and what it prints."""

    LINES = 1  # its command in bold, and what it prints
    DISPLAY = 2  # the same, with the terminal handed to it: bars and steps that it draws again and again
    STEP = 3  # part of a story: its command dimmed, without what it prints on standard output


class Failed(Exit):
    """A command that failed, exit code 1; `stderr` is what it said."""

    def __init__(self, sentence: str, stderr: str) -> None:
        super().__init__(sentence, code=1)
        self.stderr = stderr


class Runner(Local):
    """Invoke's runner for this machine; an interrupt ends the command, and the task too.

    Invoke writes it to the command's standard input, where nobody reads it, waits for the command as long as that
    takes, and goes on with the task as if nothing had happened.
    """

    patience = 10.0  # seconds that a command has to end when it is asked to; then it is killed
    interrupted = False
    deadline = math.inf

    def wait(self) -> None:
        """Look again and again whether the command is over, as Invoke does, but after a time that grows with the wait.

        Most questions are answered within 2 ms. Who has waited for long does not notice a twentieth more.
        """
        begun = time.monotonic()
        while not (self.process_is_finished or self.has_dead_threads):
            time.sleep(min(max((time.monotonic() - begun) / 20, 0.001), 0.05))

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        self.interrupted = True
        by_signal = bool(interrupt.args)  # see `interrupt` in signals.py
        if by_signal or not os.isatty(0):  # the Ctrl-C of a terminal has reached the command already
            self.ask_to_end()

    def ask_to_end(self) -> None:
        process: Popen[bytes] | None = getattr(self, "process", None)  # None before the command was started
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            self.deadline = time.monotonic() + self.patience

    @property
    def process_is_finished(self) -> bool:
        """Whether the command is over; its exit code is known then.

        Popen's own `poll` takes a lock. An interrupt that comes right then leaves it locked, and `poll` says for ever
        that the command runs.
        """
        if self.process.returncode is None:
            try:
                pid, status = os.waitpid(self.process.pid, os.WNOHANG)
            except ChildProcessError:  # an interrupt came after this, and before the exit code was kept
                pid, status = self.process.pid, 0
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > self.deadline:
                self.kill()
        return self.process.returncode is not None

    def run(self, command: str, **kwargs: Any) -> Result:
        handled = sys.exc_info()[1]
        try:
            result = super().run(command, **kwargs)
        except BaseException as error:
            if stop := interrupt_behind(error, handled):  # before Invoke waits for the command, or when it has ended
                self.ask_to_end()
                raise stop from None
            raise
        finally:
            if self.interrupted:
                raise KeyboardInterrupt
        return result


def interrupt_behind(error: BaseException | None, handled: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt in whose course an error was raised: Invoke, and Python's threads, stumble over one half way.

    Args:
        handled: what was being handled before, as when a switch is undone after an interrupt; it is not meant.
    """
    while error and error is not handled:
        if isinstance(error, KeyboardInterrupt):
            return error
        error = error.__context__
    return None


class Drawing(Runner):
    """A runner that hands the terminal to the command, which draws there. What it prints is not known afterwards."""

    def start(self, command: str, shell: str, env: dict[str, Any]) -> None:
        self.process = Popen(command, shell=True, executable=shell, env=env, stdin=PIPE)


def ask(c: Context, argv: Sequence[str], env: Mapping[str, str | None] | None = None) -> Result:
    """Ask a question of another program: hidden, without standard input, and answered under `--dry` too.

    Args:
        argv: the command as an argument list.
        env: variables to add for this command; None removes one.

    Returns:
        Invoke's result: `stdout`, `stderr` (text, UTF-8) and `exited` (the exit code, 127 for an unknown program).
        A failure is an answer as well: nothing is raised for it.
    """
    return through(c, argv, env, hide=True, dry=False, echo=False, timeout=None)


def run(
    c: Context,
    argv: Sequence[str],
    failed: str,
    env: Mapping[str, str | None] | None = None,
    show: Show = Show.LINES,
) -> Result:
    """Do something that changes the world: shown first, and only shown under `--dry`.

    Args:
        argv: the command as an argument list.
        failed: the sentence to end with when the command fails: what is wrong and what to type next.
        env: variables to add for this command; None removes one.
        show: how it looks on a terminal.

    Raises:
        Failed: with code 1, the sentence `failed`, and what the command said on standard error, if that is known.
    """
    show = Show.LINES if c.config.run.dry or not sys.stdout.isatty() else show
    hide = "stdout" if show is Show.STEP else False
    try:
        result = through(c, argv, env, show, hide=hide, echo=True, echo_format=echo_format(show))
    except CommandTimedOut as error:
        raise Failed(f"{failed} It took longer than {error.timeout} s, the time that -T allows.", "") from None
    if result.exited == UNKNOWN and argv[0] == "docker":
        from shutil import which

        if which(argv[0]) is None:  # else the failed step of a build ended so
            failed = "There is no docker client on this machine. Type: inv engine, which brings one."
    if result.exited:
        raise Failed(failed, result.stderr)
    return result


def echo_format(show: Show) -> str:
    """Invoke's format of a command's line: bold or dimmed, where a terminal knows such things."""
    plain = not sys.stdout.isatty() or os.environ.get("TERM") == "dumb"
    return "{command}" if plain else STYLE.format(code=2 if show is Show.STEP else 1)


def through(
    c: Context, argv: Sequence[str], env: Mapping[str, str | None] | None, show: Show = Show.LINES, **options: Any
) -> Result:
    """Invoke's `run` with the options that always hold.

    Raises:
        Exit: with code 1 when Invoke's shell is not here.
    """
    try:
        runner = Drawing(c) if show is Show.DISPLAY else c
        result: Result = runner.run(shlex.join(argv), **ALWAYS, **options, **environment(env))
    except ThreadException as error:  # it ran, but what it said could not be passed on
        output = next((one.value for one in error.exceptions if isinstance(one.value, OSError)), None)
        if output is None:
            raise
        raise Failed(f"{argv[0]} ran, but its output cannot be written: {output.strerror}.", "") from None
    except FileNotFoundError:
        way = "Name one: INVOKE_RUN_SHELL=/bin/sh inv …"
        raise Exit(f"There is no shell {c.config.run.shell}. {way}", code=1) from None
    return result


def environment(changes: Mapping[str, str | None] | None) -> dict[str, Any]:
    """Invoke's arguments for an environment with some variables set and others removed.

    A shell first reads the file that BASH_ENV or ENV names, and what that prints would be taken for an answer.
    """
    if changes is None and not any(name in os.environ for name in READ_BY_SHELLS):
        return {}
    merged = {**os.environ, **dict.fromkeys(READ_BY_SHELLS), **(changes or {})}
    return {"env": {key: value for key, value in merged.items() if value is not None}, "replace_env": True}


def reason(error: BaseException) -> str:
    """An error as a sentence for people."""
    if isinstance(error, Exit):
        return error.message or "Stopped."
    return "Stopped." if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}."


def exit_code(error: BaseException) -> int:
    """The exit code for an error: its own, or 130 when the person said stop, else 1."""
    if isinstance(error, Exit):
        return int(error.code)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def survive() -> None:
    """Make it possible to go on talking when the terminal or the pipe is gone: what is said then goes nowhere."""
    for number in (1, 2):
        watched = select.poll()
        watched.register(number, 0)
        if watched.poll(0):  # only hang-up and error are reported when nothing is asked for
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
