"""The ports that a version takes, and who else holds them: told before anything is touched."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from engines import PrivateEngine
from sites import Site
from switches import Run, eventually, held, leave
from versions import CHECK, SERVE, make

from tasks.host import port
from tasks.recommended.command import parse
from tasks.service import reach

# Each in another network, or with other ports.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "alone": {"options": ("--network", "none", "--init")},
    "unpublished": {"options": ("--network", "bridge", "--init")},
    "udp": {"options": ("--init", "--publish", "{port}:{port}/udp")},
    "chosen": {"options": ("--init", "--publish", "{port}")},
    "local": {"options": ("--init", "--publish", "127.0.0.1:{port}:{port}")},
    "published": {"options": ("--init", "--publish", "{port}:{port}")},
    "late": {"options": ("--init", "--publish", "{port}:{port}"), "script": f"sleep 2; {SERVE}"},
    "3.0": {"options": ("--network", "inv-tests", "--init")},
    "4.0": {"options": ("--network", "inv-tests", "--init")},
    "mute": {"options": ("--network", "inv-tests", "--init"), "script": "exit 1"},
}
# Writes a line for each connection that it gets, and one for each that its check makes; healthy after a second.
COUNTED: dict[str, Any] = {
    "options": ("--network", "host", "--init", "--health-interval", "1h"),  # docker itself does not come to check it
    "script": f"(sleep 1; touch /tmp/ready) & {SERVE.replace('-f', '-f -vvv')}",
    "check": f"{CHECK} && echo checked >/proc/1/fd/2 && test -e /tmp/ready",
}
VERSIONS |= {"counted": COUNTED, "counted_too": COUNTED}
START = {"rehearse": False}


@pytest.fixture
def site(versions: Site) -> Site:
    """The site without containers, before and after."""
    return versions


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--network host", [("", 8339)]),
        ("--network host --publish 80:80", [("", 8339)]),  # docker discards it
        ("--network none --publish 80:80", []),
        ("", []),
        ("--network mine", []),
        ("-p 80 -p 53:53/udp -P", []),
        ("-p 8000:80 -p 127.0.0.1:9000-9001:1-2", [("", 8000), ("127.0.0.1", 9000), ("127.0.0.1", 9001)]),
        ("-p [::1]:7:7/tcp", [("::1", 7)]),
    ],
)
def test_only_what_the_command_takes_is_taken(options: str, expected: list[tuple[str, int]]) -> None:
    command = parse(f"docker run -d --name a_b {options} a/b:1", "a/b:1")
    for number, found in ((8339, expected), (None, [one for one in expected if one != ("", 8339)])):
        service = SimpleNamespace(frame=SimpleNamespace(port=number))
        assert list(reach.taken(service, command)) == found  # type: ignore[arg-type]


def test_addresses_that_are_in_each_others_way() -> None:
    for one, other in (("", "127.0.0.1"), ("0.0.0.0", "10.0.0.1"), ("::", "10.0.0.1"), ("::1", "::"), ("a", "a")):
        assert port.meet(one, other) and port.meet(other, one)
    for one, other in (("127.0.0.1", "127.0.0.2"), ("0.0.0.0", "::1"), ("10.0.0.1", "::1")):
        assert not port.meet(one, other) and not port.meet(other, one)


def test_a_stranger_is_in_the_way_of_those_alone_that_want_its_port(site: Site) -> None:
    with socket.create_server(("127.0.0.2", site.port)):
        for tag in ("alone", "unpublished", "udp", "chosen", "local"):
            assert f"{tag} runs as tests_service" in site.inv("start", "--tag", tag).stdout
        for tag in ("1.0", "published"):
            said = site.inv("start", "--tag", tag, code=1).stderr
            assert f"Port {site.port} is held by " in said and f"(process {os.getpid()})" in said
    assert site.running() == {"tests_service": "tests/visdom:local"}


def test_another_container_that_holds_the_port_is_named_and_nothing_is_touched(site: Site) -> None:
    site.inv("start", "--tag", "unpublished")
    running = site.docker("ps", "--all", "--no-trunc", "--format", "{{.ID}}")
    site.docker("run", "-d", "--init", "--name", "training", "-p", f"{site.port}:80", "tiny:1", "sleep", "1000")
    for tag in ("1.0", "local", "published"):
        said = site.inv("start", "--tag", tag, code=1).stderr
        assert f"Port {site.port} is published by the container training, which is not tests_service." in said
    site.docker("rm", "--force", "training")
    site.engine.container("notebook", "tiny:1", ["httpd", "-f", "-p", str(site.port)])
    eventually(lambda: port.answers("127.0.0.1", site.port))
    for tag in ("1.0", "local"):
        said = site.inv("start", "--tag", tag, code=1).stderr
        assert f"Port {site.port} is held by the container notebook, which is not tests_service." in said
    site.docker("rm", "--force", "notebook")
    assert site.docker("ps", "--all", "--no-trunc", "--format", "{{.ID}}") == running
    assert "1.0 runs as tests_service; before: unpublished" in site.inv("start", "--tag", "1.0").stdout


def test_the_silence_is_that_of_the_service_and_not_of_dockers_proxy(site: Site) -> None:
    """The proxy takes connections as soon as the container is started, long before the service answers."""
    site.set(hold=False)
    site.inv("start", "--tag", "published")
    begun = time.monotonic()
    run = Run(site, "start", "--tag", "late").until("tests_service.next: starting")
    assert port.answers("127.0.0.1", site.port)
    found = re.search(rf"port {site.port} was silent for (\d+) ms", run.end(0))
    assert found and 2000 <= int(found[1]) < 1000 * (time.monotonic() - begun)


@pytest.mark.parametrize("hold", [True, False])
def test_a_switch_makes_no_connection_to_the_service_but_those_of_its_health_check(site: Site, hold: bool) -> None:
    site.set(hold=hold)
    site.inv("start", "--tag", "counted")
    said = site.inv("start", "--tag", "counted_too").stdout
    assert f"port {site.port} was silent for " in said  # measured all the same
    for name in ("tests_service", "tests_service.counted"):
        log = site.engine.docker("logs", name).stderr
        assert log.count("connected") == log.count("checked") >= 1, log


@pytest.fixture
def network(site: Site) -> Iterator[None]:
    """A user-defined network, `inv-tests`."""
    site.docker("network", "create", "inv-tests")
    yield
    site.engine.remove_containers()
    site.docker("network", "rm", "inv-tests")


def test_a_version_has_the_services_name_in_its_network_from_its_start(site: Site, network: None) -> None:
    site.inv("start", "--tag", "3.0")
    site.docker("run", "-d", "--init", "--name", "client", "--network", "inv-tests", "tiny:1", "sleep", "1000")
    site.set(settle=3)

    assert named(site, "tests_service")
    run = Run(site, "start", "--tag", "4.0").until("tests_service.next: healthy").signal(signal.SIGSTOP)  # it settles
    assert "tests_service.next" in site.running() and named(site, "tests_service")
    run.signal(signal.SIGCONT).end(0)
    assert "tests_service" in site.running() and named(site, "tests_service")


def named(site: Site, alias: str) -> bool:
    """Whether the client finds the version that runs by this name; what they send each other a firewall may drop."""
    (version,) = {"tests_service", "tests_service.next"} & site.running().keys()
    template = '{{(index .NetworkSettings.Networks "inv-tests").IPAddress}}'
    address = site.docker("inspect", "--format", template, version)
    found = site.engine.docker("exec", "client", "busybox", "nslookup", alias, check=False).stdout
    return f"Address: {address}\n" in found


NAMED = ("run", "-d", "--init", "--network", "inv-tests")


@pytest.mark.parametrize("renamed", [False, True], ids=["in the switch", "in a recovery, renamed already"])
def test_an_old_version_that_comes_back_has_its_names_in_a_network_again(
    site: Site, network: None, renamed: bool
) -> None:
    """Its own, that of its option, and that of a `docker network connect`."""
    serve = SERVE.format(port=site.port)
    site.docker(*NAMED, "--name", "tests_service", "--network-alias", "web", "tests/visdom:3.0", "sh", "-c", serve)
    site.docker("network", "disconnect", "inv-tests", "tests_service")
    site.docker("network", "connect", "--alias", "web", "--alias", "www", "inv-tests", "tests_service")
    site.docker(*NAMED, "--name", "client", "tiny:1", "sleep", "1000")
    names = ("tests_service", "web", "www")
    assert all(named(site, name) for name in names)
    if renamed:
        leave(site, "4.0", [held(site)], ["--ulimit", "nofile=2147483647"], limit=0)  # it cannot be started
        site.docker("stop", "tests_service")
        site.docker("rename", "tests_service", "tests_service.3.0")
        assert "3.0 runs as before." in site.inv("start", "--tag", "3.0").stdout
    else:
        assert "3.0 runs as before." in site.inv("start", "--tag", "mute", "--no-rehearsal", code=1).stderr
    assert site.running()["tests_service"] == "tests/visdom:3.0" and all(named(site, name) for name in names)


def test_a_port_that_the_engine_itself_holds_for_the_running_version_is_free_to_the_next(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Without docker's proxy, dockerd listens."""
    with PrivateEngine("--userland-proxy=false") as engine:
        site = Site(engine, engine.busybox(), tmp_path_factory.mktemp("proxy"))
        site.set(settle=0.1, rehearse=False)
        for tag in ("1.0", "2.0"):
            make(site, tag, options=("--init", "--publish", f"{site.port}:{site.port}"))
        site.inv("start", "--tag", "1.0")
        assert "dockerd" in {one.name for one in port.listeners() if one.port == site.port}
        assert "2.0 runs as tests_service; before: 1.0" in site.inv("start", "--tag", "2.0").stdout
        site.inv("stop")
        engine.docker("run", "-d", "--name", "other", "-p", f"{site.port}:80", "tiny:1", "sleep", "1000")
        refused = f"Port {site.port} is published by the container other, which is not tests_service."
        assert refused in site.inv("start", "--tag", "1.0", code=1).stderr
