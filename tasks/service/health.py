"""Waiting until a container's service is healthy."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ..engine.client import Unreachable
from ..engine.engine import Engine

EVERY = 0.05  # seconds between two looks
AT_LEAST = 2.0  # seconds that a check is given even when little is left: the way to the engine may be long
MOST = 4096  # bytes at the end of a check's output that are kept
CHECK_TIMEOUT = 30.0  # seconds, docker's own default for one health check


def wait(docker: Engine, name: str, timeout: float, settle: float, report: Callable[[str, float], None]) -> str:
    """Wait until a started container is healthy.

    Healthy means: its health check, asked directly and not at its slow interval, succeeds, and after `settle` seconds
    still does. Without a health check: it stays up for `settle` seconds.

    Args:
        timeout: seconds that it may take.
        report: told what the container is doing and the seconds since the start, at every look.

    Returns:
        "" when it is healthy, else what is wrong with it, as the end of a sentence.
    """
    begun = time.monotonic()
    first = docker.container(name)
    test = check_of(first)
    restarts = first.get("RestartCount") or 0  # the engine may have restarted it before this wait
    said = ""
    was_healthy = False
    while True:
        passed = time.monotonic() - begun
        if trouble := failed(docker.container(name), restarts):
            return trouble
        healthy, said = ask(docker, name, test, timeout - passed) if test else (True, "")
        if was_healthy and not healthy:
            return f"turned unhealthy after {passed:.1f} s" + (f": {said}" if said else "")
        was_healthy = healthy
        report("healthy" if healthy and test else "starting" if test else "up", passed)
        passed = time.monotonic() - begun
        if healthy and passed >= settle:
            return failed(docker.container(name), restarts)
        if passed >= timeout:
            return f"did not become healthy within {timeout:g} s" + (f": {said}" if said else "")
        time.sleep(min(EVERY if not healthy else max(EVERY, settle - passed), 1.0))


def check_of(details: dict[str, Any]) -> list[str]:
    """The command of a container's health check, as an argument list; [] if it has none.

    Source: https://docs.docker.com/reference/api/engine/, HealthConfig.Test.
    """
    config = details.get("Config", {})
    test = (config.get("Healthcheck") or {}).get("Test") or []
    if test[:1] == ["CMD"]:
        return list(test[1:])
    if test[:1] == ["CMD-SHELL"]:
        return [*(config.get("Shell") or ["/bin/sh", "-c"]), *test[1:]]
    return []


def failed(details: dict[str, Any], restarts: int) -> str:
    """What is wrong with a container that should be running, after this many restarts; "" if nothing."""
    state = details.get("State", {})
    if not details:
        return "has vanished"
    if (details.get("RestartCount") or 0) > restarts or state.get("Restarting"):
        return f"restarts in a loop (last exit code {state.get('ExitCode')})"
    if not state.get("Running"):
        return f"exited with code {state.get('ExitCode')}{' ' + state['Error'] if state.get('Error') else ''}"
    return ""


def ask(docker: Engine, name: str, test: list[str], left: float) -> tuple[bool, str]:
    """Run a health check once.

    Args:
        left: seconds that it may take at most.

    Returns:
        Whether it succeeded, and the last line of what it printed.
    """
    seconds = max(AT_LEAST, min(CHECK_TIMEOUT, left))
    answer: SimpleQueue[Any] = SimpleQueue()
    # The SDK waits for a check's output without end; so a thread does, and is left alone when that takes too long.
    Thread(target=lambda: answer.put(outcome(docker, name, test)), daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        return False, f"its health check takes longer than {seconds:.1f} s"
    if isinstance(found, Unreachable):
        raise found
    code, output = found
    lines = output.decode(errors="replace").strip().splitlines() or [""]
    return code == 0, lines[-1]


def outcome(docker: Engine, name: str, test: list[str]) -> tuple[int | None, bytes] | Unreachable:
    """The exit code and the output of a command in a container, or why they cannot be known."""
    from docker.errors import APIError

    def check(client: Any) -> tuple[int | None, bytes]:
        try:
            exec_id = client.exec_create(name, test)["Id"]
            output = b""
            for part in client.exec_start(exec_id, stream=True):
                output = (output + part)[-MOST:]
            return client.exec_inspect(exec_id)["ExitCode"], output
        except APIError as error:
            return None, str(error).encode()  # it stopped in this moment: the next look tells

    try:
        return docker.through_sdk(check) or (None, b"")
    except Unreachable as error:
        return error
