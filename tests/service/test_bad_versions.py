"""Versions that cannot run, each in its own way, and old ones that are not as a switch leaves them."""

import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sites import WIDE, Site
from switches import Run, eventually, leftovers, old, only
from versions import NO_CHECK, SERVE, make

from tasks.engine.records import moment

# The header of a program for a 64-bit ARM: Linux on another processor answers "exec format error".
FOREIGN = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x02\x00\xb7\x00\x01\x00\x00\x00".ljust(48, b"\0")
HERE = socket.gethostname()  # a container on the host's network has the host's name

# Bad ones that are found without a rehearsal; what is said of them.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    # More open files than any kernel allows: docker create takes it, docker start does not.
    "refused limit": ({"options": ("--network", "host", "--ulimit", "nofile=2147483647")}, "cannot be started"),
    "missing program": (
        {"label": "docker run -d --name tests_service --network host {reference} nothing-here"},
        "cannot be started",
    ),
    "foreign program": (
        {
            "label": "docker run -d --name tests_service --network host {reference} /foreign",
            "extra": "COPY --from=foreign:1 /foreign /foreign",
        },
        "cannot be started|exited with code 1",
    ),
    "hanging check": ({"check": "sleep 1000"}, "its health check takes longer than"),
    "missing check": ({"check": "nothing-here"}, "nothing-here: not found"),
    "other user": ({"options": ("--network", "host", "--user", "nobody-here")}, "cannot be started"),
}
# Good ones, whatever their health check looks like.
GOOD: dict[str, dict[str, Any]] = {
    "no check": {"check": NO_CHECK},
    "check as a list": {
        "check": "",
        "extra": 'HEALTHCHECK CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:{port}/index.html"]',
    },
    "check in a shell": {"check": "", "extra": "HEALTHCHECK CMD test -s /tmp/index.html && test $VERSION = good"},
    "check in another shell": {"check": "", "extra": 'SHELL ["/bin/busybox", "sh", "-c"]\nHEALTHCHECK CMD test 1 = 1'},
    "check switched off": {"check": "", "extra": "HEALTHCHECK NONE"},
    "check in the command": {"check": "", "options": ("--network", "host", "--health-cmd", "test -s /tmp/index.html")},
    "check against the image": {"check": "exit 1", "options": ("--network", "host", "--no-healthcheck")},
}


VERSIONS: dict[str, dict[str, Any]] = {"1.0": {}, "2.0": {}}


@pytest.fixture(scope="module")
def foreign(made: Site) -> None:
    """In the image `foreign:1` is a program for another processor."""
    file = made.folder / "foreign"
    file.write_bytes(FOREIGN)
    file.chmod(0o755)
    made.docker("create", "--name", "parent", "tiny:1", "true")
    made.docker("cp", str(file), "parent:/foreign")
    made.docker("commit", "parent", "foreign:1")


@pytest.fixture
def site(versions: Site, foreign: None) -> Iterator[Site]:
    """The site without a version that a test made, before and after."""
    yield versions
    versions.engine.remove_containers()
    versions.docker("image", "rm", "--force", "tests/visdom:bad", "tests/visdom:good", check=False)


@pytest.fixture
def service(site: Site, service: Site) -> Site:
    """The same, on which 1.0 runs."""
    return service


def make_version(site: Site, tag: str, about: dict[str, Any]) -> None:
    """`make`, with the port and the reference filled in."""

    def fill(text: str) -> str:
        return text.replace("{port}", str(site.port)).replace("{reference}", f"tests/visdom:{tag}")

    texts = {key: fill(value) for key, value in about.items() if isinstance(value, str) and key != "script"}
    make(site, tag, **{**about, **texts})


