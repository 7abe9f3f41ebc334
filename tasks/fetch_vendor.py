"""The task that brings the pinned external libraries into vendor/."""

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import NamedTuple

from invoke import Context, Exit
from msgspec.structs import replace

from .building.this_run import remember_done
from .program.task import task
from .settings import model as settings
from .vendoring import manifest as seal
from .vendoring import pins as vendored
from .vendoring.manifest import Kind
from .vendoring.pins import Git, Pin, Refused, shown

KEPT = 3  # files named in a sentence


class Plan(NamedTuple):
    """What is to be done: libraries to fetch, folders to remove, and what stands in the way, in sentences."""

    fetch: dict[str, str]
    remove: list[str]
    problems: list[str]


@task(
    help={
        "only": "Fetch or check only this library.",
        "update": "Move the git pin of this library to the newest commit of its branch, and fetch it.",
        "to": "With --update: the full commit id, branch or tag to move to.",
        "check": "Say what is missing or altered, without network; exit 1 if anything is.",
        "force": "Fetch again, and overwrite edits made by hand.",
    }
)
def fetch_vendor(
    c: Context, only: str = "", update: str = "", to: str = "", check: bool = False, force: bool = False
) -> None:
    """Bring the pinned external libraries into vendor/."""
    bring(settings.ROOT / "vendor", only, update, to, check, force, bool(c.config.run.dry))
    if not (only or update):
        remember_done(c, "vendor")


def bring(
    vendor: Path, only: str = "", update: str = "", to: str = "", check: bool = False, force: bool = False,
    dry: bool = False,
) -> None:  # fmt: skip
    """Make `vendor` what its vendor.yaml says.

    Raises:
        Exit: with code 1 when a library is not as its pin says, afterwards or (`check`) now; with code 2 for a wrong
            vendor.yaml or a wrong mix of arguments.
    """
    if check and (update or force):
        raise Exit("--check only looks: type it without --update and --force.", code=2)
    if to and not update:
        raise Exit("--to says where --update NAME moves to: type both.", code=2)
    if update and only not in ("", update):
        raise Exit("--update fetches the library it names: type it without --only.", code=2)
    try:
        changed = moved(vendor, update, to, force) if update else {}
        only = update or only
        pins = chosen(vendor, only, changed)
        todo = plan(vendor, pins, only, force, keep=not dry)
        if check:
            report(vendor, todo, len(pins))
            return
        if dry:
            foretell(todo, pins, len(pins))
            return
        if todo.fetch or todo.remove or changed:
            todo = carry_out(vendor, only, changed, force)
        elif (vendor / seal.TMP).is_dir():
            clear(vendor)
    except OSError as error:
        raise Exit(f"Cannot work in {vendor}: {error.strerror} ({error.filename}).", code=1) from None
    if todo.problems:
        raise Exit("\n".join(todo.problems), code=1)
    print(f"vendor/ is up to date ({counted(len(pins))}).")


def chosen(vendor: Path, only: str, changed: Mapping[str, Pin]) -> dict[str, Pin]:
    """The pins of vendor.yaml, or the one that was named; `changed` ones stand for those in the file."""
    pins = {**vendored.read(vendor / "vendor.yaml"), **changed}
    if only and only not in pins:
        raise Exit(f"vendor.yaml has no library {only}. There is: {', '.join(pins) or 'none'}.", code=2)
    return {only: pins[only]} if only else pins


def plan(vendor: Path, pins: Mapping[str, Pin], only: str, force: bool, keep: bool = True) -> Plan:
    """Compare what is there with the pins; no network, and nothing is changed. `keep`: as in `seal.look`."""
    result = Plan({}, [], [])
    for name, wanted in vendored.describe(pins).items():
        state = seal.look(vendor, name, wanted, keep)
        if state.edited and not force:
            again = f"inv fetch-vendor --force --only {name}"
            result.problems.append(f"vendor/{name} {edits(state)}; kept as it is. To throw that away: {again}")
        elif force or state.kind is not Kind.READY:
            result.fetch[name] = "forced" if state.kind is Kind.READY else state.kind.value
    for name in [] if only else seal.strays(vendor, pins):
        state = seal.look(vendor, name, keep=keep)
        if state.kind is Kind.FOREIGN or (state.edited and not force):
            result.problems.append(
                f"vendor/{shown(name)} {edits(state)}, and is not in vendor.yaml: the base would take it in. "
                "Move it away, or pin it."
            )
        else:
            result.remove.append(name)
    return result


