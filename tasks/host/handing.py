"""Handing the terminal, or the pipes, of this run to another program until it ends."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from invoke import Exit

from .shell import Runner, environment


def hand_over(argv: Sequence[str], env: Mapping[str, str | None], dry: bool = False) -> int:
    """Let a program have standard input, output and error as they are, and wait for its end.

    Args:
        argv: the command as an argument list.
        env: variables to add for this command; None removes one.
        dry: whether it is only printed.

    Returns:
        Its exit code; 128 and the number of the signal that ended it, as a shell says it.

    Raises:
        Exit: with code 1 when the program is not here.
        KeyboardInterrupt: when this run was asked to end meanwhile.
    """
    if dry:
        print(shlex.join(argv))
        return 0
    sys.stdout.flush()
    return ended(started(argv, env, None))


def started(argv: Sequence[str], env: Mapping[str, str | None], output: int | None) -> "subprocess.Popen[bytes]":
    """A program with this run's streams, or with `output` (of subprocess) for what it writes.

    Raises:
        Exit: with code 1 when it is not here, or cannot be run.
    """
    try:
        errors = None if output is None else subprocess.STDOUT
        return subprocess.Popen(argv, env=environment(env).get("env"), stdout=output, stderr=errors)
    except FileNotFoundError:
        way = "There is no docker client on this machine. Type: inv engine, which brings one."
        raise Exit(way if argv[0] == "docker" else f"{argv[0]} is not installed.", code=1) from None
    except OSError as error:  # not executable, or made for another machine
        raise Exit(f"{argv[0]} cannot be run: {error.strerror}.", code=1) from None


def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of a program: its exit code.

    The Ctrl-C of a terminal reaches it too, and it decides what that means.

    Raises:
        KeyboardInterrupt: when this run alone is asked to end; then the program is.
    """
    while True:
        try:
            code = process.wait()
            return 128 - code if code < 0 else code
        except KeyboardInterrupt as stop:
            if stop.args or not os.isatty(0):  # by a signal: see `interrupt` in signals.py
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(Runner.patience)
                process.kill()
                process.wait()
                raise