@pytest.mark.parametrize("rehearsal", ["rehearsed", "not rehearsed"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_version_is_refused_or_undone(service: Site, kind: str, rehearsal: str) -> None:
    about, why = BAD[kind]
    service.set(timeout=3)
    make_version(service, "bad", about)
    before = service.docker("inspect", "--format", "{{.Id}} {{.HostConfig}}", "tests_service")
    started = service.docker("inspect", "--format", "{{.State.StartedAt}}", "tests_service")
    words = [] if rehearsal == "rehearsed" else ["--no-rehearsal"]
    told = service.inv("start", "--tag", "bad", *words, code=1).stderr
    assert re.search(why, told) and "1.0 runs as before." in told
    assert service.docker("inspect", "--format", "{{.Id}} {{.HostConfig}}", "tests_service") == before
    same = service.docker("inspect", "--format", "{{.State.StartedAt}}", "tests_service") == started
    assert same == (rehearsal == "rehearsed")
    state = service.engine.request("GET", "/containers/tests_service/json")["State"]
    gap = moment(state["StartedAt"]) - moment(state["FinishedAt"])
    assert re.findall(r"It was down for (\d+) ms\.", told) == ([] if same else [str(round(gap * 1000))])
    only(service, "1.0")


def test_healthy_in_the_rehearsal_but_not_on_the_host(service: Site) -> None:
    script = f'[ "$(cat /proc/sys/kernel/hostname)" != {HERE} ] || exec sleep 1000; {SERVE}'
    make(service, "bad", script=script)
    service.set(timeout=3)
    told = service.inv("start", "--tag", "bad", code=1)
    assert "tests_service.rehearsal: healthy" in told.stdout and "docker stop" in told.stdout
    assert "bad did not become healthy within 3 s" in told.stderr and "1.0 runs as before." in told.stderr
    only(service, "1.0")


def test_an_image_whose_layer_is_missing(service: Site) -> None:
    make(service, "bad", extra="COPY --from=foreign:1 /foreign /a-layer-of-its-own")
    upper = service.docker("image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "tests/visdom:bad")
    shutil.rmtree(Path(upper).parent)
    told = service.inv("start", "--tag", "bad", code=1).stderr
    assert "no such file or directory" in told and told.count("\n") == 1  # what the engine says differs by version
    only(service, "1.0")


@pytest.mark.parametrize("kind", GOOD)
def test_every_form_of_a_health_check_is_understood(service: Site, kind: str) -> None:
    make_version(service, "good", GOOD[kind])
    service.inv("start", "--tag", "good", "--no-rehearsal")
    only(service, "good")


def test_a_check_that_is_slow_is_waited_for(service: Site) -> None:
    make(service, "good", check="sleep 1; wget -q -O /dev/null http://127.0.0.1:{port}/index.html")
    service.inv("start", "--tag", "good", "--no-rehearsal")
    only(service, "good")


# The old version


def by_hand(site: Site, *options: str) -> None:
    """Run 1.0 as its image recommends, with more options, and wait until it answers."""
    script = SERVE.format(port=site.port)
    words = ("run", "--detach", "--name", "tests_service", "--network", "host", "--init", *options, "tests/visdom:1.0")
    site.docker(*words, "sh", "-c", script)
    eventually(lambda: site.answer() == "1.0")


def test_an_old_version_with_rm_is_replaced_and_comes_back_as_its_image_recommends(site: Site) -> None:
    make(site, "bad", script="exec sleep 1000")
    site.set(timeout=3)
    by_hand(site, "--rm")
    done = site.inv("start", "--tag", "bad", "--no-rehearsal", code=1)
    assert "tests_service was started with --rm: docker deletes it, with what it wrote" in done.stdout
    assert "it is made anew, as its image recommends." in done.stdout and "1.0 runs as before." in done.stderr
    only(site, "1.0")
    site.docker("rm", "--force", "tests_service")
    site.set(timeout=WIDE)
    by_hand(site, "--rm")
    assert "2.0 runs as tests_service; before: 1.0; new connections waited." in site.inv("start", "--tag", "2.0").stdout
    only(site, "2.0")
    assert site.docker("ps", "--all", "--format", "{{.Names}}") == "tests_service"


@pytest.mark.parametrize("killed", ["docker stop", "starting"])
def test_a_switch_from_an_old_version_with_rm_is_killed(site: Site, killed: str) -> None:
    make(site, "bad", script="exec sleep 1000")
    by_hand(site, "--rm")
    run = Run(site, "start", "--tag", "bad", "--no-rehearsal").until(killed)
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)
    site.set(timeout=3)
    assert "1.0 runs as before." in site.inv("start", "--tag", "1.0").stdout
    only(site, "1.0")


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        (["--env", "PASSWORD=secret"], "Config.Env"),
        (["--volume", "notes:/notes"], "HostConfig.Binds"),
        (["--memory", "64m"], "HostConfig.Memory, HostConfig.MemorySwap"),
        (["--tty"], "Config.Tty"),
        (["--label", "traefik.enable=true"], "Config.Labels"),
    ],
)
def test_an_old_version_with_rm_that_could_not_come_back_is_not_touched(
    site: Site, options: list[str], differing: str
) -> None:
    by_hand(site, "--rm", *options)
    before = site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service")
    told = site.inv("start", "--tag", "2.0", code=1).stderr
    assert f"tests_service was started with --rm, and not as its image recommends ({differing})" in told
    assert (
        told.endswith("type docker stop tests_service, then the same again. 1.0 runs as before.\n")
        and told.count("\n") == 1
    )
    assert site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service") == before
    only(site, "1.0")


