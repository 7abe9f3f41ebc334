"""The task `completion`: what a shell runs to complete `inv`."""

import os
from pathlib import Path

from invoke import Context

from .program.task import task


@task(help={"shell": "bash, zsh or fish; without it, the one that $SHELL names."})
def completion(c: Context, shell: str = "") -> None:
    """Print what a shell runs to complete tasks, flags and values.

    In ~/.bashrc: eval "$(inv completion --shell bash)". In ~/.zshrc the same
    with zsh. For fish, once:
    inv completion --shell fish > ~/.config/fish/completions/inv.fish
    """
    from .host.shells import script

    print(script(shell or Path(os.environ.get("SHELL", "")).name))
