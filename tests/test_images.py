"""`images`: every version, what it was made from, and what uses it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from documented import keys
from sites import Site
from terminals import Terminal
from versions import labelled, make

from tasks.engine import label
from tasks.looking.images import since

EVIL = "\x1b[31mred\u202e"


def listed(site: Site, *words: str) -> dict[str, dict[str, Any]]:
    """What `images --json` says of each version, by its tag."""
    found = json.loads(site.inv("images", "--json", *words).stdout)
    assert set(found) == {"versions"}
    return {version["tag"]: version for version in found["versions"]}


def table(site: Site, *words: str) -> list[list[str]]:
    return [line.split() for line in site.inv("images", *words).stdout.splitlines() if line.strip()]


@pytest.fixture
def busy(own_site: Site) -> Site:
    """Two built versions, the second of uncommitted changes on a moved base; trainings, and other people's images."""
    site = own_site
    with suppress(AssertionError):
        site.engine.request("DELETE", "/images/tests/base:latest?force=1")
    site.inv("frame")
    site.docker("run", "--detach", "--network", "host", "--name", "tests_service", "tests/visdom:0.2.1", "sleep", "60")
    site.docker("run", "--detach", "--network", "host", "--name", "training", "tests/visdom:0.2.1", "sleep", "60")
    site.docker("create", "--name", "training2", "tests/visdom:0.2.1", "true")
    (site.folder / "Dockerfile.base").write_text("ARG PARENT\nFROM ${PARENT}\nRUN echo new > /new\nCOPY vendor /opt\n")
    site.docker("commit", "training", "tests/other:dev")
    site.docker("tag", "tests/visdom:0.2.1", "elsewhere/visdom:1")
    (site.source / "index.html").write_text("changed " * 40000)
    site.inv("frame", "--dirty")
    return site


def test_each_column_of_a_busy_engine(busy: Site) -> None:
    site = busy
    found = listed(site)
    newest, first = found.values()
    assert [*found] == [newest["tag"], "0.2.1"] and newest["tag"].startswith("0.2.1-dirty-")
    head = site.git("rev-parse", "HEAD")
    assert (newest["dirty"], first["dirty"]) == (True, False)
    assert {version["commit"] for version in found.values()} == {head}
    assert {version["branch"] for version in found.values()} == {"main"}
    assert {version["frame"] for version in found.values()} == {"visdom"}
    assert newest["built"] >= first["built"] and first["built"].endswith("Z")
    size = site.engine.request("GET", "/images/tests/visdom:0.2.1/json")["Size"]
    assert first["size"] == size and first["own_size"] == len("version one\n")
    assert newest["own_size"] == len("changed " * 40000)
    present = site.engine.request("GET", "/images/tests/base:latest/json")["Id"]
    assert newest["base"] == {"name": "tests/base:latest", "id": present, "present": True}
    assert first["base"]["name"] == "tests/base:latest" and first["base"]["present"] is False
    assert (first["running"], first["kept"], first["others"]) == (["tests_service"], [], 2)
    assert (newest["running"], newest["kept"], newest["others"]) == ([], [], 0)
    heads, *rows = table(site)
    assert heads == ["tag", "commit", "branch", "built", "size", "own", "state", "base"]
    assert rows[0][:4] == [newest["tag"], head[:7], "dirty", "main"] and rows[0][-1] == present[7:19]
    assert rows[1][-1] == "former" and " ".join(rows[1]).count("running, 2 others") == 1
    assert "320 kB" in " ".join(rows[0]) and "12 B" in " ".join(rows[1])


def test_the_shape_is_the_documented_one(busy: Site) -> None:
    (version, *_) = listed(busy).values()
    assert set(version) == keys("images", "versions[]")
    assert set(version["base"]) == keys("images", "versions[].base")


def test_kept_and_running_after_a_switch_and_when_a_tag_moves_on(site: Site) -> None:
    for tag in ("1.0", "2.0"):
        make(site, tag)
        site.inv("start", "--tag", tag, "--no-rehearsal")
    found = listed(site)
    assert (found["2.0"]["running"], found["2.0"]["kept"]) == (["tests_service"], [])
    assert (found["1.0"]["running"], found["1.0"]["kept"]) == ([], ["tests_service.1.0"])
    assert found["1.0"]["base"] is None and found["1.0"]["own_size"] is None and found["1.0"]["dirty"] is None
    former = found["2.0"]["id"]
    labelled(site, "2.0", other="content")
    rows = json.loads(site.inv("images", "--json").stdout)["versions"]
    assert [(row["tag"], row["tagged"], bool(row["running"])) for row in rows] == [
        ("2.0", True, False),
        ("1.0", True, False),
        ("2.0", False, True),
    ]
    assert rows[2]["id"] == former
    assert ["2.0", "(moved", "on)"] in [row[:3] for row in table(site)]


def test_several_frames_and_nothing_there(site: Site) -> None:
    assert site.inv("images").stdout == f"There is no version on this engine yet. Type: inv -f {site.file} frame\n"
    assert json.loads(site.inv("images", "--json").stdout) == {"versions": []}
    site.settings["frames"]["second"] = {**site.frame, "image": "tests/second", "service": "second", "port": 1}
    site.save()
    make(site, "1.0")
    make(site, "7.0", image="tests/second")
    heads, *rows = table(site)
    assert heads[0] == "frame" and [row[:2] for row in rows] == [["visdom", "1.0"], ["second", "7.0"]]
    assert [*listed(site, "--name", "second")] == ["7.0"]
    assert "There is no frame nope." in site.inv("images", "--name", "nope", code=2).stderr


def test_hostile_labels_are_shown_and_change_nothing(site: Site) -> None:
    labelled(
        site,
        "1.0",
        **{
            label.REVISION: EVIL,
            label.BRANCH: EVIL,
            label.CREATED: "9999999",
            label.DIRTY: EVIL,
            label.BASE: EVIL,
            label.INPUTS: '{"parent": ["x"]}',
        },
    )
    labelled(site, "2.0", **{label.INPUTS: '["parent"]', label.CREATED: "9999-12-31T23:59:59-23:00"})
    labelled(site, "3.0", **{label.INPUTS: '{"parent": 7}'})
    labelled(site, "4.0", **{label.INPUTS: "[" * 100_000})
    shown = site.inv("images").stdout
    assert "\x1b" not in shown and "\u202e" not in shown and "?[31mr" in shown
    found = listed(site)
    assert found["1.0"]["built"] is None and found["1.0"]["dirty"] is None and found["1.0"]["own_size"] is None


def test_a_narrow_terminal_does_without_some_columns(site: Site) -> None:
    labelled(
        site, "1.0", **{label.BRANCH: "a-long-name-of-a-branch-that-nobody-needs", label.BASE: "sha256:" + "a" * 64}
    )
    with Terminal(site, "images") as terminal:
        assert terminal.ended() == 0
    assert "state" in terminal.shown and "branch" not in terminal.shown.split("1.0")[0]
    row = next(line for line in terminal.shown.splitlines() if line.strip().startswith("1.0"))
    assert len(row.rstrip()) <= 100
    assert "a-long-name-of-a-branch-that-nobody-needs" in site.inv("images").stdout


def test_an_image_that_a_wrong_clock_dated() -> None:
    assert since("2999-01-01T00:00:00Z").endswith(" days ahead")
    assert since("2019-08-30T14:46:20Z").endswith(" days ago") and since(None) == "?"
