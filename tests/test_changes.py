"""`changes`: the commits between two versions, the base and the pins below them."""

import json
from contextlib import suppress
from typing import Any

import pytest
from documented import keys
from images import like, load
from sites import Site
from versions import labelled

from tasks.engine import label

EVIL = "Evil \x1b[31mred\u202e subject"


def changes(site: Site, *words: str, code: int = 0) -> dict[str, Any]:
    """What `changes --json` says."""
    found: dict[str, Any] = json.loads(site.inv("changes", "--json", *words, code=code).stdout)
    return found


@pytest.fixture
def built(own_site: Site) -> Site:
    """Version 0.2.1 runs; then came two commits, another base and another pin."""
    site = own_site
    with suppress(AssertionError):
        site.engine.request("DELETE", "/images/tests/base:latest?force=1")
    site.inv("frame")
    site.docker("run", "--detach", "--network", "host", "--name", "tests_service", "tests/visdom:0.2.1", "sleep", "60")
    site.commit("new.txt", "a file\n")
    site.git(
        "commit", "--quiet", "--allow-empty", "--message", "Evil \x1b[31mred\u202e subject", "--author", "E\x07 <>"
    )
    return site


def test_from_what_runs_to_head_with_base_and_pins(built: Site) -> None:
    site = built
    first, head = site.git("rev-list", "--reverse", "HEAD").split()[0], site.git("rev-parse", "HEAD")
    found = changes(site)
    base = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/base:latest")
    plain = {"branch": "main", "dirty": False, "base": base, "parent": None}
    assert found["from"] == {"tag": "0.2.1", "commit": first, **plain}
    assert found["to"] == {"tag": None, "commit": head, **plain}
    assert [one["subject"] for one in found["commits"]] == [EVIL, "new.txt: a file"]
    assert found["commits"][0]["id"] == head and found["commits"][0]["date"].endswith("Z")
    assert (found["frame"], found["source"], found["dropped"]) == ("visdom", str(site.source), [])
    assert (found["base_changed"], found["base_inputs"], found["pins"], found["missing"]) == (False, [], [], [])
    shown = site.inv("changes").stdout
    assert f"0.2.1 ({first[:7]} of main) → HEAD ({head[:7]} of main): 2 commits" in shown
    assert "Evil ?[31mred? subject" in shown and "\x1b" not in shown and "\x07" not in shown
    assert "Base: the same." in shown and "Vendored libraries: the same." in shown

    file = site.root / "vendor/vendor.yaml"
    pins = file.read_text()
    file.write_text(f"{pins}\nextra:\n  pypi: extra==1.0\n  sha256: {'a' * 64}\n" if "extra" not in pins else pins)
    (pin,) = changes(site)["pins"]
    assert pin["name"] == "extra" and pin["before"] is None and "a" * 64 in pin["after"]
    assert "extra" in site.inv("changes").stdout
    file.write_text(pins)

    (site.folder / "Dockerfile.base").write_text("ARG PARENT\nFROM ${PARENT}\nCOPY vendor /opt/elsewhere\n")
    site.inv("frame")
    found = changes(site)
    assert found["base_changed"] is True and found["base_inputs"] == ["Dockerfile"]
    assert found["from"]["base"] == base != found["to"]["base"]
    assert f"Base: {base[7:19]} → {found['to']['base'][7:19]} (Dockerfile)" in site.inv("changes").stdout
    back = changes(site, "--from", "0.2.3", "--to", "0.2.1")
    assert back["commits"] == [] and len(back["dropped"]) == 2
    shown = site.inv("changes", "--from", "0.2.3", "--to", "0.2.1").stdout
    assert "0.2.1" in shown and "0 commits" in shown and f"Only in 0.2.3 ({head[:7]} of main): 2 commits" in shown


def test_a_frame_with_a_parent_of_its_own_says_nothing_of_the_base(own_site: Site) -> None:
    site = own_site
    site.docker("tag", "tiny:1", "tests/parent:1")
    site.dockerfile.write_text("FROM tests/parent:1\nCOPY . /srv\n")
    site.inv("frame")
    site.commit("new.txt", "a file\n")
    parent = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/parent:1")
    found = changes(site, "--from", "0.2.1")
    assert [(found[one]["base"], found[one]["parent"]) for one in ("from", "to")] == [(None, parent)] * 2
    assert found["base_changed"] is found["base_inputs"] is found["pins"] is None
    shown = site.inv("changes", "--from", "0.2.1").stdout
    assert "Parent: the same." in shown and "Base" not in shown and "Vendored" not in shown
    load(site.engine, {"tests/parent:1": like(site.engine, "tiny:1", Env=["X=1"])})
    now = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/parent:1")
    shown = site.inv("changes", "--from", "0.2.1").stdout
    assert f"Parent: {parent[7:19]} → {now[7:19]}" in shown and "Base" not in shown and "Vendored" not in shown
    site.inv("frame")
    assert f"Parent: {parent[7:19]} → {now[7:19]}" in site.inv("changes", "--from", "0.2.1", "--to", "0.2.2").stdout
    site.docker("image", "rm", "tests/parent:1")
    shown = site.inv("changes", "--from", "0.2.1").stdout
    assert "Base" not in shown and "Vendored" not in shown


