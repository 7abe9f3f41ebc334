"""`demo`, `engine` and `test`: from a bare machine to a running service, and what is said where that cannot be."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from engines import LOOPBACK_UP, PrivateEngine
from invoke import Config, Context
from projects import as_nobody, copy, inv, run, without
from sites import ROOT, free_port

from tasks import demo
from tasks.building import first_layer
from tasks.engine import client, label
from tasks.engine.engine import current_engine
from tasks.host.debian import program
from tasks.service import removal
from tasks.service.service import Service
from tasks.settings.load import load_file

INV = [sys.executable, "-I", str(ROOT / "tasks/program/program.py")]


class Demo:
    """A clone of the project whose demo uses a port that is free here."""

    def __init__(self, engine: PrivateEngine, folder: Path) -> None:
        self.engine = engine
        self.port = free_port()
        self.root = copy(folder / "clone")
        file = self.root / "docker/demo.yaml"
        file.write_text(file.read_text().replace("8342", str(self.port)))
        run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--all", "-m", "port"],
            cwd=self.root,
        )

    def inv(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        return run([self.root / "inv", *arguments], code=code, cwd="/", env={"DOCKER_HOST": self.engine.host})

    def holds(self) -> dict[str, list[str]]:
        """All that the engine holds."""
        questions = {
            "containers": ["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"],
            "images": ["images", "--all", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"],
            "volumes": ["volume", "ls", "--format", "{{.Name}}"],
        }
        return {what: sorted(self.engine.docker(*words).stdout.splitlines()) for what, words in questions.items()}


@pytest.fixture
def clone(engine: PrivateEngine, tmp_path: Path) -> Iterator[Demo]:
    clone = Demo(engine, tmp_path)
    yield clone
    clone.inv("demo", "--remove")


@pytest.mark.slow
def test_the_demo_builds_and_starts_everything_and_takes_it_away_again(clone: Demo) -> None:
    before = clone.holds()
    foretold = clone.inv("--dry", "demo").stdout
    assert clone.holds() == before
    assert "docker import" in foretold and "frame --name visdom start" in foretold

    with socket.create_server(("", clone.port)):
        done = clone.inv("demo", code=1)
        assert done.stderr == (
            f"Something else listens on port {clone.port}. Stop it (ss -ltnp shows it), then type inv demo again.\n"
        )
    assert clone.holds() == before

    begun = time.monotonic()
    first = clone.inv("demo").stdout
    whole = time.monotonic() - begun
    assert f"http://127.0.0.1:{clone.port}/ answers {{" in first
    assert "Try next:" in first and "inv demo --remove" in first
    with urlopen(f"http://127.0.0.1:{clone.port}/", timeout=5) as reply:
        about = json.load(reply)
    assert about["commit"] == run(["git", "rev-parse", "HEAD"], cwd=clone.root).stdout[:7]
    assert run(["git", "status", "--porcelain"], cwd=clone.root).stdout == ""
    everything = clone.holds()
    assert [name for name in everything["containers"] if name.endswith(" cauchy_demo")]
    assert {"colorai/demo_parent:bookworm", "colorai/demo_base:latest", "colorai/demo_visdom:0.2.2"} <= {
        row.split()[1] for row in everything["images"]
    }

    begun = time.monotonic()
    again = clone.inv("demo").stdout
    seconds = time.monotonic() - begun
    print(f"the demo with nothing to do takes {seconds:.2f} s")
    assert seconds < whole / 4
    assert json.dumps(about["commit"]) in again and "docker build" not in again and "docker create" not in again
    assert clone.holds() == everything
    commands = [word for line in first.splitlines() for word in [line.strip()] if word.startswith("./inv -f")]
    for line in commands:  # what it says to try next does work
        words = line.split("  ")[0].split()[1:]
        clone.inv("-f", str(clone.root / words[1]), *words[2:])

    clone.engine.docker("build", "--tag", "mine:1", "-", input="FROM colorai/demo_visdom:0.2.2\nENV MINE=1\n")
    foretold = clone.inv("--dry", "demo", "--remove").stdout
    assert "docker rm --force" in foretold and "Nothing of the demo is left." not in foretold
    assert "Nothing of the demo is left." in clone.inv("demo", "--remove").stdout
    left = clone.holds()
    assert left["containers"] == before["containers"] and left["volumes"] == before["volumes"]
    assert [row for row in left["images"] if "demo" in row] == []
    assert [row for row in left["images"] if row.endswith(" mine:1")], "what somebody else made stays"
    clone.engine.docker("image", "rm", "mine:1")
    assert clone.holds() == before
    assert clone.inv("demo", "--remove").stdout == "There was nothing to take away.\n"


def test_where_a_registry_answers_the_first_layer_is_pulled_and_goes_with_the_demo(
    engine: PrivateEngine, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "docker"  # a client that has a registry
    client.write_text(
        f'#!/bin/sh\n[ "$1" = manifest ] && exit 0\n[ "$1" = pull ] && set -- tag {tiny} "$2"\n'
        f'exec {shutil.which("docker")} "$@"\n'
    )
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    c = Context(Config(overrides={"run": {"in_stream": False}}))
    chosen = load_file(c, demo.FILE)
    first_layer.bring(c, current_engine(), chosen.base.parent)
    assert engine.docker("image", "inspect", "--format", "{{.RepoTags}}", tiny).stdout == (
        f"[colorai/demo_parent:bookworm {tiny}]\n"
    )
    removal.remove_all(Service(c, current_engine(), chosen, chosen.frames["visdom"]))
    assert engine.docker("image", "inspect", "--format", "{{.RepoTags}}", tiny).stdout == f"[{tiny}]\n"


def test_what_was_tried_beside_the_demo_goes_with_it(engine: PrivateEngine, tiny: str) -> None:
    """`dev` and `weights` of the demo's settings; those of another service stay."""
    c = Context(Config(overrides={"run": {"in_stream": False}}))
    chosen = load_file(c, demo.FILE)
    assert chosen.weights.service != load_file(c, ROOT / "invoke.yaml").weights.service
    engine.docker("create", "--name=cauchy_demo-dev", f"--label={label.DEV}=cauchy_demo", tiny, "true")
    engine.docker("create", f"--name={chosen.weights.service}", f"--label={label.WEIGHTS}=as it was made", tiny, "true")
    engine.docker("create", "--name=other-dev", f"--label={label.DEV}=other", tiny, "true")
    engine.docker("create", "--name=cauchy_weights", f"--label={label.WEIGHTS}=as it was made", tiny, "true")
    others = "cauchy_weights\nother-dev\n"
    assert removal.remove_all(Service(c, current_engine(), chosen, chosen.frames["visdom"]))
    assert "".join(sorted(engine.docker("ps", "--all", "--format", "{{.Names}}").stdout.splitlines(True))) == others
    engine.docker("rm", *others.split())


