"""`prune`: old versions and leftovers of builds go, and nothing that anybody uses."""

import json
import subprocess
from contextlib import suppress
from shutil import which
from typing import Any

import pytest
from images import like, load
from invoke import Config, Context, Exit
from sites import Site
from switches import held, leave
from terminals import ENTER, Terminal
from versions import configured, make

from tasks.engine import label
from tasks.engine.client import Unreachable
from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.engine.records import ContainerRow
from tasks.service import cleaning
from tasks.service.service import Service
from tasks.settings.load import load_file


def tags(site: Site, repository: str = "tests/visdom") -> list[str]:
    """The tags of a repository, in their order."""
    rows = site.engine.request("GET", "/images/json")
    found = [tag for row in rows for tag in row["RepoTags"] or () if tag.startswith(f"{repository}:")]
    return sorted(tag.rpartition(":")[2] for tag in found)


def ids(site: Site) -> set[str]:
    """The id of every image."""
    return {row["Id"] for row in site.engine.request("GET", "/images/json")}


def identity(site: Site, reference: str) -> str:
    return str(site.engine.request("GET", f"/images/{reference}/json")["Id"])


def stored(site: Site) -> int:
    """The bytes of all layers on the engine."""
    return int(site.engine.request("GET", "/system/df")["LayersSize"])


def several(site: Site, *wanted: str) -> None:
    """Make versions, the first one the oldest."""
    found = dict(configured(site, tag) for tag in wanted)
    for place, one in enumerate(found.values()):
        one["config"]["Labels"][label.CREATED] = f"2020-01-01T00:00:{place:02}Z"
    load(site.engine, found)


def test_the_newest_stay_and_the_old_ones_go(site: Site) -> None:
    several(site, *(f"1.{number}" for number in range(8)))
    done = site.inv("prune", "--yes")
    assert tags(site) == ["1.3", "1.4", "1.5", "1.6", "1.7"]
    shared = "frees next to nothing: all that is in their layers is in images that stay."
    assert f"Removing 3 versions {shared}\n" in done.stdout
    assert "Removed 3 versions." in done.stdout and "1.7      one of the newest 5" in done.stdout
    said = "There is nothing to remove of tests/visdom."
    assert said in site.inv("prune").stdout  # nobody has to be asked
    site.inv("prune", "--keep", "2", "--yes")
    assert tags(site) == ["1.6", "1.7"]
    site.inv("prune", "--keep", "0", "--yes")
    assert tags(site) == []
    assert site.inv("prune").stdout.strip() == said
    assert site.inv("prune", "--keep=-1", code=2).stderr == "--keep takes a number of versions, 0 or more.\n"


def test_a_version_that_a_wrong_clock_dated_takes_no_others_place(site: Site) -> None:
    several(site, "1.0", "1.1", "1.2", "2.0")
    found = like(site.engine, "tests/visdom:2.0")
    found["config"]["Labels"][label.CREATED] = "2999-01-01T00:00:00Z"
    load(site.engine, {"tests/visdom:2.0": found})
    site.engine.request("POST", "/images/prune")
    done = site.inv("prune", "--keep", "1", "--yes")
    assert tags(site) == ["1.2", "2.0"]
    assert "2.0      dated ahead of this machine's clock" in done.stdout
    site.inv("prune", "--keep", "0", "--yes")
    assert tags(site) == []


def test_what_any_container_uses_stays_running_or_stopped_whatever_its_name(site: Site) -> None:
    several(site, "1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6")
    for tag in ("1.0", "1.1"):
        site.inv("start", "--tag", tag, "--no-rehearsal")
    site.docker("create", "--name", "tests_service.training", "tests/visdom:1.2", "true")
    site.docker("run", "--detach", "--network", "host", "--name", "train", "tests/visdom:1.3", "sleep", "60")
    site.docker("run", "--network", "host", "--name", "ended", "tests/visdom:1.4", "true")
    site.docker("tag", "tests/visdom:1.5", "elsewhere/visdom:9")
    done = site.inv("prune", "--keep", "0", "--yes")
    assert tags(site) == ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"] and tags(site, "elsewhere/visdom") == ["9"]
    for said in (
        "1.0      kept for rollback as tests_service.1.0",
        "1.1      runs as tests_service",
        "1.2      used by tests_service.training",
        "1.3      used by train",
        "1.4      used by ended",
        "1.5      also called elsewhere/visdom:9",
    ):
        assert said in done.stdout
    site.inv("rollback")
    assert "tests/visdom:1.0" in site.running().values()