def test_the_shape_is_the_documented_one(built: Site) -> None:
    site = built
    labelled(site, "9", **{label.REVISION: "1" * 40, label.VENDOR: '{"x": "git x"}', label.BASE: "sha256:0"})
    found = changes(site, "--from", "9", code=1)
    assert set(found) == keys("changes") and found["commits"] is None and found["dropped"] is None
    assert set(found["from"]) == set(found["to"]) == keys("changes", "from") == keys("changes", "to")
    assert set(found["missing"][0]) == keys("changes", "missing[]")
    assert set(found["pins"][0]) == keys("changes", "pins[]")
    assert set(changes(site)["commits"][0]) == keys("changes", "commits[]") == keys("changes", "dropped[]")


def test_a_commit_that_is_not_here_is_named_with_the_fetch_that_brings_it(site: Site) -> None:
    origin, other = site.folder / "origin.git", site.folder / "elsewhere"
    site.git("clone", "--quiet", "--bare", str(site.source), str(origin), where=site.folder)
    site.git("remote", "add", "origin", str(origin))
    site.git("clone", "--quiet", "--branch", "main", str(origin), str(other), where=site.folder)
    site.git("checkout", "--quiet", "-b", "topic", where=other)
    site.git("commit", "--quiet", "--allow-empty", "--message", "theirs", where=other)
    site.git("push", "--quiet", "origin", "topic", where=other)
    theirs = site.git("rev-parse", "HEAD", where=other)
    source = label.OCI + "source"
    labelled(site, "5", **{label.REVISION: theirs, label.BRANCH: "topic", source: str(origin)})
    done = site.inv("changes", "--from", "5", code=1)
    way = f"git -C {site.source} fetch origin topic"
    assert done.stderr == f"{site.source} does not have the commit of 5, {theirs}. Type: {way}\n"
    to = f"HEAD ({site.git('rev-parse', '--short=7', 'HEAD')} of main)"
    title = f"5 ({theirs[:7]} of topic) → {to}: which commits lie between cannot be told here.\n"
    assert done.stdout.startswith(title)
    assert "Base: not known of both." in done.stdout and "Vendored libraries: not known of both." in done.stdout
    (missing,) = changes(site, "--from", "5", code=1)["missing"]
    assert missing == {"tag": "5", "commit": theirs, "fetch": way}
    site.git(*way.split()[3:])
    found = changes(site, "--from", "5")
    assert found["missing"] == [] and [one["subject"] for one in found["dropped"]] == ["theirs"]

    def way_to(**labels: str) -> str | None:
        labelled(site, "6", **{label.BRANCH: "topic", source: "https://example.com/x.git", **labels})
        (missing,) = changes(site, "--to", "6", "--from", "5", code=1)["missing"]
        way: str | None = missing["fetch"]
        return way

    gone = "1" * 40
    start = f"git -C {site.source} fetch"
    assert way_to(**{label.REVISION: gone}) == f"{start} https://example.com/x.git topic"
    assert way_to(**{label.REVISION: gone, source: "git@host:x/y"}) == f"{start} git@host:x/y topic"
    assert way_to(**{label.REVISION: gone, label.BRANCH: "HEAD"}) == f"{start} https://example.com/x.git {gone}"
    for branch in ("--upload-pack=evil", "a:b", "+x", "x y", "a..b"):
        assert way_to(**{label.REVISION: gone, label.BRANCH: branch}) == f"{start} https://example.com/x.git {gone}"
    for url in ("ext::sh -c evil", "--upload-pack=evil", "https://x/y;z", "file:///x", "/x"):
        assert way_to(**{label.REVISION: gone, source: url}) is None
    for revision in ("HEAD", "--all", "main", "\x1b[31m", ""):
        assert way_to(**{label.REVISION: revision, label.SHORT_COMMIT: ""}) is None
    assert "Its labels do not say where it is." in site.inv("changes", "--from", "5", "--to", "6", code=1).stderr
    assert (way_to(**{label.REVISION: gone, source: ""}) or "").startswith(f"{start} origin topic")
    site.git("remote", "remove", "origin")
    assert way_to(**{label.REVISION: gone, source: ""}) is None  # nothing is called origin here


def test_hostile_pins_and_what_is_not_there(site: Site) -> None:
    head = site.git("rev-parse", "HEAD")
    for tag, pins in (("1", "[" * 100_000), ("2", "7"), ("3", '{"x": 1, "y\\u001b[31m": "z"}'), ("4", "{}")):
        labelled(site, tag, **{label.REVISION: head, label.VENDOR: pins, label.INPUTS: "7", label.BASE: "\x1b[31m"})
    assert changes(site, "--from", "1", "--to", "2")["pins"] is None
    assert [pin["name"] for pin in changes(site, "--from", "3", "--to", "4")["pins"]] == ["y\x1b[31m"]
    assert "\x1b" not in site.inv("changes", "--from", "3", "--to", "4").stdout
    said = "Type --from with one of: "
    assert f"No version of tests/visdom is running. {said}" in site.inv("changes", code=2).stderr
    assert f"There is no version 8 of tests/visdom. {said}" in site.inv("changes", "--from", "8", code=2).stderr
    last = site.inv("changes", "--from", "3", "--to", "8", code=2).stderr
    assert "There is no version 8 of tests/visdom. Type --to with one of: " in last
    site.settings["source"] = str(site.folder / "nowhere")
    site.save()
    assert "There is no folder" in site.inv("changes", "--from", "1", code=1).stderr
