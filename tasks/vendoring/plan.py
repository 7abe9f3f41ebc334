"""What there is to do in vendor/: its folders compared with the pins. No network, and nothing is changed."""

from collections.abc import Mapping
from pathlib import Path

from invoke import Exit
from msgspec import Struct

from ..host.saying import say
from ..host.text import brief
from . import manifest
from .manifest import Kind, State
from .pins import Pin, describe, line, read_pins

NAMED = 3  # files in a sentence


class Wishes(Struct, frozen=True):
    """What a person asked for.

    Attributes:
        only: the one library that it is about; "" for all.
        update: the library whose git pin is moved; "" for none.
        to: where to, as a commit id, branch or tag; "" for the newest commit.
        check: look, and change nothing.
        force: fetch again, and overwrite edits made by hand.
        dry: only tell what would be done.
    """

    only: str = ""
    update: str = ""
    to: str = ""
    check: bool = False
    force: bool = False
    dry: bool = False

    def checked(self) -> "Wishes":
        """The same, once they are found to go together; an update is about its library only.

        Raises:
            Exit: with code 2 when they contradict each other.
        """
        if self.check and (self.update or self.force):
            raise Exit("--check only looks: type it without --update and --force.", code=2)
        if self.to and not self.update:
            raise Exit("--to says where --update NAME moves to: type both.", code=2)
        if self.update and self.only not in ("", self.update):
            raise Exit("--update fetches the library it names: type it without --only.", code=2)
        return Wishes(self.update or self.only, self.update, self.to, self.check, self.force, self.dry)


class Plan(Struct, frozen=True):
    """What is to be done: libraries to fetch, each with the cause, folders to remove, and sentences on what hinders."""

    fetch: dict[str, str]
    remove: list[str]
    problems: list[str]


def choose(vendor: Path, only: str, moved: Mapping[str, Pin]) -> dict[str, Pin]:
    """The pins of vendor.yaml, or the one that was named; `moved` ones stand for those in the file.

    Raises:
        Exit: with code 2, when the file is wrong or has no such pin.
    """
    pins = {**read_pins(vendor / "vendor.yaml"), **moved}
    if only and only not in pins:
        raise Exit(f"vendor.yaml has no library {only}. There is: {', '.join(pins) or 'none'}.", code=2)
    return {only: pins[only]} if only else pins


def make_plan(vendor: Path, pins: Mapping[str, Pin], wishes: Wishes) -> Plan:
    """Compare what is there with the pins. Under `--dry` not even what was read is remembered."""
    plan = Plan({}, [], [])
    keep = not wishes.dry
    for name, wanted in describe(pins).items():
        state = manifest.state(vendor, name, wanted, keep)
        if state.edited and not wishes.force:
            again = f"inv fetch-vendor --force --only {name}"
            plan.problems.append(f"vendor/{name} {edits(state)}; kept as it is. To throw that away: {again}")
        elif wishes.force or state.kind is not Kind.READY:
            plan.fetch[name] = "forced" if state.kind is Kind.READY else state.kind.value
    for name in [] if wishes.only else manifest.unpinned(vendor, pins):
        state = manifest.state(vendor, name, keep=keep)
        if state.kind is Kind.FOREIGN or (state.edited and not wishes.force):
            plan.problems.append(
                f"vendor/{brief(name)} {edits(state)}, and is not in vendor.yaml: the base would take it in. "
                "Move it away, or pin it."
            )
        else:
            plan.remove.append(name)
    return plan


def edits(state: State) -> str:
    """What was edited, as a part of a sentence."""
    if state.kind is Kind.FOREIGN:
        return "was not made by fetch-vendor"
    more = f" and {len(state.files) - NAMED} more" if len(state.files) > NAMED else ""
    return f"was edited by hand ({', '.join(brief(file) for file in state.files[:NAMED])}{more})"


def report(plan: Plan, count: int) -> None:
    """The answer to --check, for so many libraries.

    Raises:
        Exit: with code 1 and a line for everything that is not as vendor.yaml says.
    """
    lines = [f"vendor/{name} is {cause}." for name, cause in plan.fetch.items()]
    lines += [f"vendor/{brief(name)} is not in vendor.yaml." for name in plan.remove]
    lines += plan.problems
    if lines:
        raise Exit("\n".join(lines), code=1)
    say(f"vendor/ is as vendor.yaml says ({counted(count)}).")


def foretell(plan: Plan, pins: Mapping[str, Pin]) -> None:
    """The answer to --dry."""
    for name, cause in plan.fetch.items():
        say(f"Would fetch {name} ({cause}): {line(pins[name])}")
    for name in plan.remove:
        say(f"Would remove vendor/{brief(name)}, which is no longer in vendor.yaml.")
    if not plan.fetch and not plan.remove:
        conclude(plan.problems, len(pins))
    elif plan.problems:
        raise Exit("\n".join(plan.problems), code=1)


def conclude(problems: list[str], count: int) -> None:
    """Say that all is as it should be.

    Raises:
        Exit: with code 1 and the problems, when there are any.
    """
    if problems:
        raise Exit("\n".join(problems), code=1)
    say(f"vendor/ is up to date ({counted(count)}).")


def counted(count: int) -> str:
    """How many libraries, in words."""
    return f"{count} library" if count == 1 else f"{count} libraries"