# engine


def test_the_engine_that_answers_is_named(private_engine: PrivateEngine) -> None:
    version = private_engine.docker("version", "--format", "{{.Server.Version}}").stdout.strip()
    said = inv("engine", DOCKER_HOST=private_engine.host).stdout
    assert said.startswith(f"Docker Engine {version} (") and said.endswith(f") at {private_engine.host}.\n")


def test_an_engine_elsewhere_that_does_not_answer_is_not_replaced(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/none"
    said = inv("engine", code=1, DOCKER_HOST=nowhere).stderr
    assert said == (
        f"No Docker Engine answers at {nowhere}, which DOCKER_HOST names. Start it there, or type: unset DOCKER_HOST\n"
    )
    for task in ("base", "labels", "start", "demo"):
        said = inv(task, code=1, DOCKER_HOST=nowhere).stderr
        assert nowhere in said and len(said.splitlines()) == 1


def test_a_client_that_prints_nothing_and_calls_it_success_is_no_engine(tmp_path: Path) -> None:
    """As Debian 13's client does (26.1), of which this machine may have another version."""
    (tmp_path / "docker").write_text('#!/bin/sh\ncase "$*" in *{{if*) echo ;; *) echo " ()" ;; esac\n')
    (tmp_path / "docker").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = inv("engine", code=1, DOCKER_HOST=f"unix://{tmp_path}/none", PATH=path)
    assert done.stderr.startswith("No Docker Engine answers at unix://")


ENGINE_LESS = f"""mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /var/log
{sys.executable} -c "{LOOPBACK_UP}"
unset DOCKER_HOST DOCKER_CONTEXT
exec "$@"
"""


def machine_without_an_engine() -> list[str]:
    """The beginning of a command on this machine before anybody started an engine; what it starts ends with it."""
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*own, "sh", "-ec", ENGINE_LESS, "sh"]


