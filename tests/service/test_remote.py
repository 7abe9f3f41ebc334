"""Engines on other hosts: a docker context, and a real sshd in front of an engine."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from engines import PrivateEngine
from sites import WIDE, Site
from sshd import Sshd
from switches import Run, carry, only
from versions import SERVE, make, make_all


@pytest.fixture(scope="module")
def second(private_engine: PrivateEngine, tiny: str) -> Iterator[PrivateEngine]:
    """Another engine, the remote one; the tests' own is the one that must not be touched."""
    private_engine.clean()
    with PrivateEngine() as engine:
        carry(private_engine, engine, tiny)
        yield engine


@pytest.fixture(scope="module")
def made(second: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose versions are on the second engine only."""
    site = Site(second, tiny, tmp_path_factory.mktemp("remote"))
    make_all(site, {"1.0": {}, "2.0": {"script": f"sleep 1; {SERVE}"}, "mute": {"script": "exec sleep 1000"}})
    return site


@pytest.fixture
def remote(made: Site, private_engine: PrivateEngine, tmp_path: Path) -> Iterator[Site]:
    """The site without containers, where nothing yet says which engine is meant. Docker's own folder is empty."""
    made.engine.remove_containers()
    made.set(settle=0.01, timeout=WIDE)
    made.environment.pop("DOCKER_HOST", None)
    made.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    yield made
    made.engine.remove_containers()
    assert private_engine.docker("ps", "--all", "--quiet").stdout == ""


def context(site: Site, name: str, host: str) -> None:
    """Make a docker context with docker itself."""
    words = ["docker", "context", "create", name, "--docker", f"host={host}"]
    subprocess.run(words, env=site.environment, check=True, capture_output=True)


# Contexts


def test_a_context_by_variable(remote: Site, second: PrivateEngine, private_engine: PrivateEngine) -> None:
    context(remote, "far", second.host)
    status = remote.inv("status", code=3, DOCKER_CONTEXT="far").stdout
    assert f"Type: DOCKER_CONTEXT=far inv -f {remote.file} start" in status
    assert not (Path(remote.environment["DOCKER_CONFIG"]) / "config.json").exists()  # the SDK alone would find nothing
    remote.inv("start", "--tag", "1.0", DOCKER_CONTEXT="far")
    only(remote, "1.0")


def test_the_current_context(remote: Site, second: PrivateEngine, private_engine: PrivateEngine) -> None:
    context(remote, "far", second.host)
    context(remote, "near", private_engine.host)
    subprocess.run(["docker", "context", "use", "far"], env=remote.environment, check=True, capture_output=True)
    remote.inv("start", "--tag", "1.0")
    assert "no version" in remote.inv("start", code=2, DOCKER_CONTEXT="near").stderr
    only(remote, "1.0")


def test_the_variable_with_the_host_goes_before_the_one_with_the_context(
    remote: Site, second: PrivateEngine, private_engine: PrivateEngine
) -> None:
    context(remote, "near", private_engine.host)
    both = {"DOCKER_HOST": second.host, "DOCKER_CONTEXT": "near"}
    words = ["docker", "info", "--format", "{{.ID}}"]
    name = subprocess.run(words, env={**remote.environment, **both}, check=True, capture_output=True, text=True).stdout
    assert name == second.docker("info", "--format", "{{.ID}}").stdout  # the CLI decides so too
    remote.inv("start", "--tag", "1.0", DOCKER_HOST=second.host, DOCKER_CONTEXT="near")
    only(remote, "1.0")


@pytest.mark.parametrize("where", ["variable", "config.json"])
def test_an_unknown_context_is_one_sentence(remote: Site, where: str) -> None:
    folder = Path(remote.environment["DOCKER_CONFIG"])
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"currentContext": "nowhere"}))
    told = remote.inv("start", code=2, DOCKER_CONTEXT="nowhere" if where == "variable" else "").stderr
    assert told == "There is no docker context nowhere. See: docker context ls\n"


@pytest.mark.parametrize("text", ["", "[]", '{"Endpoints": {}}', '{"Endpoints": {"docker": 1}}'])
def test_a_broken_context_is_one_sentence(remote: Site, text: str) -> None:
    context(remote, "far", "unix:///nowhere")
    (meta,) = Path(remote.environment["DOCKER_CONFIG"]).glob("contexts/meta/*/meta.json")
    meta.write_text(text)
    told = remote.inv("start", code=2, DOCKER_CONTEXT="far").stderr
    assert told.startswith("The docker context far cannot be read") and told.count("\n") == 1


