"""A shell, or a command, in the container that serves."""

import sys

from invoke import Exit

from ..engine import commands
from ..host import prompt
from ..host.handing import hand_over
from ..service.service import Service
from .running import NOTHING_RUNS, serving


def run(service: Service, command: str) -> int:
    """Run a command by the container's own `sh`, or a shell to type in. Returns the exit code of that.

    Args:
        command: "" for a shell, which needs a terminal.

    Raises:
        Exit: with code 2 for a shell without a terminal, 3 where nothing runs.
    """
    if not command:
        way = service.next_command("shell", "--command", "COMMAND")
        prompt.require_terminal(f"A shell needs a terminal. To run one command, type: {way}", {})
    container = serving(service, service.own(service.engine.containers()))[0]
    if not container:
        raise Exit(f"{service.name} does not run. Type: {service.way_to_run()}", code=NOTHING_RUNS)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    argv = commands.execute(container.id[:12], ("sh", "-c", command) if command else commands.SHELL, terminal)
    return hand_over(argv, service.engine.environment, service.dry)