def edits(state: seal.State) -> str:
    """What was edited, as a part of a sentence."""
    if state.kind is Kind.FOREIGN:
        return "was not made by fetch-vendor"
    more = f" and {len(state.files) - KEPT} more" if len(state.files) > KEPT else ""
    return f"was edited by hand ({', '.join(shown(file) for file in state.files[:KEPT])}{more})"


def carry_out(vendor: Path, only: str, changed: Mapping[str, Git], force: bool) -> Plan:
    """Fetch and remove, one run at a time. Returns what is left to do, with the reasons."""
    from .vendoring import fetch as fetching  # what only fetching needs is not paid for by `inv --list`

    with fetching.turn(vendor):
        pins = chosen(vendor, only, changed)  # again: another run may have done it meanwhile, or changed the pins
        todo = plan(vendor, pins, only, force)
        for name in todo.remove:
            fetching.remove(vendor, name)
            print(f"{shown(name)}: removed, it is no longer in vendor.yaml", flush=True)
        failed = fetching.fetch(vendor, {name: pins[name] for name in todo.fetch}, force) if todo.fetch else {}
        for name, pin in changed.items():
            if seal.look(vendor, name, vendored.line(pin)).kind is Kind.READY:
                vendored.move(vendor / "vendor.yaml", name, pin.rev)
    reasons = [f"{name} was not fetched: {failed[name]}." for name in todo.fetch if name in failed]
    return Plan({}, [], todo.problems + reasons)


def clear(vendor: Path) -> None:
    """Clear away what killed runs left."""
    from .vendoring import fetch as fetching

    fetching.clear(vendor)


def report(vendor: Path, todo: Plan, count: int) -> None:
    """The answer to --check.

    Raises:
        Exit: with code 1 and a line for everything that is not as vendor.yaml says.
    """
    lines = [f"vendor/{name} is {why}." for name, why in todo.fetch.items()]
    lines += [f"vendor/{shown(name)} is not in vendor.yaml." for name in todo.remove]
    lines += todo.problems
    if lines:
        raise Exit("\n".join(lines), code=1)
    print(f"vendor/ is as vendor.yaml says ({counted(count)}).")


def foretell(todo: Plan, pins: Mapping[str, Pin], count: int) -> None:
    """The answer to --dry."""
    for name, why in todo.fetch.items():
        print(f"Would fetch {name} ({why}): {vendored.line(pins[name])}")
    for name in todo.remove:
        print(f"Would remove vendor/{shown(name)}, which is no longer in vendor.yaml.")
    if todo.problems:
        raise Exit("\n".join(todo.problems), code=1)
    if not todo.fetch and not todo.remove:
        print(f"vendor/ is up to date ({counted(count)}).")


def moved(vendor: Path, name: str, to: str, force: bool) -> dict[str, Git]:
    """The pin with its new commit, shown beside the old one; nothing when it is there already.

    The file is changed only when the new commit has arrived: a pin never names what cannot be had.
    """
    pin = chosen(vendor, name, {})[name]
    if not isinstance(pin, Git):
        raise Exit(f"{name} is no git pin: write its new version and sha256 into vendor.yaml yourself.", code=2)
    from .vendoring import downloads as sources
    from .vendoring import repositories as repository

    state = seal.look(vendor, name)
    if state.edited and not force:
        raise Exit(f"vendor/{name} {edits(state)}: move your edits away, or add --force to lose them.", code=1)
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as desk:
        try:
            rev = repository.newest(pin, to, sources.Job(Path(desk), "", lambda *_: None, Event()))
        except Refused as error:
            raise Exit(f"{name} was not moved: {error}.", code=1) from None
    if rev == pin.rev:
        print(f"{name} is at {rev} already.")
        return {}
    print(f"{name}: {pin.rev} → {rev}", flush=True)
    return {name: replace(pin, rev=rev)}


def counted(count: int) -> str:
    """How many libraries, in words."""
    return f"{count} library" if count == 1 else f"{count} libraries"