def test_what_somebodys_image_was_made_from_stays_and_children_go_first(site: Site) -> None:
    several(site, "1.0", "1.1", "1.2", "2.0")
    site.environment["DOCKER_BUILDKIT"] = (
        "0"  # the legacy builder's images have a parent, which docker refuses to remove
    )

    def child(parent: str, tag: str) -> None:
        lines = f"FROM tests/visdom:{parent}\nENV X={tag}\nLABEL {label.CREATED}=2010-01-01T00:00:00Z\n"
        command = ["docker", "build", "--quiet", "--tag", tag, "-"]
        subprocess.run(command, input=lines, env=site.environment, check=True, capture_output=True, text=True)

    child("1.0", "somebody/child:1")  # without a layer of its own
    child("2.0", "tests/visdom:0.1")  # older by its label than what it was made from
    site.docker("create", "--name", "made", "tests/visdom:1.1", "true")
    site.docker("commit", "made", "somebody/work:1")
    site.docker("rm", "made")
    done = site.inv("prune", "--keep", "0", "--yes").stdout
    assert tags(site) == ["1.0", "1.1"] and "Removed 3 versions." in done
    for tag in ("1.0", "1.1"):
        assert f"{tag}      another image stands on it" in done
    site.docker("image", "rm", "somebody/child:1", "somebody/work:1")
    site.inv("prune", "--keep", "0", "--yes")
    assert tags(site) == []


