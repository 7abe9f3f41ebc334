"""Why new connections to a service cannot be held: what this run, its engine and the kernel let nobody do."""

import os

from ..host import nft, sockets
from ..host.debian import program
from ..host.shell import ask
from ..host.text import printable
from .reach import Ports
from .service import Service

NOT_INSTALLED = "nft is not installed, which inv engine brings"


def obstacle_here(service: Service) -> str:
    """Why this run cannot hold connections for any service of this engine; "" if it can."""
    if not service.engine.shares_files:
        return "the engine is on another machine"
    if os.geteuid():
        return "only root can hold them"
    if program("nft") is None:
        return NOT_INSTALLED
    try:
        engine = sockets.listener_of(service.engine.endpoint.socket)
    except OSError:
        return "the engine does not answer"
    same = sockets.shares_network(engine) if engine else None
    if same is None:  # this run is in a container, say
        return "the network of the engine cannot be seen from here"
    return "" if same else "the engine is in another network than this run"


def obstacle_to(service: Service, ports: Ports, table: str = "") -> str:
    """Why connections to these ports cannot be held; "" if they can."""
    if found := obstacle_here(service):
        return found
    try:
        tried = ask(service.c, nft.check(table or nft.table_name(service.name), ports))
    except OSError as error:
        return f"nft cannot be run: {error.strerror}"  # its command may be too long
    return "" if tried.ok else f"nft refuses: {first_error(tried.stderr)}"


def first_error(said: str) -> str:
    """What nft gives as its reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it does not say why"]
    return printable(next((line for line in lines if "rror" in line), lines[0]))
