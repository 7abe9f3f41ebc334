"""Clients' connections to a service while a switch replaces who listens: new ones wait, open ones may end.

From just before the old version is stopped until the new one listens, or the old one again, a new connection to the
service's ports is held by the kernel, so nobody is refused. The kernel lets all in by itself when this run is gone.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address

from invoke import Exit

from ..engine.client import Unreachable
from ..engine.records import Container, ContainerRow
from ..host import nft, progress, sockets
from ..host.port import EVERY, covers
from ..host.saying import say
from ..host.shell import Failed, ask
from .obstacles import first_error, obstacle_here, obstacle_to
from .reach import Port, Ports
from .service import Service

RENEW_EVERY = 1.0  # seconds, of the `nft.ENDS_AFTER` after which the kernel lets all in
LOOK_EVERY = 0.01  # seconds between two looks whether a container's process listens
DRAIN_EVERY = 0.05  # seconds between two counts of the connections that are open
REMOVED = "somebody removed the table of nft meanwhile"


class Hold:
    """What keeps new connections to a service's ports waiting during one switch.

    `ports` are those that the version which was stopped listened on, at the addresses `listened_at`, where that is
    known. `waited`: they were held. `obstacle`: why they cannot be held, or were not all the time, as the end of a
    sentence; "" if they can, or need not be.
    """

    def __init__(self, service: Service, switch: str) -> None:
        """`switch`: the candidate's id, or its name."""
        self.service = service
        self.table = nft.table_name(switch)
        self.switch = switch
        self.ports: Ports = ()
        self.listened_at: set[Port] = set()
        self.waited = False
        self.obstacle = ""
        self.over: threading.Event | None = None  # while connections are held: ends their renewal
        self.until = 0.0  # when the kernel lets all in by itself, on the monotonic clock
        self.changing = threading.Lock()  # of the table, between the renewal and its end
        self.processes: dict[str, int] = {}  # of each container, one that was found

    @property
    def said(self) -> str:
        """What became of new connections, for the last line of a switch; "" where there is nothing to say."""
        if not self.obstacle:
            return "new connections waited" if self.waited else ""
        return f"{'not all new connections waited' if self.waited else 'new connections did not wait'}: {self.obstacle}"

    @property
    def unheard(self) -> str:
        """Why a health check waits while connections are held for so long, as the end of a sentence."""
        numbers = {number for _, number in self.ports}
        return f"it does not listen on {'port' if len(numbers) == 1 else 'all of the ports'} {nft.listed(numbers)}"

    def begin_for(self, containers: Sequence[ContainerRow], ports: Ports) -> None:
        """Hold new connections to those of the ports that these containers listen on: nobody misses another."""
        if not containers or not ports or not self.service.settings.start.hold:
            return
        self.obstacle = obstacle_here(self.service)
        if not self.obstacle:
            found = [one for row in containers if (one := self.service.engine.container(row.id))]
            self.listened_at = set().union(*(self.listened(one, ports) for one in found))
            used = {number for _, number in self.listened_at}
            self.begin(tuple(port for port in ports if port[1] in used))

    def begin(self, ports: Ports) -> None:
        """Hold new connections to these ports, unless they are held already, until `end`. Where it cannot be, go on."""
        if self.over or not ports or not self.service.settings.start.hold:
            return
        if obstacle := obstacle_to(self.service, ports, self.table):
            self.obstacle = obstacle
            return
        there = self.tables()
        self.clear_left_over(there, ports)
        make = nft.hold_anew if self.table in there else nft.hold  # a killed run's may be there still
        self.ports, self.over = ports, threading.Event()
        numbers = nft.listed(number for _, number in ports)
        try:
            with progress.step(f"let new connections to port {numbers} wait", self.service.dry):
                self.service.do(make(self.table, ports), f"Connections to port {numbers} cannot be held.")
        except Failed as error:
            self.over, self.obstacle = None, f"nft fails: {first_error(error.stderr)}"
            return
        self.waited, self.until = True, time.monotonic() + nft.ENDS_AFTER
        if not self.service.dry:
            threading.Thread(target=self.renew, args=(self.over,), daemon=True).start()

    def renew(self, over: threading.Event) -> None:
        """Hold the connections on, by the command that was shown at the beginning.

        Where its table is gone, because somebody has loaded his own rules say, it is made anew; unless another run has
        ended this switch.
        """
        while not over.wait(RENEW_EVERY):
            asked = time.monotonic()
            failed = self.asked(nft.renew(self.table, self.ports))
            with self.changing:
                if failed and not over.is_set() and self.mine():
                    if self.asked(nft.look(self.table)):
                        self.obstacle = REMOVED
                    asked = time.monotonic()
                    failed = self.asked(nft.hold_anew(self.table, self.ports))
                if not failed and not over.is_set():
                    self.note_lateness()
                    self.until = asked + nft.ENDS_AFTER

    def note_lateness(self) -> None:
        """Note, where it is so, that the kernel has let all in: nft was slow, or this run did not run."""
        if self.waited and time.monotonic() > self.until:
            self.obstacle = self.obstacle or "the hold was not renewed in time"

    def mine(self) -> bool:
        """Whether the candidate is there still, which another run would have removed or renamed."""
        with suppress(Unreachable):
            found = self.service.engine.container(self.service.candidate)
            return found is not None and found.id.startswith(self.switch)
        return True

    def asked(self, command: Sequence[str]) -> str:
        """Ask nft. Returns what is wrong, or ""."""
        try:
            answer = ask(self.service.c, command)
        except (OSError, Exit) as error:  # no more processes, say
            return str(error)
        return "" if answer.ok else first_error(answer.stderr)

    def end(self) -> None:
        """Let all connections in, if they are held. That nft fails is no failure: the kernel does it in a moment."""
        if not self.over:
            return
        with self.changing:
            self.note_lateness()
            self.over.set()
            self.over = None
        try:
            self.service.do(nft.release(self.table), "The kernel lets all connections in by itself in a moment.")
        except Failed as error:
            if self.asked(nft.look(self.table)):
                self.obstacle = REMOVED
            else:
                say(f"Warning: {error.message}")

    def clear(self) -> None:
        """Let all in whom this run holds, or the run of this switch that was killed: its table may hold on for 4 s."""
        if not self.over and not obstacle_here(self.service) and ask(self.service.c, nft.look(self.table)).ok:
            self.over = threading.Event()
        self.end()

    def tables(self) -> list[str]:
        """The names of the tables of switches that are there."""
        names = [line.split()[-1] for line in ask(self.service.c, nft.tables()).stdout.splitlines()]
        return [name for name in names if name.startswith(nft.OURS)]

    def clear_left_over(self, tables: Iterable[str], ports: Ports) -> None:
        """Remove tables of these ports that no recovery finds: their runs were killed, their candidates removed."""
        for table in tables:
            mine = table == self.table  # which is made anew in one step
            if not mine and nft.left_over(ask(self.service.c, nft.look(table)).stdout, ports):
                with suppress(Failed):  # another run was faster
                    self.service.do(nft.release(table), f"The table {table} cannot be removed.")

    def let_in(self, container: Container, anywhere: bool = False) -> bool:
        """Whether new connections reach a container: lets them in once its process listens on all the ports.

        Args:
            anywhere: whether it need not listen at all addresses at which the version that was stopped did.
        """
        if self.over:
            found = self.listened(container, self.ports)
            if all(self.reached(number, found, anywhere) for _, number in self.ports):
                self.end()
        return not self.over

    def reached(self, number: int, found: set[Port], anywhere: bool) -> bool:
        """Whether who listens so is reached at a port, as `let_in` has it."""
        have, needed = ({address for address, port in ports if port == number} for ports in (found, self.listened_at))
        return bool(have) and (anywhere or covers(have, needed))

    def watch(self, container: Container, seconds: float, over: Callable[[], bool] = lambda: False) -> None:
        """Wait so long, or until a container's process is gone, or listens while connections are held for it.

        Args:
            over: whether there is no reason to wait any more.
        """
        give_up = time.monotonic() + seconds
        pid = self.process(container) if self.ports else None
        while (left := give_up - time.monotonic()) > 0 and not over():
            if pid and (container.id not in sockets.groups(pid) or (self.over and self.let_in(container))):
                return
            time.sleep(min(left, LOOK_EVERY if pid or self.over else left))

    def drain(self, containers: Iterable[ContainerRow]) -> None:
        """Wait until no connection to these containers is open, `start.drain` seconds at most; new ones are held."""
        seconds = self.service.settings.start.drain
        if not self.over or not seconds or self.service.dry:
            return
        give_up = time.monotonic() + seconds
        with progress.step(f"let open connections end, at most {seconds:g} s"):
            found = [one for row in containers if (one := self.service.engine.container(row.id))]
            while (count := sum(map(self.connections, found))) and time.monotonic() < give_up:
                time.sleep(DRAIN_EVERY)
        if count:
            say(f"After {seconds:g} s, connections are open still: {count}.")

    def listened(self, container: Container, ports: Ports) -> set[Port]:
        """Those of the ports that a container's process listens on, whoever forwards them to it, and its addresses.

        Where its network is its own, they are reached at every address; but nobody is forwarded to its loopback.
        """
        pid = self.process(container)
        found = sockets.listening(pid) if pid else set()
        if container.network == "host":
            return {one for one in found if one[1] in {number for _, number in ports}}
        own = {number for address, number in found if not ip_address(address).is_loopback}
        return {(EVERY, port[1]) for port, inside in inner(container, ports).items() if inside in own}

    def connections(self, container: Container) -> int:
        """How many connections to the ports that are held are open at a container."""
        pid = self.process(container)
        return sockets.connections(pid, set(inner(container, self.ports).values())) if pid else 0

    def process(self, container: Container) -> int | None:
        """A process of a container as this machine counts them; None where there is none, or none can be seen."""
        found = sockets.process_in(container.id, self.processes.get(container.id, container.pid))
        if found:
            self.processes[container.id] = found
        return found


def inner(container: Container, ports: Ports) -> dict[Port, int]:
    """The ports that a container has of these, and which port of its own network each is."""
    if container.network == "host":
        return {port: port[1] for port in ports}
    forwards = dict(container.forwards)
    return {port: forwards[port[1]] for port in ports if port[1] in forwards}