def test_a_paused_old_version_makes_room(service: Site) -> None:
    service.docker("pause", "tests_service")
    assert "2.0 runs as tests_service; before: 1.0" in service.inv("start", "--tag", "2.0").stdout
    only(service, "2.0")


def test_a_paused_old_version_stays_paused_when_the_rehearsal_fails(service: Site) -> None:
    make(service, "bad", script="exit 3")
    service.docker("pause", "tests_service")
    assert "1.0 runs as before" in service.inv("start", "--tag", "bad", code=1).stderr
    assert service.docker("inspect", "--format", "{{.State.Status}}", "tests_service") == "paused"
    assert not leftovers(service)


def test_an_old_version_whose_image_lost_its_tag_makes_room(site: Site) -> None:
    make(site, "good")
    old(site, "good")
    make(site, "good", extra="ENV BUILT=anew")
    assert site.running()["tests_service"].startswith(("sha256:", *"0123456789abcdef"))
    site.inv("start", "--tag", "2.0")
    only(site, "2.0")


def test_an_old_version_in_a_restart_loop_makes_room(site: Site) -> None:
    words = ["--detach", "--name", "tests_service", "--network", "host", "--restart", "always"]
    site.docker("run", *words, "tests/visdom:1.0", "sh", "-c", "sleep 0.1; exit 1")
    time.sleep(1)
    assert "2.0 runs as tests_service; before: 1.0" in site.inv("start", "--tag", "2.0").stdout
    only(site, "2.0")


def test_an_old_version_that_does_not_come_back_is_named(site: Site, tmp_path: Path) -> None:
    flag = tmp_path / "once"
    flag.touch()
    script = f"rm /once/once || exit 7; sh -c 'echo 1.0 > /tmp/index.html; exec httpd -f -p {site.port} -h /tmp'"
    options = ["--name", "tests_service", "--network", "host", "--init", "--volume", f"{tmp_path}:/once"]
    site.docker("run", "--detach", *options, "tests/visdom:1.0", "sh", "-c", script)
    make(site, "bad", script="exit 3")
    told = site.inv("start", "--tag", "bad", "--no-rehearsal", code=1).stderr
    assert "tests_service, which ran before, exited with code 7. See: docker logs tests_service" in told
    assert not leftovers(site) and site.running() == {}
    site.inv("start", "--tag", "2.0")
    only(site, "2.0")
