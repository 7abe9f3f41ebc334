"""One image to several hosts: all are asked first, then each gets what it lacks, with an outcome of its own."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from invoke import Context, Exit
from msgspec import Struct

from ..host import signals, table
from ..host.saying import say
from ..host.text import printable, size
from .host import Cargo, Host, Need, need_of
from .processes import Clients
from .progress import shown, told
from .source import Sources
from .transfer import Transfer, saving, with_blobs

Given = TypeVar("Given")
Found = TypeVar("Found")


class Asked(Struct, frozen=True):
    """A host, and what it needs, or why it could not be asked."""

    host: Host
    need: Need | Exit

    @property
    def lacks(self) -> bool:
        return isinstance(self.need, Need) and not self.need.there

    @property
    def outcome(self) -> "Outcome":
        """How it goes with one to which nothing is sent."""
        if isinstance(self.need, Exit):
            return Outcome(self.host.name, "not asked", self.need.message or "")
        return Outcome(self.host.name, "was there")


class Outcome(Struct, frozen=True):
    """How it went with one host: `failed` is a sentence, "" where it has the image now. `sent` and `left` in bytes."""

    host: str
    what: str
    failed: str = ""
    sent: int = 0
    left: int = 0
    seconds: float = 0.0


def ship(c: Context, cargo: Cargo, hosts: Sequence[Host], jobs: int, outcomes: list[Outcome]) -> None:
    """Bring an image to every host that lacks it.

    Args:
        jobs: at most so many at a time; first those that lack the fewest layers.
        outcomes: how it went on each host is added to these.

    Raises:
        Exit: with code 1 when a host does not have it in the end, 130 when the person says stop; what was not brought
            to its end left its host as it was.
    """
    clients = Clients()
    needs = at_once(clients, len(hosts), lambda host: need_of(host, cargo), hosts)
    asked = [Asked(host, need) for host, need in zip(hosts, needs, strict=True)]
    for one in asked:
        if isinstance(one.need, Need):  # why one cannot be asked is said at the end
            say(printable(plan(one.host.name, one.need, cargo)))
    if any(one.lacks for one in asked) and not c.config.run.dry:
        cargo = with_blobs(cargo, clients)
    lacking = {one.host.name: (one.host, one.need) for one in asked if isinstance(one.need, Need) and one.lacks}
    totals = {name: cargo.size_above(need.held) for name, (_, need) in lacking.items()}
    sources = Sources(clients, partial(saving, cargo, clients))
    with shown(totals, cargo.image.size) as meters:

        def bring(name: str) -> Outcome:
            source = sources.enter(name, lacking[name][1].held)
            return brought(Transfer.of(c, cargo, lacking[name], (source, meters[name])))

        names = sorted(lacking, key=lambda name: -lacking[name][1].held)
        ended = at_once(clients, jobs, bring, names)
    found = {one.host: one for one in ended if isinstance(one, Outcome)}
    outcomes += [found.get(one.host.name) or one.outcome for one in asked]
    conclude(cargo, outcomes, bool(c.config.run.dry))


def at_once(clients: Clients, jobs: int, act: Callable[[Given], Found], items: Sequence[Given]) -> list[Found | Exit]:
    """Do something with each of the items, several at a time. An Exit is a result too; an interrupt ends them all."""

    def one(item: Given) -> Found | Exit:
        try:
            return act(item)
        except Exit as end:
            return end

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return [*pool.map(one, items)]
        except KeyboardInterrupt:
            with signals.held():  # who says it twice does not want less to be taken away
                clients.stop()
                pool.shutdown(cancel_futures=True)
            raise


def brought(transfer: Transfer) -> Outcome:
    """Perform one transfer, and say how it went."""
    meter, name = transfer.meter, transfer.host.name
    begun = time.monotonic()
    try:
        transfer.perform()
    except Exit as end:
        transfer.source.clients.check()
        return Outcome(name, "failed", end.message or "Stopped.", meter.sent, 0, time.monotonic() - begun)
    if not transfer.arrival.dry:
        say(f"{name} has {transfer.cargo.reference}: {told(meter)}.")
    return Outcome(name, "shipped", "", meter.sent, meter.left, time.monotonic() - begun)


def plan(name: str, need: Need, cargo: Cargo) -> str:
    """What will be sent to a host, before anything is."""
    reference = cargo.reference
    if need.there:
        return f"{name} has {reference} already."
    count, whole = len(cargo.image.layers), size(cargo.image.size)
    moved = " Another image is called so there, and loses that name." if need.moved else ""
    if not need.held:
        return f"{name} has none of the {count} layers of {reference}: all {whole} are sent.{moved}"
    what = f": about {size(cargo.size_above(need.held))} of {whole} are sent" if cargo.sizes else f", of {whole} in all"
    return f"{name} lacks {count - need.held} of the {count} layers of {reference}{what}.{moved}"


def conclude(cargo: Cargo, outcomes: Sequence[Outcome], dry: bool) -> None:
    """Say how it went, with a table where there are several hosts.

    Raises:
        Exit: with code 1 when a host does not have the image.
    """
    if len(outcomes) > 1 and not dry:
        rows = [
            (one.host, one.what, size(one.sent), size(one.left), f"{one.seconds:.1f} s")
            if one.sent
            else (one.host, one.what, "", "", "")
            for one in outcomes
        ]
        table.show("", ("host", "outcome", "sent", "left out", "time"), rows, right=("sent", "left out", "time"))
    failed = [one for one in outcomes if one.failed]
    if len(failed) == 1:
        raise Exit(failed[0].failed, code=1)
    if failed:
        lines = "\n".join(f"{one.host}: {one.failed}" for one in failed)
        raise Exit(f"{lines}\n{len(failed)} of {len(outcomes)} hosts do not have {cargo.reference}.", code=1)