def test_an_engine_is_started_where_none_answers() -> None:
    inv = f"{sys.executable} -I {ROOT}/tasks/program/program.py"
    dry = run([*machine_without_an_engine(), "sh", "-c", f"{inv} --dry engine; ls /var/run/docker.sock"], code=2)
    assert "Starting" not in dry.stdout
    done = run([*machine_without_an_engine(), "sh", "-ec", f"{inv} engine; {inv} engine; docker version >&2"])
    said = done.stdout.splitlines()
    assert said[0] == "Starting dockerd in the background; its log is /var/log/dockerd.log."
    assert said[1] == said[2] and said[1].endswith(" at unix:///var/run/docker.sock.")
    assert "Server:" in done.stderr


def test_an_engine_that_ends_at_once_is_not_waited_for() -> None:
    broken = "mount -t tmpfs tmpfs /etc/docker && echo '{bad' > /etc/docker/daemon.json"
    begun = time.monotonic()
    done = run([*machine_without_an_engine(), "sh", "-c", f"{broken}; exec {shlex.join(INV)} engine"], code=1)
    assert "dockerd has ended: " in done.stderr and "daemon.json" in done.stderr
    assert done.stderr.endswith("Its log: /var/log/dockerd.log\n") and time.monotonic() - begun < 50


def test_who_may_not_use_the_socket_is_told_how(private_engine: PrivateEngine) -> None:
    socket_file = Path(private_engine.host.removeprefix("unix://"))
    mode = socket_file.stat().st_mode
    socket_file.chmod(0)
    try:
        said = run([*as_nobody(), *INV, "labels"], code=1, env={"DOCKER_HOST": private_engine.host}).stderr
        assert said.endswith(f"at {private_engine.host} may not be used by you. {client.JOIN}\n")
    finally:
        socket_file.chmod(mode)
    denied = f"touch /run/docker.sock && chmod 0 /run/docker.sock && exec unshare --user {shlex.join(INV)} engine"
    done = run([*machine_without_an_engine(), "sh", "-ec", denied], code=1)
    assert done.stderr.endswith(f"at unix:///var/run/docker.sock may not be used by you. {client.JOIN}\n")


NO_APT = "Install docker.io for {}: this machine has no apt-get, so inv cannot do it."
AS_ROOT = "Only root can install {0} for {1}. Type: sudo apt-get install {0}"
BUSYBOX = "docker.io busybox-static"


@pytest.mark.parametrize(
    ("task", "lacking", "root", "said"),
    [
        ("engine", (), False, "Only root can start the Docker Engine. Type: sudo dockerd"),
        ("engine", ("dockerd",), False, AS_ROOT.format("docker.io", "a Docker Engine")),
        ("engine", ("dockerd", "apt-get"), True, NO_APT.format("a Docker Engine")),
        ("demo", ("dockerd", "apt-get"), True, NO_APT.format("a Docker Engine")),
        ("test", ("dockerd", "apt-get"), True, NO_APT.format("the tests")),
        ("test", ("dockerd", "busybox"), False, AS_ROOT.format(BUSYBOX, "the tests")),
        ("bench", ("dockerd", "apt-get"), True, NO_APT.format("the bench")),
    ],
)
def test_what_cannot_be_brought_is_named_with_what_to_type(
    task: str, lacking: tuple[str, ...], root: bool, said: str
) -> None:
    paths = [program(name) for name in lacking]
    done = run([*machine_without_an_engine(), *without(*paths), *([] if root else as_nobody()), *INV, task], code=1)
    assert done.stderr == said + "\n"
    assert done.stdout == "", "nothing was tried, and no test was left out in silence"


