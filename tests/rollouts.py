"""What the tests of rollouts share: versions, good and bad, and what a swarm runs of them."""

import subprocess
from typing import Any

from engines import PrivateEngine
from sites import Site

from tasks.engine import swarm as asked
from tasks.engine.swarm import Task

OPTIONS = ["--network", "host", "--init", "--restart", "always", "--stop-timeout", "2"]
GOOD = {"options": OPTIONS}
ON_TWO = 'if [ "$(hostname)" = n3 ]; then echo not here; exit 4; fi; echo "$VERSION" > /tmp/index.html; '
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {"options": [*OPTIONS, "--volume", "/data/held:/held"]},
    "2.0": GOOD,
    "ends": {**GOOD, "script": "echo this version ends at once; exit 3"},
    "sick": {**GOOD, "check": "false"},
    "hangs": {**GOOD, "check": "sleep 1000"},  # neither healthy nor unhealthy for long
    "third": {**GOOD, "script": ON_TWO + "exec httpd -f -p {port} -h /tmp"},
    "folder": {"options": [*OPTIONS, "--volume", "/data/nowhere:/x"]},
}
SERVICE, JOB = "tests_service_frame", "tests_service_check"


def begin(site: Site, tag: str = "1.0") -> None:
    """Each node runs this version."""
    site.inv("rollout", "--tag", tag)
    only(site, tag)


def tasks(site: Site) -> list[Task]:
    """The tasks that are to run."""
    return [task for task in asked.tasks(site.engine.api, SERVICE) if task.wanted == "running"]


def only(site: Site, tag: str, nodes: int = 3) -> None:
    """So many nodes run this version, and none another one."""
    found = [(task.version.tag, task.state) for task in tasks(site)]
    assert found == nodes * [(tag, "running")]
    assert answer(site) == tag


def state(site: Site) -> str:
    """Swarm's own word on the last update."""
    found = asked.service(site.engine.api, SERVICE)
    return found.update if found else ""


def answer(site: Site) -> str:
    """What the manager's own node answers, in its own network."""
    command = [*site.engine.inside(), "busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:{site.port}/index.html"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def containers(engine: PrivateEngine) -> list[str]:
    """The names of an engine's containers, of those that ended too."""
    return [row["Names"][0] for row in engine.request("GET", "/containers/json?all=1")]


def theirs(engine: PrivateEngine) -> dict[str, str]:
    """The containers of an engine that run and are nobody's but the customers': name to when it was started."""
    names = [name for name in running(engine) if not name.startswith((f"{SERVICE}.", f"{JOB}."))]
    return {name: engine.request("GET", f"/containers/{name}/json")["State"]["StartedAt"] for name in names}


def running(engine: PrivateEngine) -> list[str]:
    """The names of an engine's containers that run."""
    return [row["Names"][0][1:] for row in engine.request("GET", "/containers/json")]
