"""Arguments that may be several words: `ship gpu1 gpu2` is `ship gpu1,gpu2`, which pip's own `inv` takes too."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke.parser import ParserContext

SEVERAL = "hosts"


def joined(words: Sequence[str], contexts: Mapping[str, "ParserContext"], core: "ParserContext") -> list[str]:
    """The words of a command line, where those that such an argument takes have become one, with commas between.

    It ends at the name of a task; a first host may be called as a task is. Where a task takes an argument, Invoke would
    take `--help` behind its name for that; so an empty one comes between.
    """
    found: list[str] = []
    context, first, value = None, -1, False
    for number, word in enumerate(words):
        if word == "--":
            return [*found, *words[number:]]
        if word == "--help" and not value and context and context.positional_args:
            return [str(context.name), "", word]
        flag = next((one.flags[word] for one in (context, core) if one and word in one.flags), None)
        if value or flag or word.startswith("-"):
            value = bool(flag and flag.takes_value) and not value
        elif context and any(one.name == SEVERAL for one in context.positional_args) and first < 0:
            first = len(found)
        elif word in contexts:
            context, first = contexts[word], -1
        elif first >= 0:
            found[first] += f",{word}"
            continue
        found.append(word)
    return found
