"""Clients' connections to a service while a switch replaces who listens: new ones wait, open ones may end.

From just before the old version is stopped until the new one listens, or the old one again, a new connection to the
service's ports is held by the kernel, so nobody is refused. The kernel lets all in by itself when this run is gone.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from ..engine.records import Container, ContainerRow
from ..host import nft, progress, sockets
from ..host.debian import program
from ..host.saying import say
from ..host.shell import Failed, ask
from ..host.text import printable
from .reach import Port, Ports
from .service import Service

RENEW_EVERY = 1.0  # seconds, of the `nft.ENDS_AFTER` after which the kernel lets all in
LOOK_EVERY = 0.01  # seconds between two looks whether a container's process listens
DRAIN_EVERY = 0.05  # seconds between two counts of the connections that are open
NOT_INSTALLED = "nft is not installed, which inv engine brings"


class Hold:
    """What keeps new connections to a service's ports waiting during one switch.

    `ports` are those that the version which was stopped listened on. `waited`: they were held, and no failure of nft
    cut that short. `obstacle`: why they cannot be held, as the end of a sentence; "" if they can, or need not be.
    """

    def __init__(self, service: Service, switch: str) -> None:
        """`switch`: the candidate's id, or its name."""
        self.service = service
        self.table = nft.table_name(switch)
        self.ports: Ports = ()
        self.waited = False
        self.obstacle = ""
        self.over: threading.Event | None = None  # while connections are held: ends their renewal
        self.processes: dict[str, int] = {}  # of each container, one that was found

    def begin_for(self, containers: Sequence[ContainerRow], ports: Ports) -> None:
        """Hold new connections to those of the ports that these containers listen on: nobody misses another."""
        if not containers or not ports or not self.service.settings.start.hold:
            return
        self.obstacle = obstacle_here(self.service)
        if not self.obstacle:
            found = [one for row in containers if (one := self.service.engine.container(row.id))]
            used = set().union(*(self.listened(one, ports) for one in found))
            self.begin(tuple(port for port in ports if port in used))

    def begin(self, ports: Ports) -> None:
        """Hold new connections to these ports, unless they are held already, until `end`. Where it cannot be, go on."""
        if self.over or not ports or not self.service.settings.start.hold:
            return
        self.obstacle = obstacle_to(self.service, ports, self.table)
        if self.obstacle:
            return
        self.ports, self.over = ports, threading.Event()
        numbers = ", ".join(str(number) for number in sorted({number for _, number in ports}))
        try:
            with progress.step(f"let new connections to port {numbers} wait", self.service.dry):
                self.service.do(nft.hold(self.table, ports), f"Connections to port {numbers} cannot be held.")
        except Failed as error:
            self.over, self.waited, self.obstacle = None, False, f"nft fails: {first_error(error.stderr)}"
            return
        self.waited = True
        if not self.service.dry:
            threading.Thread(target=self.renew, args=(self.over,), daemon=True).start()

    def renew(self, over: threading.Event) -> None:
        """Hold the connections on, by the command that was shown at the beginning; a failure lets them in."""
        while not over.wait(RENEW_EVERY):
            ask(self.service.c, nft.renew(self.table, self.ports))

    def end(self) -> None:
        """Let all connections in, if they are held. That nft fails is no failure: the kernel does it in a moment."""
        if not self.over:
            return
        self.over.set()
        self.over = None
        try:
            self.service.do(nft.release(self.table), "The kernel lets all connections in by itself in a moment.")
        except Failed as error:
            say(f"Warning: {error.message}")

    def clear(self) -> None:
        """Remove the table that the run of this switch left if it was killed. It holds nothing any more."""
        if not obstacle_here(self.service) and ask(self.service.c, nft.look(self.table)).ok:
            self.over = threading.Event()
            self.end()

    def let_in(self, container: Container) -> bool:
        """Whether new connections reach a container: lets them in once its process listens on all the ports."""
        if self.over and self.listened(container, self.ports) == set(self.ports):
            self.end()
        return not self.over

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
        """Those of the ports that a container's process listens on, whoever forwards them to it."""
        pid = self.process(container)
        found = sockets.listening(pid) if pid else set()
        return {port for port, own in inner(container, ports).items() if own in found}

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


def obstacle_here(service: Service) -> str:
    """Why this run cannot hold connections for any service of this engine; "" if it can."""
    if not service.engine.shares_files:
        return "the engine is on another machine"
    if os.geteuid():
        return "only root can hold them"
    if program("nft") is None:
        return NOT_INSTALLED
    if not sockets.shares_network(sockets.listener_of(service.engine.endpoint.socket)):
        return "the engine is in another network than this run"
    return ""


def obstacle_to(service: Service, ports: Ports, table: str = "") -> str:
    """Why connections to these ports cannot be held; "" if they can."""
    if found := obstacle_here(service):
        return found
    tried = ask(service.c, nft.check(table or nft.table_name(service.name), ports))
    return "" if tried.ok else f"nft refuses: {first_error(tried.stderr)}"


def first_error(said: str) -> str:
    """What nft gives as its reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it does not say why"]
    return printable(next((line for line in lines if "rror" in line), lines[0]))
