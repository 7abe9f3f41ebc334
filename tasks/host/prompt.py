"""Questions to the person at the terminal."""

import sys
import termios
from collections.abc import Mapping
from typing import TYPE_CHECKING

from invoke import Exit

if TYPE_CHECKING:
    from questionary import Question


def choose(question: str, choices: Mapping[str, str], without_terminal: str) -> str:
    """Let the person choose one of several.

    Args:
        choices: what is answered, and the line shown for it.
        without_terminal: the sentence for a run in which nobody can be asked; it names the flag to type.

    Raises:
        Exit: with code 2 without a terminal, 130 when the person says stop.
    """
    require_terminal(without_terminal, choices)
    import questionary

    options = [questionary.Choice(title=line, value=answer) for answer, line in choices.items()]
    return str(answered(questionary.select(question, choices=options)))


def require_terminal(sentence: str, choices: Mapping[str, str]) -> None:
    """Raise Exit with code 2, the choices and the sentence, where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        listing = "\n".join(f"  {line}" for line in choices.values())
        raise Exit(f"{listing}\n{sentence}" if listing else sentence, code=2)


def answered(question: "Question") -> object:
    """Ask, and return the answer. There is none after Ctrl-C, Ctrl-D, or with a terminal that is gone.

    Raises:
        Exit: with code 130 without an answer: questionary returns None for Ctrl-C, and a task would go on with it.
    """
    try:
        answer = question.ask(kbi_msg="")
    except (EOFError, termios.error):
        answer = None
    if answer is None:
        raise Exit("Stopped. Nothing was changed.", code=130)
    return answer


def confirm(question: str, without_terminal: str) -> None:
    """Ask for a yes.

    Raises:
        Exit: with code 2 without a terminal, 130 when the answer is no.
    """
    require_terminal(without_terminal, {})
    import questionary

    if not answered(questionary.confirm(question, default=False)):
        raise Exit("Nothing was changed.", code=130)
