"""Visiting a service as a client does: whether its port is free for it, and what it answers."""

import json
import time

from invoke import Exit

from ..host import port
from .service import Service


def check_port(service: Service) -> None:
    """Refuse before anything is built when something else holds the port.

    Raises:
        Exit: with code 1.
    """
    number = service.frame.port
    if number and service.engine.endpoint.local and port.answers("127.0.0.1", number) and not service.running():
        said = f"Something else listens on port {number}."
        raise Exit(f"{said} Stop it (ss -ltnp shows it), then type inv demo again.", code=1)


def answer(service: Service) -> str:
    """What the service says of itself.

    Raises:
        Exit: with code 1 when it does not answer within 10 s.
    """
    from http.client import HTTPException
    from urllib.request import urlopen

    begun = time.monotonic()
    while time.monotonic() - begun < 10:
        try:
            with urlopen(f"http://127.0.0.1:{service.frame.port}/", timeout=2) as response:
                return json.dumps(json.load(response))
        except (OSError, HTTPException, ValueError):
            time.sleep(0.1)
    raise Exit(f"Nothing answers on port {service.frame.port}. See: docker logs {service.name}", code=1)
