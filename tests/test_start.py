"""`start`: picking a version and switching to it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import PrivateEngine
from invoke import Config, Context
from projects import run
from sites import ROOT, Site, buildkit
from terminals import DOWN, ENTER, Terminal
from versions import make

from tasks.host import debian


def test_first_start_runs_the_version_just_built(site: Site) -> None:
    done = site.inv("frame", "start")
    assert "0.2.1 runs as tests_service" in done.stdout
    assert site.answer() == "version one"
    assert site.running() == {"tests_service": "tests/visdom:0.2.1"}


def test_every_upgrade_replaces_the_container_that_holds_the_name(site: Site) -> None:
    site.inv("frame", "start")
    site.commit(text="version two\n")
    done = site.inv("frame", "start")
    assert "before: 0.2.1" in done.stdout and "silent for" in done.stdout
    assert site.answer() == "version two"
    assert site.running() == {"tests_service": "tests/visdom:0.2.2"}


def container(site: Site) -> str:
    return site.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service")


def test_without_any_version_it_says_how_to_build_one(site: Site) -> None:
    said = f"There is no version of tests/visdom on this engine. Type: inv -f {site.file} frame\n"
    assert site.inv("start", code=2).stderr == said


def test_the_only_version_is_started_without_a_question(site: Site) -> None:
    make(site, "1.0")
    assert "1.0 runs as tests_service" in site.inv("start").stdout


def test_dry_prints_the_docker_commands_of_building_and_starting_and_changes_nothing(site: Site) -> None:
    site.inv("base")
    before = sorted(site.docker("images", "--all", "--quiet", "--no-trunc").split())
    done = site.inv("--dry", "frame", "start")
    commands = [line for line in done.stdout.splitlines() if line.startswith("docker ")]
    said = [" ".join(line.split()[:2]) for line in commands]
    assert said == ["docker build", "docker image", "docker image", "docker create", "docker start", "docker rename"]
    assert "--name=tests_service.next" in commands[3] and " tests/visdom:0.2.1 " in commands[3]
    assert sorted(site.docker("images", "--all", "--quiet", "--no-trunc").split()) == before
    assert site.docker("ps", "--all", "--quiet") == ""


# From here on, the tests share their versions: they change containers only.


@pytest.fixture(scope="module")
def built(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(private_engine, tiny, tmp_path_factory.mktemp("built"))


@pytest.fixture
def versions(built: Site) -> Iterator[Site]:
    """Three versions, the second of which runs."""
    here = built.docker("images", "--format", "{{.Tag}}", "tests/visdom").split()
    if here != ["3.0", "2.0", "1.0"]:  # at first, and if tests of this file were run in another order
        built.engine.clean()
        for tag in ("1.0", "2.0", "3.0"):
            make(built, tag)
    built.inv("start", "--tag", "2.0", "--no-rehearsal")
    yield built
    built.docker("rm", "--force", *built.docker("ps", "--all", "--quiet").split())


def test_the_question_shows_every_version_and_the_answer_is_started(versions: Site) -> None:
    with Terminal(versions, "start", "--no-rehearsal") as terminal:
        shown = terminal.until("Which version of tests/visdom?", "1.0 ", "2.0 ", "3.0 ")
        (running,) = [line for line in shown.splitlines() if "running" in line]
        tag, commit, branch, rest = running.split(maxsplit=3)
        assert (tag, commit, branch) == ("2.0", "322e300", "?"), running
        assert re.search(r"^\d+ seconds? old +2 MB  running", rest), running  # others may be older: wider ages
        terminal.press(DOWN, DOWN, ENTER)
        assert terminal.ended() == 0
    assert versions.running() == {"tests_service": "tests/visdom:1.0"}
    assert versions.answer() == "1.0"


@pytest.mark.parametrize("stop", ["\x03", "\x1b[A\x03"], ids=["Ctrl-C", "Ctrl-C after moving about"])
def test_stopping_at_the_question_changes_nothing(versions: Site, stop: str) -> None:
    before = container(versions)
    with Terminal(versions, "start") as terminal:
        terminal.until("Which version", "1.0 ", "3.0 ")
        terminal.press(stop)
        assert terminal.ended() == 130
        assert "Nothing was changed." in terminal.shown and "Traceback" not in terminal.shown
    assert container(versions) == before


def test_without_a_terminal_the_answer_is_the_list_and_the_flag(versions: Site) -> None:
    before = container(versions)
    said = versions.inv("start", code=2).stderr
    assert [line.split()[0] for line in said.splitlines()[:3]] == ["3.0", "2.0", "1.0"]
    way = f"Type: inv -f {versions.file} start --tag TAG"
    assert said.splitlines()[-1] == f"Several versions are here and nobody can be asked. {way}"
    for wrong in ("9", "", "2", "latest", "3.0; reboot"):
        assert "3.0" in versions.inv("start", f"--tag={wrong}", code=2).stderr, wrong
    assert container(versions) == before


def test_the_running_version_is_left_alone(versions: Site) -> None:
    before = container(versions)
    assert "2.0 is already running" in versions.inv("start", "--tag", "2.0").stdout
    assert container(versions) == before


def test_latest_is_the_newest(versions: Site) -> None:
    versions.inv("start", "--latest", "--no-rehearsal")
    assert versions.answer() == "3.0"
    said = versions.inv("start", "--latest", "--tag", "1.0", code=2).stderr
    assert said == "Type either --tag TAG or --latest.\n"


# The recommended command as it stood in labels of the scripts that this project replaces: see REPLACED.md.
RECOMMENDED = (
    "docker run -d --name cauchy_service --restart unless-stopped --volume /data:/data --network host "
    "--hostname colorai --runtime nvidia --shm-size=2g --ulimit memlock=-1 --ulimit stack=67108864 "
    "colorai/cauchycv_visdom:0.2.7 python cauchy_services.py --port 8339"
)
WITHOUT_APT = """ARG PARENT
FROM ${PARENT}
COPY vendor /opt/vendor
RUN python -m pip install --no-index --no-cache-dir --break-system-packages /opt/vendor/bottle/*
"""


class Server(Site):
    """A server of the team: the project's own settings, the port and /data of the recommended command."""

    def __init__(self, engine: PrivateEngine, parent: str, folder: Path) -> None:
        super().__init__(engine, parent, folder)
        self.own_project()
        self.environment.update(buildkit(self))  # the faster one
        (folder / "Dockerfile.base").write_text(WITHOUT_APT)
        self.settings = {
            "source": str(self.source),
            "base": {
                "parent": parent,
                "dockerfile": str(folder / "Dockerfile.base"),
                "build_options": ["--network", "host"],
            },
            "frames": {"visdom": {"build_options": ["--network", "host"], "build_args": {"COMMAND": RECOMMENDED}}},
        }
        self.save()

    def inv(self, *arguments: str, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        outside = "fetch-vendor" in arguments
        command = [*([] if outside else self.engine.inside()), *self.command(*arguments)]
        return run(command, code=code, cwd=self.folder, env={**self.environment, **environment})

    def about(self) -> dict[str, str]:
        """What the service on port 8339 says of itself."""
        ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8339/', timeout=5).read().decode())"
        done = subprocess.run(
            [*self.engine.inside(), sys.executable, "-c", ask], capture_output=True, text=True, check=True
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def inspect(self, template: str) -> str:
        return self.docker("inspect", "--format", template, "cauchy_service")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    archive = debian.root_file_system(Context(Config(overrides={"run": {"in_stream": False}})))
    with PrivateEngine(alone=True) as engine:
        engine.docker("import", str(archive), "parent:1")
        yield Server(engine, "parent:1", tmp_path)


@pytest.mark.slow
def test_the_recommended_command_of_the_old_scripts_runs_word_for_word(server: Server) -> None:
    data = Path("/data").exists() and names(Path("/data"))
    shutil.copy(ROOT / "docker/framework/cauchy_services.py", server.source)
    while server.git("rev-list", "--count", "HEAD") != "7":
        server.commit(text=server.git("rev-list", "--count", "HEAD"))
    server.inv("fetch-vendor")
    done = server.inv("frame", "start")
    assert "0.2.7 runs as cauchy_service" in done.stdout

    head = server.git("rev-parse", "HEAD")
    image = "colorai/cauchycv_visdom:0.2.7"
    assert server.label(image, "org.label-schema.docker.cmd") == RECOMMENDED
    assert server.running() == {"cauchy_service": image}
    assert server.about()["commit"] == head[:7]
    assert (
        server.inspect("{{.HostConfig.Runtime}} {{.HostConfig.ShmSize}} {{.HostConfig.NetworkMode}}")
        == f"nvidia {2 << 30} host"
    )
    assert server.inspect("{{.HostConfig.RestartPolicy.Name}} {{.Config.Hostname}}") == "unless-stopped colorai"
    limits = {limit["Name"]: limit["Hard"] for limit in json.loads(server.inspect("{{json .HostConfig.Ulimits}}"))}
    assert limits == {"memlock": -1, "stack": 67108864}
    assert json.loads(server.inspect("{{json .Config.Cmd}}")) == ["python", "cauchy_services.py", "--port", "8339"]
    assert (
        server.inspect("{{.HostConfig.Init}} {{.HostConfig.Privileged}} {{.HostConfig.Binds}}")
        == "<nil> false [/data:/data]"
    )
    folders = ["checkpoints", "datasets", "pretrained_models", "projects"]
    assert names(server.engine.shared) == folders
    server.docker("exec", "cauchy_service", "touch", "/data/projects/of_a_customer")

    server.settings["frames"]["visdom"].pop("build_args")  # from here on, what invoke.yaml recommends
    server.save()
    server.commit(text="the next version")
    done = server.inv("frame", "start")
    assert "0.2.8 runs as cauchy_service; before: 0.2.7; port" in done.stdout
    assert server.about()["commit"] == server.git("rev-parse", "HEAD")[:7]
    assert server.inspect("{{.HostConfig.Runtime}} {{.HostConfig.Init}}") == "nvidia true"
    assert (server.engine.shared / "projects/of_a_customer").exists()
    assert (Path("/data").exists() and names(Path("/data"))) == data, "the machine's own /data was touched"
