"""Waiting until a container's service is healthy."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from invoke import Exit
from msgspec import Struct

from ..engine.client import Unreachable
from ..engine.engine import Engine
from ..engine.records import Container
from ..host import progress
from ..host.text import printable
from .service import Service

EVERY = 0.05  # seconds between two checks
AT_LEAST = 2.0  # seconds that a check is given even when little is left: the way to the engine may be long
MOST = 4096  # bytes at the end of a check's output that are kept
CHECK_TIMEOUT = 30.0  # seconds, docker's own default for one health check
LOG_COLUMNS = 500
LOG_LINES = 30


class Health(Struct, frozen=True):
    """What a wait came to.

    `trouble` is "" if the container is healthy, else what is wrong with it, as the end of a sentence. `answered` is the
    moment of the first success of its health check, on the monotonic clock; None if it has none, or none succeeded.
    """

    trouble: str
    answered: float | None = None


def require(service: Service, name: str, version: str) -> float | None:
    """Wait until a container is healthy; if it does not become so, show its last words. Under `--dry`, do nothing.

    Args:
        version: what the container runs, for people.

    Returns:
        `Health.answered`.

    Raises:
        Exit: with code 1 and the reason.
    """
    if service.dry:
        return None
    with progress.waiting(name) as tell:
        found = wait(service, name, service.settings.start.settle, tell)
    if found.trouble:
        for line in service.engine.log(name, LOG_LINES):
            print(f"{name} | {printable(line[:LOG_COLUMNS])}", flush=True)
        raise Exit(f"{version} {printable(found.trouble)}.", code=1)
    return found.answered


def wait(service: Service, name: str, settle: float, report: Callable[[str, float], None]) -> Health:
    """Wait until a started container is healthy, for `start.timeout` seconds at most.

    Healthy means: its health check, run by us and not at its slow interval, succeeds, and after `settle` seconds still
    does. Without a health check: it stays up for `settle` seconds.

    Args:
        report: told what the container is doing and the seconds since the start, at every look.
    """
    begun = time.monotonic()
    engine, timeout = service.engine, service.settings.start.timeout
    container = engine.container(name)
    restarts = container.restarts if container else 0  # the engine may have restarted it before this wait
    answered = None
    while True:
        passed = time.monotonic() - begun
        container = engine.container(name)
        trouble = failed(container, restarts)
        if trouble or not container:
            return Health(trouble)
        check = bool(container.health_check)
        healthy, said = check_once(engine, container, timeout - passed) if check else (True, "")
        if answered and not healthy:
            return Health(f"turned unhealthy after {passed:.1f} s" + (f": {said}" if said else ""))
        if healthy and check and not answered:
            answered = time.monotonic()
        report("healthy" if healthy and check else "starting" if check else "up", passed)
        passed = time.monotonic() - begun
        if healthy and passed >= settle:
            return Health(failed(engine.container(name), restarts), answered)
        if passed >= timeout:
            return Health(f"did not become healthy within {timeout:g} s" + (f": {said}" if said else ""))
        time.sleep(min(EVERY if not healthy else max(EVERY, settle - passed), 1.0))


def failed(container: Container | None, restarts: int) -> str:
    """What is wrong with a container that should be running, after this many restarts; "" if nothing."""
    if not container:
        return "has vanished"
    if container.restarts > restarts or container.state == "restarting":
        return f"restarts in a loop (last exit code {container.exit_code})"
    if not container.running:
        return f"exited with code {container.exit_code}{' ' + container.error if container.error else ''}"
    return ""


def check_once(engine: Engine, container: Container, left: float) -> tuple[bool, str]:
    """Run a container's health check once.

    Args:
        left: seconds that it may take at most.

    Returns:
        Whether it succeeded, and the last line of what it printed.
    """
    seconds = max(AT_LEAST, min(CHECK_TIMEOUT, left))
    answer: SimpleQueue[Any] = SimpleQueue()
    # The SDK waits for a check's output without end; so a thread does, and is left alone when that takes too long.
    Thread(target=lambda: answer.put(outcome(engine, container)), daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        return False, f"its health check takes longer than {seconds:.1f} s"
    if isinstance(found, Unreachable):
        raise found
    code, output = found
    lines = output.decode(errors="replace").strip().splitlines() or [""]
    return code == 0, lines[-1]


def outcome(engine: Engine, container: Container) -> tuple[int | None, bytes] | Unreachable:
    """The exit code and the output of a container's health check, or why they cannot be known."""
    from docker.errors import APIError

    def check(client: Any) -> tuple[int | None, bytes]:
        try:
            exec_id = client.exec_create(container.id, list(container.health_check))["Id"]
            output = b""
            for part in client.exec_start(exec_id, stream=True):
                output = (output + part)[-MOST:]
            return client.exec_inspect(exec_id)["ExitCode"], output
        except APIError as error:
            return None, str(error).encode()  # it stopped in this moment: the next look tells

    try:
        return engine.through_sdk(check) or (None, b"")
    except Unreachable as error:
        return error