@pytest.mark.parametrize("host", ["ssh://u@h:bad", "ssh://h:99999", "ssh://[bad", "tcp://h:bad", "tcp://[bad"])
def test_an_address_that_is_none_is_one_sentence(remote: Site, host: str) -> None:
    told = remote.inv("labels", code=2, DOCKER_HOST=host).stderr
    assert told == f"DOCKER_HOST names {host!r}, which is no address. One looks like ssh://user@host:22.\n"


# SSH


@pytest.fixture(params=["shared"])
def ssh(remote: Site, second: PrivateEngine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sshd]:
    """The site's engine behind a real sshd, reached by one shared connection, or by one for each command."""
    server = Sshd(tmp_path, second, request.param == "shared")
    before = dict(remote.environment)
    remote.environment.update(server.environment)
    yield server
    remote.environment.clear()
    remote.environment.update(before)
    server.kill()


def test_a_framework_is_built_started_and_upgraded_over_ssh(remote: Site, ssh: Sshd) -> None:
    remote.inv("frame", "start")
    assert remote.answer() == "version one"
    assert json.loads(remote.inv("labels", "--json").stdout)["org.opencontainers.image.version"] == "0.2.1"
    remote.commit(text="version two\n")
    done = remote.inv("frame", "start")
    assert "0.2.2 runs as tests_service; before: 0.2.1; port" in done.stdout
    assert remote.answer() == "version two"
    assert remote.running() == {"tests_service": "tests/visdom:0.2.2"}
    assert "0.2.1 runs" in remote.inv("rollback").stdout
    assert "is stopped" in remote.inv("stop").stdout
    assert remote.running() == {}


@pytest.mark.parametrize("ssh", ["one each"], indirect=True)
def test_a_bad_version_over_ssh_is_shown_with_its_log(remote: Site, ssh: Sshd) -> None:
    remote.inv("start", "--tag", "1.0")
    remote.set(timeout=5)
    make(remote, "bad", script="echo the reason; exec sleep 1000")
    done = remote.inv("start", "--tag", "bad", "--no-rehearsal", code=1)
    assert "the reason" in done.stdout and "can't connect" in done.stderr and "1.0 runs as before" in done.stderr
    only(remote, "1.0")


@pytest.mark.parametrize("rehearsal", [True, False])
def test_the_connection_is_lost_during_the_wait(remote: Site, ssh: Sshd, rehearsal: bool) -> None:
    remote.inv("start", "--tag", "1.0")
    run = Run(remote, "start", "--tag", "mute", *([] if rehearsal else ["--no-rehearsal"])).until("starting")
    ssh.kill()
    said = run.end(1)
    last = said.strip().splitlines()[-1]
    assert "does not answer" in last and "The next inv start recovers." in last
    assert (
        "Last seen: the candidate was created; the old version runs" if rehearsal else "the old version was stopped"
    ) in last
    assert remote.answer() == ("1.0" if rehearsal else "")
    ssh.start()
    assert "2.0 runs as tests_service; before: 1.0" in remote.inv("start", "--tag", "2.0").stdout
    only(remote, "2.0")


def test_a_signal_during_the_wait_undoes_the_switch_over_ssh(remote: Site, ssh: Sshd) -> None:
    remote.inv("start", "--tag", "1.0")
    run = Run(remote, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    # It may come while a connection is used, and ends whatever is in the terminal's foreground.
    inv = psutil.Process(run.process.pid)
    children: dict[str, int] = {}
    give_up = time.monotonic() + 60
    while "ssh" not in children and time.monotonic() < give_up:  # between two connections there is none
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            children = {child.name(): os.getsid(child.pid) for child in inv.children(recursive=True)}
    assert "ssh" in children and children["ssh"] != run.process.pid
    run.signal(signal.SIGINT).end(130)
    only(remote, "1.0")


def test_no_server_is_one_sentence(remote: Site, ssh: Sshd) -> None:
    ssh.kill()
    told = remote.inv("start", code=1).stderr
    assert "The Docker Engine at ssh://root@127.0.0.1" in told and "does not answer" in told
    ssh.start()
