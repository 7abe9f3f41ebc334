"""The rehearsal: what a version finds in it, and what is said when it fails."""

import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from sites import Site
from switches import leftovers, only
from versions import SERVE

from tasks.host.shell import Failed
from tasks.recommended.command import parse
from tasks.service import rehearsal
from tasks.service.health import Unhealthy

NETWORK = "inv-needs"
NO_NETWORK = "If it needs a network to start, name one in the setting start.rehearsal_network."
NOT_TWICE = "If this service cannot run twice at a time, type --no-rehearsal."


# `needy` needs a database to start. Names alone are asked for: another engine's firewall may drop what containers here
# send each other.
NEEDY = "timeout 2 busybox nslookup db >/dev/null 2>&1 || {{ echo Name or service not known; exit 3; }}"
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "needy": {
        "script": f"{NEEDY}; {SERVE}",
        "options": ("--network", NETWORK, "--init", "--publish", "{port}:{port}"),
    },
    "six": {
        "script": SERVE.replace("-p {port}", "-p [::]:{port}"),
        "check": "wget -q -O /dev/null http://[::1]:{port}/index.html",
    },
    "twice": {"script": "echo RuntimeError: CUDA error: out of memory >&2; exit 3"},
}
START = {"rehearsal_network": "none"}


@pytest.fixture
def site(service: Site) -> Site:
    """The site on which 1.0 runs."""
    return service


def test_a_version_that_asks_its_loopback_by_ipv6_can_be_rehearsed(site: Site) -> None:
    assert "tests_service.rehearsal: healthy" in site.inv("start", "--tag", "six").stdout
    only(site, "six")


def test_what_is_advised_fits_the_reason_and_is_said_once(site: Site) -> None:
    done = site.inv("start", "--tag", "twice", code=1)
    said = "In the rehearsal (without a network): twice exited with code 3."
    assert done.stderr.splitlines()[-1] == f"{said} {NOT_TWICE} 1.0 runs as before."
    assert (done.stdout + done.stderr).count("exited with code 3") == 1
    only(site, "1.0")


def test_a_version_that_needs_a_network_to_start_is_rehearsed_in_one(site: Site) -> None:
    site.docker("network", "create", NETWORK)
    try:
        site.docker("run", "-d", "--init", "--name", "db", "--network", NETWORK, "tiny:1", "sleep", "1000")
        assert NO_NETWORK in site.inv("start", "--tag", "needy", code=1).stderr
        only_one = "{{range .Containers}}{{.Name}} {{end}}"
        assert site.docker("network", "inspect", "--format", only_one, NETWORK) == "db"
        site.set(rehearsal_network="inv-nowhere")
        told = site.inv("start", "--tag", "needy", code=1).stderr
        assert "In the rehearsal (in the network inv-nowhere): " in told
        assert "See the setting start.rehearsal_network. 1.0 runs as before." in told and not leftovers(site)
        site.set(rehearsal_network=NETWORK)
        done = site.inv("start", "--tag", "needy")
        (line,) = [line for line in done.stdout.splitlines() if "create" in line and "rehearsal" in line]
        words = shlex.split(line)
        assert f"--network={NETWORK}" in words and not {"publish", "sysctl", "alias"} & {
            word.partition("=")[0].strip("-").rpartition("-")[2] for word in words
        }
        assert "needy runs as tests_service; before: 1.0" in done.stdout and site.answer() == "needy"
    finally:
        site.engine.remove_containers()
        site.docker("network", "rm", NETWORK)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("curl: (6) Could not resolve host: db", NO_NETWORK),
        ("socket.gaierror: [Errno -2] Name or service not known", NO_NETWORK),
        ("OSError: [Errno 101] Network is unreachable", NO_NETWORK),
        ("psycopg2.OperationalError: connection to 127.0.0.1 failed: Connection refused", NO_NETWORK),
        ("OSError: [Errno 98] Address already in use", NOT_TWICE),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2 GiB", NOT_TWICE),
        ("sqlite3.OperationalError: database is locked", NOT_TWICE),
        ("SyntaxError: invalid syntax", ""),
        ("", ""),
    ],
)
def test_signs_of_why_a_rehearsal_failed(line: str, advice: str) -> None:
    assert rehearsal.advice(Unhealthy("x exited with code 3.", [line, "bye"]), "none") == advice
    named = rehearsal.advice(Unhealthy("", [line]), "mine")
    assert named == advice or (advice == NO_NETWORK and "another network" in named)


def test_a_kernel_without_ipv6_is_rehearsed_without_it() -> None:
    did: list[list[str]] = []

    def do(command: list[str], failed: str) -> None:
        did.append(command)
        if command[1] == "start" and "--sysctl" in str(did[-2]):
            raise Failed(failed, "open /proc/sys/net/ipv6/conf/all/disable_ipv6: no such file or directory")

    start = SimpleNamespace(rehearsal_network="none")
    nothing = SimpleNamespace(container=lambda name: None)
    settings = SimpleNamespace(start=start)
    service = SimpleNamespace(rehearsal="a.rehearsal", name="a", engine=nothing, settings=settings)
    lock: Any = SimpleNamespace(service=service, do=do, ticket=SimpleNamespace(text=str))
    image = SimpleNamespace(reference="a/b:1")
    order: Any = SimpleNamespace(command=parse("docker run -d --name a_b -p 1:1 --init a/b:1", "a/b:1"), image=image)
    assert rehearsal.begin(lock, order) == "a.rehearsal"
    assert [command[1] for command in did] == ["create", "start", "rm", "create", "start"]
    assert did[3][-3:] == ["--network=none", "--init", "a/b:1"]
