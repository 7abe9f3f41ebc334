"""Waiting until a container's service is healthy."""

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from invoke import Exit
from msgspec import Struct

from ..engine.client import Unreachable
from ..engine.engine import Engine
from ..engine.records import Container, HealthCheck
from ..host import progress
from ..host.text import printable
from .connections import Hold
from .service import Service

EVERY = 0.05  # seconds between two checks
AT_MOST = 1.0  # seconds between two looks at a container that is settling, or whose check fails after a success
AT_LEAST = 2.0  # seconds that a check is given even when little is left: the way to the engine may be long
MOST = 4096  # bytes at the end of a check's output that are kept
LOG_COLUMNS = 500
LOG_LINES = 30

Outcome = tuple[int | None, bytes] | Unreachable


class Health(Struct, frozen=True):
    """What a wait came to.

    `trouble` is "" if the container is healthy, else what is wrong with it, as the end of a sentence. `answered` is the
    moment of the first success of its health check, on the monotonic clock; None if it has none, or none succeeded.
    """

    trouble: str
    answered: float | None = None


class Unhealthy(Exit):
    """A version that did not become healthy, exit code 1; `log` are the last lines that it wrote."""

    def __init__(self, sentence: str, log: Sequence[str]) -> None:
        super().__init__(sentence, code=1)
        self.log = log


def require(service: Service, name: str, version: str, hold: Hold | None = None) -> float | None:
    """Wait until a container is healthy; if it does not become so, show its last words. Under `--dry`, do nothing.

    Args:
        version: what the container runs, for people.

    Returns:
        `Health.answered`.

    Raises:
        Unhealthy: with the reason.
    """
    if service.dry:
        return None
    with progress.waiting(name) as tell:
        found = wait(service, name, service.settings.start.settle, tell, hold)
    if found.trouble:
        log = service.engine.log(name, LOG_LINES)
        for line in log:
            print(f"{name} | {printable(line[:LOG_COLUMNS])}", flush=True)
        raise Unhealthy(f"{version} {printable(found.trouble)}.", log)
    return found.answered


def wait(
    service: Service, name: str, settle: float, report: Callable[[str, float], None], hold: Hold | None = None
) -> Health:
    """Wait until a started container is healthy, for `start.timeout` seconds at most.

    Healthy means: its health check, run by us and not at its slow interval, succeeds, and after `settle` seconds still
    does; in between it may fail as often as docker lets it. Without a health check: it stays up for `settle` seconds.

    Args:
        report: told what the container is doing and the seconds since the start, at every look.
        hold: what holds new connections to it until its process listens; a check is one of them, so it is not run
            before. After `start.settle` seconds it is run all the same, and who listens anywhere is let in.
    """
    begun = time.monotonic()
    engine, timeout = service.engine, service.settings.start.timeout
    hold = hold or Hold(service, name)
    container = engine.container(name)
    restarts = container.restarts if container else 0  # the engine may have restarted it before this wait
    answered, failures = None, 0
    while True:
        container = engine.container(name)
        trouble = failed(container, restarts)
        if trouble or not container:
            return Health(trouble)
        check, passed = container.health_check, time.monotonic() - begun
        late = passed >= service.settings.start.settle
        if not hold.let_in(container, anywhere=late) and check:
            report("starting", passed)  # now: the check may wait as long as it may take
            if not late:
                hold.watch(container, EVERY)
                continue
        left = timeout if answered else timeout - (time.monotonic() - begun)
        healthy, said = check_once(engine, container, check, left, hold) if check else (True, "")
        passed = time.monotonic() - begun
        failures = 0 if healthy else failures + 1
        if healthy and check and not answered:
            answered = time.monotonic()
        report(state(check, answered, healthy, passed >= settle), passed)
        if healthy and passed >= settle:
            return Health(failed(engine.container(name), restarts), answered)
        over = not healthy and passed >= timeout
        if over or (check and answered and failures >= check.retries):
            never = f"did not become healthy within {timeout:g} s"
            became = f"turned unhealthy after {passed:.1f} s" if answered else never
            return Health(became + (f": {said}" if said else ""))
        pause = settle - passed if healthy else check.interval if check and answered else EVERY
        hold.watch(container, min(max(EVERY, pause), AT_MOST))


