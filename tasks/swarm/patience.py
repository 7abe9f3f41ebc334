"""A swarm that does not answer for a while: it chooses another leader, or the manager that is asked is gone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from invoke import Exit
from msgspec import structs

from ..engine import swarm
from ..engine.client import Unreachable
from ..engine.engine import Engine
from ..host.saying import say
from ..host.shell import Failed
from .fleet import Fleet

CHOOSING = 60.0  # seconds that a swarm may take until it answers again
DEMOTED = 10.0  # the same where its engine says that it manages no swarm: one that starts says so for a moment
LOOK = 1.0


class Patient(Engine):
    """A manager's engine, which is asked again and again while the swarm does not answer. `others` manage it too."""

    others: Sequence[str] = ()
    given_up = False

    def get(self, *path: str, **query: object) -> Any:
        try:
            return self.answer(*path, **query)
        except KeyboardInterrupt:  # who stops a run waits for nothing more
            self.given_up = True
            raise

    def answer(self, *path: str, **query: object) -> Any:
        """What `get` returns, once there is an answer."""
        begun = 0.0
        while True:
            try:
                found = super().get(*path, **query)
            except Unreachable:
                if self.given_up:
                    raise
                begun = begun or self.begin()
                if time.monotonic() - begun > (DEMOTED if self.demoted() else CHOOSING):
                    self.given_up = True
                    raise
                time.sleep(LOOK)
            else:
                if begun:
                    say("The swarm answers again.")
                return found

    def begin(self) -> float:
        """Say that the swarm does not answer, and when that was."""
        say(f"The swarm does not answer. Waiting for its managers, up to {CHOOSING:.0f} s.")
        return time.monotonic()

    def demoted(self) -> bool:
        """Whether the engine answers, and is a worker by now."""
        try:
            found = super().get("info").get("Swarm") or {}
        except Unreachable:
            return False
        return found.get("LocalNodeState") != "pending" and not found.get("ControlAvailable")


def patient(fleet: Fleet) -> Fleet:
    """The same fleet, whose questions wait for an answer."""
    engine = Patient(fleet.service.engine.endpoint)
    engine.others = swarm.others(swarm.about(engine))
    return Fleet(structs.replace(fleet.service, engine=engine))


def act(fleet: Fleet, command: Sequence[str], failed: str, done: Callable[[], bool]) -> None:
    """Run a command; once more when it failed, unless it is done by then: the leader may have gone meanwhile.

    Raises:
        Failed: when it failed again.
    """
    try:
        fleet.service.do(command, failed)
    except Failed:
        if not done():
            fleet.service.do(command, failed)


@contextmanager
def explained(fleet: Fleet, goes_on: str = "") -> Iterator[None]:
    """Say what becomes of a rollout that nobody watches any more.

    Args:
        goes_on: the sentences for that; "" while nothing was changed.
    """
    try:
        yield
    except KeyboardInterrupt:
        if goes_on:
            say(goes_on)
        raise
    except Unreachable as error:
        raise Exit(lost(fleet, error, bool(goes_on)), code=1) from None


def lost(fleet: Fleet, error: Unreachable, begun: bool) -> str:
    """What to say when a swarm gave no answer in all that time."""
    engine = fleet.service.engine
    why = (error.message or "").partition(". ")[0]
    if isinstance(engine, Patient) and engine.demoted():
        why = f"The engine at {engine.endpoint.host} manages no swarm any more"
    what = "The swarm goes on by itself if most of its managers are left." if begun else "Nothing was changed."
    others = ", ".join(getattr(engine, "others", ()))
    where = ("--context", "MANAGER") if others else ()
    way = fleet.way("--status", where=where) if begun else fleet.way(again=True, where=where)
    other = f"Type for another manager ({others}):" if others else "When it is back, type:"
    return f"{why}. {what} {other} {way}"