def test_installing_is_shown_and_only_shown_under_dry() -> None:
    done = run([*machine_without_an_engine(), *without(program("dockerd")), *INV, "--dry", "engine"])
    assert "Installing docker.io for a Docker Engine." in done.stdout
    assert "apt-get install -y -qq --no-install-recommends docker.io" in done.stdout


@pytest.mark.parametrize("known", [(), ("docker-cli",), ("docker-cli", "docker-buildx")])
def test_what_newer_debians_split_off_is_installed_too(known: tuple[str, ...], tmp_path: Path) -> None:
    names = "|".join(known) or "none"
    (tmp_path / "apt-cache").write_text(f"#!/bin/sh\ncase $2 in {names}) exit 0 ;; *) exit 100 ;; esac\n")
    (tmp_path / "apt-cache").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = run([*machine_without_an_engine(), *without(program("dockerd")), *INV, "--dry", "engine"], env=env)
    line = next(line for line in done.stdout.splitlines() if line.startswith("apt-get install"))
    assert line.split()[5:] == ["docker.io", *known]


# test


@pytest.mark.slow
def test_the_tests_can_be_chosen_and_no_test_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("raise SystemExit('a module of the folder was imported')\n")
    few = [f"{ROOT}/tests*/test_{name}*" for name in ("[!i]", "i[!n]", "in[!v]")]  # pytest wants them from the root
    here = "--numprocesses 0 " + " ".join(f"--ignore-glob={glob}" for glob in few)
    shown = run([*INV, "test", "-k", "no_task_swallows", "--pytest", f"{here} --collect-only -q"], cwd=tmp_path).stdout
    assert "test_inv.py::test_no_task_swallows_the_name_of_the_next" in shown
    done = run([*INV, "test", "-k", "no_such_test_anywhere", "--pytest", here], cwd=tmp_path, code=1)
    assert done.stderr.endswith("Tests failed.\n")


LONG = """
import json, os, pathlib, time
from engines import PrivateEngine

def test_long():
    with PrivateEngine() as engine:
        engine.docker("info")
        told = pathlib.Path(__file__).with_name("told")
        told.with_suffix(".part").write_text(json.dumps([str(engine.folder), engine.process.pid]))
        told.with_suffix(".part").rename(told)
        time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_private_engine_is_gone_after_its_test_run_was_killed(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(LONG)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    pytest_run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", tmp_path / "pytest.ini", tmp_path],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    )
    for _ in range(600):
        if (tmp_path / "told").exists():
            break
        assert pytest_run.poll() is None, pytest_run.communicate()
        time.sleep(0.05)
    name, pid = json.loads((tmp_path / "told").read_text())
    folder = Path(name)
    assert folder.is_dir() and Path(f"/proc/{pid}").exists()
    pytest_run.send_signal(number)
    begun = time.monotonic()
    while found := list(remains(folder, pid)):
        assert time.monotonic() - begun < 60, f"{found} is still there after a minute"
        time.sleep(0.05)
    pytest_run.communicate()


def test_a_private_engine_leaves_the_machines_own_bridge_alone() -> None:
    code = f"""if True:
        import socket, subprocess, sys
        sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
        from engines import BRIDGE, PrivateEngine
        subprocess.run([sys.executable, "-c", BRIDGE, "add", "docker0"], check=True)
        with PrivateEngine() as engine:
            engine.docker("info")
            print(len(socket.if_nameindex()))
        print([name for _, name in socket.if_nameindex()])
    """
    assert run(["unshare", "--net", sys.executable, "-c", code]).stdout == "3\n['lo', 'docker0']\n"


def remains(folder: Path, pid: int) -> Iterator[str]:
    """What is left of an engine: its folder, its processes, mounts in it, control groups."""
    if folder.exists():
        yield str(folder)
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if int(path.name) == pid or (str(folder) in words and "find" not in words):
            yield words.replace("\0", " ")
    if (bridge := folder.name.replace("inv-e-", "inv")) in Path("/proc/net/dev").read_text():
        yield bridge
    if str(folder) in Path("/proc/self/mountinfo").read_text():
        yield "a mount"
    for where, _, _ in os.walk("/sys/fs/cgroup"):  # which copes with what goes away meanwhile
        if folder.name in where:
            yield where