def state(check: HealthCheck | None, answered: float | None, healthy: bool, settled: bool) -> str:
    """What a container is doing, in a word."""
    if not check:
        return "up" if settled else "settling"
    return "healthy" if healthy else "failing" if answered else "starting"


def failed(container: Container | None, restarts: int) -> str:
    """What is wrong with a container that should be running, after this many restarts; "" if nothing."""
    if not container:
        return "has vanished"
    if container.restarts > restarts or container.state == "restarting":
        return f"restarts in a loop (last exit code {container.exit_code})"
    if not container.running:
        return f"exited with code {container.exit_code}{' ' + container.error if container.error else ''}"
    return ""


def allowed(check: HealthCheck, left: float) -> float:
    """How many seconds a health check may take: as long as it says itself, of the seconds that are left."""
    return max(AT_LEAST, min(check.timeout, left))


def check_once(
    engine: Engine, container: Container, check: HealthCheck, left: float, hold: Hold | None = None
) -> tuple[bool, str]:
    """Run a container's health check once.

    Args:
        left: seconds that it may take at most.
        hold: what may hold its connection; once that ends, it is left alone, and the next will not wait.

    Returns:
        Whether it succeeded, and the last line of what it printed.
    """
    seconds = allowed(check, left)
    running = begin(engine, container.id, check.command)
    if hold and hold.over:
        hold.watch(container, seconds, lambda: not running.empty())
        if running.empty():
            return False, hold.unheard if hold.over else ""
    found = outcome_of(running, seconds)
    if found is None:
        return False, f"its health check takes longer than {seconds:.1f} s"
    code, output = found
    lines = output.decode(errors="replace").strip().splitlines() or [""]
    return code == 0, lines[-1]


def inside(
    engine: Engine, container: str, command: Sequence[str], seconds: float, user: str = ""
) -> tuple[int | None, bytes] | None:
    """Run a command in a container, which must change nothing; None when it takes longer.

    Args:
        user: as whom; "" for the container's own.

    Returns:
        Its exit code, None if it could not be run, and the end of what it printed, or why.
    """
    return outcome_of(begin(engine, container, command, user), seconds)


def begin(engine: Engine, container: str, command: Sequence[str], user: str = "") -> "SimpleQueue[Outcome]":
    """Begin what `inside` does. Returns where its outcome arrives.

    The SDK waits for a command's output without end; so a thread does, and is left alone when that takes too long.
    """
    running: SimpleQueue[Outcome] = SimpleQueue()
    Thread(target=lambda: running.put(outcome(engine, container, command, user)), daemon=True).start()
    return running


def outcome_of(running: "SimpleQueue[Outcome]", seconds: float) -> tuple[int | None, bytes] | None:
    """What a command that was begun comes to; None when it takes longer."""
    try:
        found = running.get(timeout=seconds)
    except Empty:
        return None
    if isinstance(found, Unreachable):
        raise found
    return found


def outcome(engine: Engine, container: str, command: Sequence[str], user: str) -> Outcome:
    """The exit code and the output of a command in a container, or why they cannot be known."""
    from docker.errors import APIError

    def ask(client: Any) -> tuple[int | None, bytes]:
        try:
            exec_id = client.exec_create(container, list(command), user=user)["Id"]
            output = b""
            for part in client.exec_start(exec_id, stream=True):
                output = (output + part)[-MOST:]
            return client.exec_inspect(exec_id)["ExitCode"], output
        except APIError as error:
            return None, str(error).encode()  # it stopped in this moment: the next look tells

    try:
        return engine.through_sdk(ask) or (None, b"")
    except Unreachable as error:
        return error