def test_two_who_prune_at_once_are_both_right(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    second = identity(site, "tests/visdom:2.0")
    docker = site.folder / "slow/docker"
    docker.parent.mkdir()
    gone = f"{which('docker')} image rm {second} >/dev/null"
    docker.write_text(f'#!/bin/sh\ncase "$*" in *{second}*) {gone};; esac\nexec {which("docker")} "$@"\n')
    docker.chmod(0o755)
    done = site.inv("prune", "--keep", "1", "--yes", PATH=f"{docker.parent}:{site.environment['PATH']}")
    assert tags(site) == ["3.0"] and "Removed 2 versions." in done.stdout and " stays" not in done.stdout


def test_a_switch_that_was_cut_off_can_go_back_although_its_old_container_is_gone(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    site.inv("start", "--tag", "1.0")
    old = {**held(site), "image": identity(site, "tests/visdom:1.0")}
    leave(site, "2.0", [old])
    site.docker("rm", "--force", "tests_service")
    done = site.inv("prune", "--keep", "0", "--yes")
    assert "1.0      a switch goes back to it" in done.stdout and "2.0      used by tests_service.next" in done.stdout
    assert "ann@elsewhere is switching to 2.0" in done.stdout
    assert tags(site) == ["1.0", "2.0"]
    site.inv("stop", "--take-over")


def test_nothing_goes_when_it_cannot_be_read_what_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    several(site, "1.0", "2.0", "3.0")
    monkeypatch.setenv("DOCKER_HOST", site.engine.host)
    settings = load_file(Context(Config()), site.file)
    typed: list[str] = []
    monkeypatch.setattr(Service, "do", lambda self, command, failed: typed.append(command))

    def pruned(engine: Engine) -> None:
        c = Context(Config(overrides={"stack_settings": settings}))
        cleaning.prune(Service(c, engine, settings, settings.frames["visdom"]), cleaning.Wishes(0, True))

    class Fails(Engine):
        left = 0

        def get(self, *path: str, **query: object) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Unreachable(self.endpoint, "gone")
            return super().get(*path, **query)

    questions = 0
    while not typed:
        engine = Fails(Endpoint(site.engine.host))
        engine.left = questions
        with suppress(Unreachable):
            pruned(engine)
        questions += 1
    assert questions > 8

    class Silent(Engine):
        def containers(self) -> list[ContainerRow]:
            return [ContainerRow("1" * 64, "odd", "", "running", {})]

    typed.clear()
    with pytest.raises(Exit, match="does not say which image the container odd was made from, so nothing is removed"):
        pruned(Silent(Endpoint(site.engine.host)))
    site.docker("create", "--name", "tests_service.next", "tests/visdom:1.0", "true")
    with pytest.raises(Exit, match=r"tests_service\.next was not made by a switch"):
        pruned(Engine(Endpoint(site.engine.host)))
    assert not typed and tags(site) == ["1.0", "2.0", "3.0"]


def there(site: Site, image: str) -> bool:
    """Whether an image is there, as one between others too."""
    return site.engine.docker("image", "inspect", image, check=False).returncode == 0


@pytest.fixture(params=["0", "1"], ids=["legacy", "buildkit"])
def moved(request: pytest.FixtureRequest, own_site: Site) -> Site:
    """Three versions on three bases, and one whose tag moved on, by either builder; no cache of a builder's."""
    site = own_site
    site.environment["DOCKER_BUILDKIT"] = request.param
    with suppress(AssertionError):
        site.engine.request("DELETE", "/images/tests/base:latest?force=1")
    file = site.folder / "Dockerfile.base"
    text = file.read_text()
    for number, name in enumerate(("first", "second", "third")):
        file.write_text(f"{text}RUN head -c {100_000 + number} /dev/urandom | cat > /{name}\n")
        site.commit(text=f"{name} " * 20000)
        site.inv("frame")
        for tag in ("tests/base:latest", f"tests/visdom:0.2.{number + 2}"):
            site.environment[f"{name} {tag.partition(':')[0]}"] = identity(site, tag)
    site.dockerfile.write_text(site.dockerfile.read_text() + "ENV SOMETHING=else\n")
    site.inv("frame")
    return site


def test_bases_and_leftovers_go_with_the_last_that_stands_on_them(moved: Site) -> None:
    site, buildkit = moved, moved.environment["DOCKER_BUILDKIT"] == "1"
    first, second, third = (site.environment[f"{name} tests/visdom"] for name in ("first", "second", "third"))
    bases = [site.environment[f"{name} tests/base"] for name in ("first", "second", "third")]
    assert all(there(site, image) for image in (first, second, third, *bases))
    site.docker("run", "--detach", "--network", "host", "--name", "train", first, "sleep", "60")
    site.docker("exec", "train", "sh", "-c", "echo work > /work")
    commit = site.docker("commit", "train")  # nameless, with the labels of a version, and somebody's work
    site.docker("commit", "train", "somebody/work:1")
    make(site, "1.0", image="tests/second")  # another frame's
    foreign = site.engine.docker("build", "--quiet", "-", input="FROM tiny:1\nLABEL x=y\n").stdout.strip()
    before = stored(site)
    done = site.inv("prune", "--keep", "1", "--yes").stdout
    assert [there(site, image) for image in (first, second, third, *bases)] == [True, False, False, True, False, True]
    assert all(there(site, image) for image in (commit, foreign, "somebody/work:1", "tests/second:1.0"))
    assert tags(site) == ["0.2.2", "0.2.4"] and "0.2.2    used by train" in done
    # Of the legacy builder's images, docker itself removes the nameless ones below the last.
    assert f"Removed 1 version and {'2 leftovers' if buildkit else '1 leftover'} of builds." in done
    freed = before - stored(site)
    assert freed > 240_000 and f"frees about {freed / 1000:.3g} kB." in done
    site.docker("rm", "--force", "train")
    assert "0.2.2    another image stands on it" in site.inv("prune", "--keep", "1", "--yes").stdout
    site.docker("image", "rm", commit, "somebody/work:1")
    before = stored(site)
    done = site.inv("prune", "--keep", "1", "--yes").stdout
    assert not there(site, first) and not there(site, bases[0])
    assert tags(site) == ["0.2.4"] and tags(site, "tests/base") == ["latest"] and there(site, foreign)
    assert f"frees about {(before - stored(site)) / 1000:.3g} kB." in done


def test_a_version_that_lost_its_tag_is_named_where_a_container_keeps_it(moved: Site) -> None:
    site = moved
    site.docker("create", "--name", "training", site.environment["third tests/visdom"], "true")
    assert "0.2.4 (moved on)  used by training" in site.inv("prune", "--yes").stdout
    assert there(site, site.environment["third tests/visdom"])


def test_what_a_failed_build_left_without_a_name_is_counted_and_stays(own_site: Site) -> None:
    site = own_site
    site.environment["DOCKER_BUILDKIT"] = "0"  # the other builder keeps its steps to itself
    site.inv("frame")
    works = site.dockerfile.read_text()
    site.engine.request("POST", "/images/prune")  # what other tests had made
    assert "without a name" not in site.inv("prune").stdout
    site.dockerfile.write_text(f"{works}RUN true > /half\nRUN exit 3\n")
    site.inv("frame", code=1)
    before = ids(site)
    assert "Not looked at: 1 image without a name; a build that failed leaves such" in site.inv("prune", "--yes").stdout
    assert ids(site) == before


def test_no_leftover_goes_below_a_version_that_docker_keeps(moved: Site) -> None:
    site, second = moved, moved.environment["second tests/visdom"]
    done = site.inv("prune", "--keep", "1", "--yes", code=1, **refusing(site, second))
    assert there(site, second) and there(site, site.environment["second tests/base"])
    assert "1 of these images could not be removed" in done.stderr


def test_somebody_is_asked_and_nobody_who_cannot_be(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    refused = site.inv("prune", "--keep", "1", code=2)
    way = f"inv -f {site.file} prune --keep 1 --yes"
    assert refused.stderr == f"Nobody can be asked, so nothing was removed. To remove them, type: {way}\n"
    rows = [line.split() for line in refused.stdout.partition("These go:")[2].splitlines() if "tests" not in line]
    assert [row[0] for row in rows if row and row[0] in ("1.0", "2.0", "3.0")] == ["2.0", "1.0"]
    assert "Removing 2 versions frees next to nothing: " in refused.stdout
    for no in (ENTER, "\x03", "\x04"):  # the last ones: Ctrl-C and Ctrl-D
        with Terminal(site, "prune", "--keep", "1") as terminal:
            terminal.until("Remove them?")
            terminal.press(no)
            assert terminal.ended() == 130 and "Nothing was changed." in terminal.shown
    assert tags(site) == ["1.0", "2.0", "3.0"]
    with Terminal(site, "prune", "--keep", "1") as terminal:
        terminal.until("Remove them?")
        site.docker("create", "--name", "quick", "tests/visdom:1.0", "true")  # while the person thinks
        terminal.press("y")
        assert terminal.ended() == 0 and "Removed 1 version." in terminal.shown
    assert tags(site) == ["1.0", "3.0"]


def test_dry_prints_the_very_commands_and_removes_nothing(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    site.docker("tag", "tests/visdom:1.0", "tests/visdom:old")
    before = ids(site)

    def commands(*words: str) -> list[str]:
        return [line for line in site.inv(*words).stdout.splitlines() if line.startswith("docker ")]

    printed = commands("--dry", "prune", "--keep", "1")
    assert ids(site) == before and "--force" not in " ".join(printed) and len(printed) == 3
    assert printed[0] == f"docker image rm {identity(site, 'tests/visdom:2.0')}"
    assert commands("prune", "--keep", "1", "--yes") == printed
    assert tags(site) == ["3.0"]


def refusing(site: Site, image: str) -> dict[str, str]:
    """An environment in which docker refuses what names this image."""
    docker = site.folder / "refusing/docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\ncase "$*" in *{image}*) echo busy >&2; exit 1;; esac\nexec {which("docker")} "$@"\n')
    docker.chmod(0o755)
    return {"PATH": f"{docker.parent}:{site.environment['PATH']}"}


def test_docker_refuses_and_the_rest_goes_on(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    second = identity(site, "tests/visdom:2.0")
    done = site.inv("prune", "--keep", "1", "--yes", code=1, **refusing(site, second))
    assert tags(site) == ["2.0", "3.0"]
    assert "1 of these images could not be removed" in done.stderr and f"{second} stays" in done.stdout


def test_what_is_being_built_is_no_version_and_stays(site: Site) -> None:
    several(site, "1.0", "2.0")
    site.docker("tag", "tests/visdom:1.0", "tests/visdom:1.0.building-0123abcd")
    load(site.engine, {"tests/visdom:2.1.building-0123abcd": like(site.engine, "tests/visdom:2.0", User="1")})
    assert "1.0      being built" in site.inv("prune", "--keep", "1").stdout
    assert tags(site) == ["1.0", "1.0.building-0123abcd", "2.0", "2.1.building-0123abcd"]


def test_hostile_labels_say_nothing_that_is_believed(site: Site) -> None:
    several(site, "1.0", "2.0", "3.0")
    evil = like(site.engine, "tests/visdom:1.0")
    evil["config"]["Labels"] |= {
        label.VERSION: "3.0",
        label.REVISION: "\x1b[31m",
        label.BASE: identity(site, "tests/visdom:2.0"),
        label.INPUTS: json.dumps({"x": "\x1b[31m"}),
    }
    load(site.engine, {"tests/visdom:1.0": evil})
    done = site.inv("prune", "--keep", "1", "--yes").stdout
    assert "\x1b" not in done and tags(site) == ["3.0"]
