"""`doctor`: every line of it, fine and not, and what it says to type."""

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from documented import keys
from invoke import Context
from projects import run
from sites import Site, buildkit
from terminals import Terminal
from versions import make

from tasks.engine.facts import Facts, facts
from tasks.host.limits import UNLIMITED, Limits, of_listener
from tasks.looking import of_command, of_machine
from tasks.looking.finding import Finding, attempted, fine
from tasks.looking.images import Version
from tasks.looking.of_engine import store
from tasks.recommended.command import parse

NOBODYS_LIMITS = ("--ulimit", "nofile=1048576000")


@pytest.fixture(autouse=True)
def apt(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apt that knows every package, at once: where it may keep no index, as in containers, it reads lists anew."""
    script = tmp_path / "apt/apt-cache"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    site.environment["PATH"] = os.environ["PATH"]


def findings(site: Site, *words: str, code: int = 0, **environment: str) -> list[dict[str, Any]]:
    """Everything that it looked at."""
    found = json.loads(site.inv("doctor", "--json", *words, code=code, **environment).stdout)
    assert set(found) == keys("doctor") and found["healthy"] is (code == 0)
    assert all(set(one) == keys("doctor", "findings[]") for one in found["findings"])
    listed: list[dict[str, Any]] = found["findings"]
    return listed


def look(site: Site, check: str, code: int = 0, **environment: str) -> tuple[str, str, str | None]:
    """The state of one check, what is said of it, and what to type."""
    (found,) = [one for one in findings(site, code=code, **environment) if one["check"] == check]
    return found["state"], found["said"], found["advice"]


def program(site: Site, name: str, text: str) -> dict[str, str]:
    """The environment in which `name` is this shell script."""
    script = site.folder / f"{name}-bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return {"PATH": f"{script.parent}:{os.environ['PATH']}"}


def options(site: Site, *words: str) -> None:
    """Write the run_options of the one frame."""
    site.frame["run_options"] = [*words]
    site.save()


def held(site: Site) -> set[str]:
    """What the engine holds, by id, and what git says."""
    listed = site.docker("ps", "--all", "--quiet"), site.docker("images", "--all", "--quiet"), site.git("status")
    return set("\n".join(listed).split("\n"))


def test_a_machine_on_which_all_is_well(site: Site) -> None:
    make(site, "1.0")
    before = held(site)
    index = (site.source / ".git/index").stat().st_mtime_ns
    found = {one["check"]: one for one in findings(site)}
    said = ["engine", "client", "builder", "command", "limits", "port", "disk", "checkout", "vendor", "completion"]
    assert {*said, "image store", "connections"} == set(found)
    assert found["connections"]["said"] == "new ones wait during a switch"
    assert {one["state"] for name, one in found.items() if name not in ("vendor", "builder", "completion")} == {"ok"}
    version = site.engine.request("GET", "/version")["Version"]
    assert found["engine"]["said"] == f"Docker Engine {version} at {site.engine.host}"
    assert found["image store"]["said"].startswith("classic (")
    assert found["port"]["said"] == f"{site.port} is free" and found["port"]["frame"] == "visdom"
    assert found["checkout"]["said"] == f"{site.source} is at {site.git('rev-parse', 'HEAD')[:7]} of main"
    assert (site.source / ".git/index").stat().st_mtime_ns == index
    assert held(site) == before


def test_where_connections_cannot_wait_in_a_switch_it_says_so(site: Site) -> None:
    refusing: dict[str, Any] = program(site, "nft", "echo 'Error: Operation not permitted' >&2; exit 1")
    state, said, _ = look(site, "connections", **refusing)
    assert state == "warning" and said.startswith("A switch refuses clients for a moment: nft refuses: Error: ")
    site.set(hold=False)
    assert "connections" not in {one["check"] for one in findings(site)}


def test_the_screen_says_the_same_a_line_each(site: Site) -> None:
    options(site, "--runtime", "nope")
    done = site.inv("doctor", code=1, SHELL="/bin/bash", HOME=str(site.folder))
    rows = [line.split(None, 2) for line in done.stdout.splitlines()]
    (row,) = [row for row in rows if row[:2] == ["failure", "runtime"]]
    assert row[2] == "The engine has no runtime nope. Type: docker info --format '{{.Runtimes}}'"
    assert done.stdout.splitlines()[-1].startswith("1 failure, ") and "\x1b" not in done.stdout
    with Terminal(site, "doctor") as terminal:
        assert terminal.ended() == 1
    assert "\x1b[1;31mfailure" in terminal.raw
    lines = terminal.shown.splitlines()
    assert "Type: docker info --format '{{.Runtimes}}'" in [line.strip() for line in lines]
    assert max(len(line) for line in lines if "Type: " not in line) <= 100
    with Terminal(site, "doctor", NO_COLOR="1") as plain:
        assert plain.ended() == 1
    assert "\x1b[1;31m" not in plain.raw and "failure" in plain.shown


def test_no_engine_and_no_docker_and_no_git(site: Site) -> None:
    site.environment["DOCKER_HOST"] = f"unix://{site.folder}/s"
    found = findings(site, code=1)
    assert [one["check"] for one in found] == ["client", "engine", "checkout", "vendor", "completion"]
    assert found[0]["state"] == "ok"
    assert (
        found[1]["said"] == f"The Docker Engine at unix://{site.folder}/s does not answer: no such file or directory."
    )
    assert found[1]["advice"] == "inv engine"
    only_bash = site.folder / "only"
    only_bash.mkdir()
    (only_bash / "bash").symlink_to("/bin/bash")
    gone = {one["check"]: one for one in findings(site, code=1, PATH=str(only_bash))}
    assert gone["client"]["said"] == "There is no docker client here."
    assert gone["checkout"]["said"] == "git is not installed." and gone["checkout"]["advice"] == "apt-get install git"
    wrong = findings(site, code=1, DOCKER_HOST="", DOCKER_CONTEXT="nope")
    assert wrong[0]["said"] == "There is no docker context nope. See: docker context ls"


@pytest.mark.parametrize(
    ("says", "state", "words"),
    [
        ("echo 19.03.1", "failure", "older than 20.10"),
        ("echo 28.0.1; echo 'Error: client is too new' >&2; exit 1", "failure", "says: Error: client is too new."),
        ("echo 'exec format error' >&2; exit 126", "failure", "does not work: exec format error."),
        ("echo 26.1.5+dfsg1", "ok", "docker client 26.1.5+dfsg1"),
    ],
)
def test_the_client(site: Site, says: str, state: str, words: str) -> None:
    found = look(site, "client", int(state == "failure"), **program(site, "docker", f"[ $1 = build ] || {{ {says}; }}"))
    assert found[0] == state and words in found[1]


@pytest.mark.parametrize(
    ("says", "state", "words"),
    [
        ("echo '      --progress string'", "ok", "BuildKit"),
        ("echo Usage", "ok", "the legacy builder"),
        ("echo 'DEPRECATED: The legacy builder' >&2", "warning", "legacy builder"),
        ("echo 'ERROR: BuildKit is enabled but' >&2; exit 1", "failure", "ERROR: BuildKit is enabled but"),
    ],
)
def test_the_builder(site: Site, says: str, state: str, words: str) -> None:
    client = program(site, "docker", f"[ $1 = build ] || {{ echo 26.1; exit; }}; {says}")
    found = look(site, "builder", int(state == "failure"), **client)
    assert found[0] == state and words in found[1]


@pytest.mark.parametrize(
    ("known", "ways"),
    [
        ((), {"client": None, "builder": None, "driver": None}),
        (
            ("docker.io", "docker-buildx-plugin", "nvidia-driver"),
            {
                "client": "apt-get install docker.io",
                "builder": "apt-get install docker-buildx-plugin",
                "driver": "apt-get install nvidia-driver",
            },
        ),
        (
            ("docker.io", "docker-cli", "docker-buildx"),
            {
                "client": "apt-get install docker-cli",
                "builder": "apt-get install docker-buildx",
                "driver": None,
            },
        ),
    ],
)
def test_only_packages_that_apt_knows_here_are_named(
    site: Site, known: tuple[str, ...], ways: dict[str, str | None]
) -> None:
    options(site, "--gpus", "all")
    names = "|".join(known) or "none"
    apt = program(site, "apt-cache", f"case $2 in {names}) exit 0 ;; *) exit 100 ;; esac")
    old = "[ $1 = build ] && { echo DEPRECATED >&2; exit; }; echo 19.03.1"
    docker = program(site, "docker", old)["PATH"].partition(":")[0]
    found = {one["check"]: one for one in findings(site, code=1, PATH=f"{docker}:{apt['PATH']}")}
    assert {name: found[name]["advice"] for name in ways} == ways
    for name, elsewhere in (("builder", "docs.docker.com"), ("driver", "non-free")):
        assert (elsewhere in found[name]["said"]) is (ways[name] is None)


def test_the_builder_is_asked_of_the_real_client(site: Site) -> None:
    environment = buildkit(site)
    assert look(site, "builder", 0, **environment)[:2] == ("ok", "BuildKit")
    assert "legacy builder" in look(site, "builder", 0, **environment | {"DOCKER_BUILDKIT": "0"})[1]


def test_a_silent_engine_is_left_alone_by_the_client(site: Site) -> None:
    hung = program(site, "docker", "[ $1 = --version ] && echo Docker version 28.2.2, build e6534b4 || sleep 600")
    done = look(site, "client", 1, DOCKER_HOST=f"unix://{site.folder}/s", **hung)
    assert done == ("ok", "docker client 28.2.2", None)


def test_the_image_store() -> None:
    status = [["driver-type", "io.containerd.snapshotter.v1"]]
    (new,) = store(facts({"Driver": "overlayfs", "DriverStatus": status}))
    (old,) = store(facts({"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]]}))
    (slow,) = store(facts({"Driver": "vfs", "DriverStatus": None}))
    assert (new.said, old.said) == ("containerd (overlayfs)", "classic (overlay2)") and slow.state == "warning"


def test_the_recommended_command(site: Site) -> None:
    options(site, "--privileged", "--volume", "/etc:/etc")
    found = [one for one in findings(site) if one["check"] == "command"]
    assert [one["state"] for one in found] == ["warning"] * 2 and "--privileged is not on the list" in found[0]["said"]
    options(site, "--no-such-option")
    assert look(site, "command", 1)[0] == "failure"


def test_the_runtime_and_the_driver(site: Site) -> None:
    options(site, "--runtime", "nvidia")
    smi = program(site, "nvidia-smi", "printf 'Tesla T4, 535.1\\nTesla \\033[31mT4, 535.1\\n'")
    found = {one["check"]: one for one in findings(site, code=0, **smi)}
    assert found["runtime"]["state"] == found["driver"]["state"] == "ok"
    assert found["driver"]["said"] == "nvidia: Tesla T4, 535.1; Tesla ?[31mT4, 535.1"
    options(site, "--gpus", "all")
    assert look(site, "driver", 0, **smi)[0] == "ok"
    assert look(site, "driver", 0, **program(site, "nvidia-smi", "exit 9"))[0] == "warning"
    options(site, "--runtime", "nope")
    assert look(site, "runtime", 1)[:2] == ("failure", "The engine has no runtime nope.")


def test_gpus_without_a_toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    command = parse("docker run -d --name service --gpus all tests/visdom:1", "tests/visdom:1")
    service: Any = SimpleNamespace(engine=SimpleNamespace(shares_files=True))
    engine = Facts("1", "x", False, ("runc",), 1, 1, "/")
    for found, checks in ((None, ["runtime", "driver"]), ("/usr/bin/hook", ["driver"])):
        monkeypatch.setattr(of_command, "program", lambda name, found=found: found)
        looked = [*of_command.gpu(Context(), of_command.Asked("visdom", service, command), engine)]
        assert [one.check for one in looked] == checks
    configure = "nvidia-ctk runtime configure && systemctl restart docker"
    for programs, way, advice, more in (
        ("", None, None, " Apt here does not know nvidia-container-toolkit, which is in the repository of NVIDIA."),
        ("", "apt-get install x", f"apt-get install x && {configure}", ""),
        ("nvidia-ctk", None, configure, ""),
    ):
        monkeypatch.setattr(of_command, "program", lambda name, programs=programs: name in programs or None)
        monkeypatch.setattr(of_command, "way_to_install", lambda c, name, way=way: way)
        (missing, _) = of_command.gpu(Context(), of_command.Asked("visdom", service, command), engine)
        assert missing.said == f"NVIDIA's container toolkit, which --gpus needs, is not found.{more}"
        assert missing.advice == advice


def test_limits_of_a_process(site: Site, tmp_path: Path) -> None:
    path = site.engine.host.removeprefix("unix://")
    theirs = of_listener(path)
    assert theirs and set(theirs.hard) > {"memlock", "nofile", "stack"}
    assert of_listener(str(tmp_path / "nobody")) is None
    limited = Limits({"memlock": 65536, "core": UNLIMITED}, may_raise=False)
    assert limited.allows("memlock", 65536) and not limited.allows("memlock", 65537)
    assert not limited.allows("memlock", UNLIMITED) and limited.allows("core", UNLIMITED) and limited.allows("x", 1)
    assert Limits({"memlock": 65536}, may_raise=True).allows("memlock", UNLIMITED)
    server = "import resource, socket, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))\n"
    server += "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True); s.accept()"

    with subprocess.Popen([sys.executable, "-c", server, str(tmp_path / "s")], stdout=subprocess.PIPE) as running:
        assert running.stdout and running.stdout.readline()
        found = of_listener(str(tmp_path / "s"))
    assert found and found.hard["nofile"] == 128


def test_what_the_engine_cannot_give(site: Site) -> None:
    mine = of_listener(site.engine.host.removeprefix("unix://"))
    assert mine
    refused = not mine.may_raise
    options(site, *NOBODYS_LIMITS)
    found = look(site, "limits", int(refused))
    assert found[0] == ("failure" if refused else "ok")
    options(site, *NOBODYS_LIMITS, "--runtime", "nvidia")
    assert look(site, "limits")[0] == ("warning" if refused else "ok")
    options(site, "--ulimit", "nofile=64:64", "--cpus", "0.5", "--memory", "16m", "--shm-size=2g")
    assert look(site, "limits")[0] == "ok"
    options(site, "--cpus", "4096")
    assert look(site, "limits", 1)[1].startswith("--cpus 4096 is more than the ")
    options(site, "--memory", "900TB", "--cpus", "many", "--shm-size", "x")
    assert look(site, "limits")[0] == "warning"


def test_the_data_directory_and_what_else_is_mounted(site: Site) -> None:
    data = site.folder / "data"
    options(site, "--volume", f"{data}:/data")
    assert look(site, "data", 1)[1:] == (f"The data directory {data} does not exist.", f"mkdir -p {data}")
    data.write_text("")
    assert look(site, "data", 1)[1:] == (f"The data directory {data} is no folder.", f"ls -l {data}")
    data.unlink()
    for name in ("datasets", "projects"):
        (data / name).mkdir(parents=True)
    state, said, way = look(site, "data")
    assert (state, said) == ("warning", f"{data} lacks checkpoints, pretrained_models, which the next start makes.")
    assert way
    run(shlex.split(way))
    assert look(site, "data")[0] == "ok"
    options(site, "--volume", f"{site.folder}/nfs:/nfs")
    site.set(volumes=[str(site.folder / "nfs")])
    assert look(site, "data", 1)[1] == f"The volume's source {site.folder}/nfs does not exist."


def test_files_with_passwords(site: Site) -> None:
    file = site.folder / "secrets.env"
    options(site, "--env-file", str(file))
    site.set(env_files=[str(file)])
    assert look(site, "env file", 1)[1] == f"There is no file {file}, which --env-file names."
    file.write_text("A=1\n")
    file.chmod(0o644)
    assert look(site, "env file")[::2] == ("warning", f"chmod 600 {file}")
    file.chmod(0o600)
    assert look(site, "env file")[0] == "ok"


def version(size: int, own: int | None) -> Version:
    rest: dict[str, Any] = dict.fromkeys(("commit", "branch", "dirty", "built", "base"))
    return Version(
        "visdom", "1.0", True, False, "sha256:1", size=size, own_size=own, running=(), kept=(), others=0, **rest
    )


def test_room_for_the_next_version(tmp_path: Path) -> None:
    engine = Facts("1", "overlay2", False, (), 1, 1, str(tmp_path))
    endless = 1 << 60
    for versions, state, words in (
        ([version(endless, 1000)], "warning", "about 1 kB, and on a new base "),
        ([version(2000, 1000), version(endless, endless)], "ok", "about 1 kB, on a new base 2 kB"),
        ([version(endless, endless)], "failure", "the next version needs about "),
        ([version(endless, None)], "failure", "the next version needs about "),
        ([], "ok", "no version says"),
    ):
        (found,) = of_machine.disk(engine, versions, "visdom", "inv prune")
        assert found.state == state and words in found.said
        assert found.advice == (None if state == "ok" else "inv prune")
    (gone,) = of_machine.disk(Facts("1", "x", False, (), 1, 1, "/nowhere"), [], "visdom", "inv prune")
    assert gone.state == "warning"


def test_the_port(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)):
        state, said, _ = look(site, "port", 1)
        assert state == "failure" and said.startswith(f"Port {site.port} is held by ")
        assert said.endswith(", which is not tests_service. Stop it first.")
    make(site, "1.0")
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    assert look(site, "port")[:2] == ("ok", f"{site.port} is tests_service's")
    site.docker("pause", "tests_service")
    assert look(site, "port")[0] == "ok"  # the kernel still takes calls
    site.docker("rm", "--force", "tests_service")
    make(site, "2.0", script="sleep 60", check="")
    site.inv("start", "--tag", "2.0", "--no-rehearsal")
    assert look(site, "port")[1] == f"tests_service runs, and nothing answers at port {site.port}."


def test_the_checkout(site: Site) -> None:
    (site.source / "index.html").write_text("changed\n")
    (site.source / "untracked").write_text("")
    state, said, way = look(site, "checkout")
    assert state == "warning" and "1 file differs from it" in said and way == f"git -C {site.source} status"
    site.git("clone", "--quiet", "--depth", "1", f"file://{site.source}", str(site.folder / "shallow"))
    site.commit()
    site.git("clone", "--quiet", "--depth", "1", f"file://{site.source}", str(site.folder / "shallow2"))
    site.settings["source"] = str(site.folder / "shallow2")
    site.save()
    assert look(site, "checkout", 1)[2] == f"git -C {site.folder}/shallow2 fetch --unshallow"
    site.settings["source"] = str(site.folder / "nowhere")
    site.save()
    assert "There is no folder" in look(site, "checkout", 1)[1]


def test_vendored_libraries(own_site: Site) -> None:
    site, vendor = own_site, own_site.root / "vendor"
    before = {path: path.stat().st_mtime_ns for path in vendor.rglob("*")}
    assert look(site, "vendor")[0] == "ok"
    assert {path: path.stat().st_mtime_ns for path in vendor.rglob("*")} == before
    (library,) = [folder for folder in vendor.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    library.rename(site.folder / "away")
    assert look(site, "vendor") == ("warning", f"vendor/{library.name} is missing.", "inv fetch-vendor")
    (site.folder / "away").rename(library)
    (library / "edit.py").write_text("")
    state, said, _ = look(site, "vendor", 1)
    assert state == "failure" and "was edited by hand (edit.py)" in said
    (vendor / "vendor.yaml").write_text("x: 1\n")
    assert look(site, "vendor", 1)[0] == "failure"


def test_what_may_not_be_looked_at() -> None:
    def look() -> Iterator[Finding]:
        yield fine("x", "seen")
        Path("/dev/null/x").stat()

    seen, failed = attempted("x", look)
    assert (seen.state, failed.said) == ("ok", "/dev/null/x cannot be looked at: Not a directory.")


@pytest.mark.parametrize(("shell", "file"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", None)])
def test_completion(site: Site, shell: str, file: str | None) -> None:
    home = {"HOME": str(site.folder / "home"), "SHELL": f"/usr/bin/{shell}"}
    (site.folder / "home/.config/fish").mkdir(parents=True)
    state, _, way = look(site, "completion", 0, **home)
    assert state == "warning" and way and (file or "completions/inv.fish") in way
    run(["sh", "-c", way], env=home)
    assert look(site, "completion", 0, **home)[0] == "ok"
    assert look(site, "completion", HOME=home["HOME"], SHELL="/bin/tcsh")[0] == "ok"


def test_what_brings_completion_calls_a_program_that_is_there(site: Site) -> None:
    """In every new shell: `inv` alone only where that is this project's."""
    (site.folder / "home").mkdir()
    home = {"HOME": str(site.folder / "home"), "SHELL": "/bin/bash"}
    way = look(site, "completion", 0, **home)[2] or ""
    run(["sh", "-c", way], env=home)
    asked = run(["bash", "-c", ". ~/.bashrc; complete -p inv"], env=home)
    assert asked.stdout.endswith("-F _inv_complete inv\n") and not asked.stderr
    (site.folder / "home/.bashrc").unlink()
    path = program(site, "inv", "exit 1")
    assert look(site, "completion", 0, **home, **path)[2] == way
    (link := site.folder / "inv-bin/inv").unlink()
    link.symlink_to(way.partition("$(")[2].partition(" ")[0])
    short = """echo 'eval "$(inv completion --shell bash)"' >> ~/.bashrc"""
    assert look(site, "completion", 0, **home, **path)[2] == short


def test_several_frames(site: Site) -> None:
    site.settings["frames"]["second"] = {**site.frame, "image": "tests/second", "service": "second", "port": 1}
    site.settings["frames"]["second"]["run_options"] = ["--runtime", "nope"]
    site.save()
    found = findings(site, code=1)
    assert {one["frame"] for one in found} == {None, "visdom", "second"}
    assert len([one for one in found if one["check"] == "checkout"]) == 1
    assert "failure  runtime (second)" in site.inv("doctor", code=1).stdout
    assert {one["frame"] for one in findings(site, "--name", "visdom")} == {None, "visdom"}
    assert "There is no frame nope." in site.inv("doctor", "--name", "nope", code=2).stderr
