"""Switches under way: runs of `inv` that a test watches and disturbs, and what must be true afterwards."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from engines import PrivateEngine
from sites import Site

LABEL = "com.colorai.stack.switch"


class Run:
    """`inv …` typed in the background, in a process group of its own; its output is read line by line."""

    def __init__(self, site: Site, *arguments: str, **environment: str) -> None:
        self.process = site.start(arguments, environment, together=True)
        self.said = ""

    def until(self, text: str) -> "Run":
        """Read until a line holds this text; it must come."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return self
        raise AssertionError(f"It never said {text!r}:\n{self.said}")

    def signal(self, number: signal.Signals, group: bool = True) -> "Run":
        """Send a signal to the process group, as a terminal does, or to the process alone."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self

    def end(self, *codes: int) -> str:
        """Wait for its end, which must be with one of these exit codes, or by a signal. Returns all that it said."""
        assert self.process.stdout
        self.said += self.process.stdout.read()
        code = self.process.wait()
        self.process.close()
        assert code in codes, f"{code}, not {codes}:\n{self.said}"
        assert "Traceback" not in self.said, self.said
        return self.said


def leftovers(site: Site) -> list[str]:
    """The names of containers that only an unfinished switch has."""
    names = [row["Names"][0][1:] for row in site.engine.request("GET", "/containers/json?all=1")]
    return [name for name in names if name.endswith((".next", ".rehearsal", ".recovery"))]


def only(site: Site, version: str) -> None:
    """Exactly this version runs and answers, under the service's name, and nothing is left over."""
    eventually(lambda: site.answer() == version)  # one that was started again takes a moment
    assert site.running() == {"tests_service": f"tests/visdom:{version}"}
    assert not leftovers(site)


def old(site: Site, tag: str = "1.0", name: str = "tests_service", **host: object) -> None:
    """Run a version with docker alone, as a switch long ago would have left it, and wait until it answers.

    Args:
        host: more of the container's HostConfig.
    """
    script = f'echo "$VERSION" > /tmp/index.html; exec httpd -f -p {site.port} -h /tmp'
    site.engine.container(name, f"tests/visdom:{tag}", ["sh", "-c", script], host)
    eventually(lambda: site.answer() == tag)


def eventually(true: Callable[[], bool], seconds: float = 60, every: float = 0.02) -> None:
    """Wait until something is true; it must become so. `seconds`: as many as the slowest machine takes."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "It never became true."
        time.sleep(every)


def told_to_stop(site: Site, name: str = "tests_service") -> None:
    """Wait until the engine was told to stop a container: when `docker stop` is printed, it was not yet."""
    key = site.engine.request("GET", f"/containers/{name}/json")["Id"]
    filters = quote(json.dumps({"container": [key], "event": ["kill"]}))
    eventually(lambda: bool(site.engine.request("GET", f"/events?since=0&until={time.time():f}&filters={filters}")))


def go_on(site: Site, name: str = "tests_service.next") -> None:
    """Let a version of the kind LATE serve."""
    site.docker("exec", name, "touch", "/tmp/now")


def held(site: Site, name: str = "tests_service", running: bool = True) -> dict[str, Any]:
    """A container as a ticket holds it."""
    return {"id": site.docker("inspect", "--format", "{{.Id}}", name)[:12], "name": name, "running": running}


def leave(site: Site, version: str, held: list[dict[str, Any]], options: Sequence[str] = (), **ticket: Any) -> None:
    """Create a candidate as a run on another host would have left it. `options`: more of `docker create`."""
    text = {
        "by": "ann@elsewhere",
        "tag": version,
        "since": time.time(),
        "limit": 600,
        "space": "elsewhere",
        "pid": 1,
        "born": "1",
        "old": held,
        **ticket,
    }
    script = f'echo "$VERSION" > /tmp/index.html; exec httpd -f -p {site.port} -h /tmp'
    site.docker(
        "create",
        "--name",
        "tests_service.next",
        "--label",
        f"{LABEL}={json.dumps(text)}",
        "--network",
        "host",
        "--init",
        *options,
        f"tests/visdom:{version}",
        "sh",
        "-c",
        script,
    )


def carry(there: PrivateEngine, here: PrivateEngine, image: str) -> None:
    """Bring an image from one engine to another."""
    with subprocess.Popen(["docker", "--host", there.host, "save", image], stdout=subprocess.PIPE) as save:
        subprocess.run(["docker", "--host", here.host, "load"], stdin=save.stdout, check=True, capture_output=True)
    assert save.returncode == 0
