"""Which version is meant: the order of versions, what the menu shows, and how much the engine is asked."""

from collections.abc import Iterator
from typing import Any

import pytest
from engines import PrivateEngine
from images import like, load
from invoke import Config, Context
from sites import Site
from versions import make

from tasks.engine import label
from tasks.engine.engine import in_order
from tasks.service import pick
from tasks.service.service import Service
from tasks.settings.load import load_file

LATER = "2020-01-01T10:00:02Z"


@pytest.fixture
def site(private_engine: PrivateEngine, site: Site) -> Iterator[Site]:
    """A site without versions, before and after."""
    yield site


def version(site: Site, tag: str, created: str = "2020-01-01T10:00:01Z", **labels: str) -> dict[str, Any]:
    """What `load` makes a version of; by the engine's own word it was created now."""
    about = {label.NAME: "tests/visdom", label.VERSION: tag, label.CREATED: created, **labels}
    return like(site.engine, "tiny:1", Labels={key: value for key, value in about.items() if value})


def test_tags_are_ordered_by_their_numbers() -> None:
    assert sorted(["0.2.10", "0.2.9", "0.10.1", "latest", "0.2.9-dirty-1", "1"], key=in_order) == [
        "0.2.9",
        "0.2.9-dirty-1",
        "0.2.10",
        "0.10.1",
        "1",
        "latest",
    ]


@pytest.mark.parametrize("said", ["", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00"])
def test_an_image_that_does_not_say_when_it_was_built(said: str) -> None:
    assert label.created_of({label.CREATED: said}) == 0
    assert label.created_of({label.CREATED: "", label.BUILD_DATE: "1970-01-01T00:01:00+00:00"}) == 60


def test_versions_are_ordered_by_their_own_label_and_each_is_shown_once(site: Site) -> None:
    made = {"0.2.10": version(site, "0.2.10"), "0.2.9": version(site, "0.2.9")}
    made["newest"] = version(site, "newest", LATER)
    made["old"] = version(site, "old", "", **{label.BUILD_DATE: "2019-08-30T14:46:20Z"})
    made["unknown"] = version(site, "unknown", "")
    load(site.engine, {f"tests/visdom:{tag}": made[tag] for tag in ("newest", "0.2.10", "unknown", "0.2.9", "old")})
    for tag in ("latest", "zzz"):
        site.docker("tag", "tests/visdom:newest", f"tests/visdom:{tag}")
    site.docker("tag", "tests/visdom:0.2.9", "tests/visdom:2")
    typed = ("--no-rehearsal", "--wait", "5", "--from-settings")
    lines = site.inv("start", *typed, code=2).stderr.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["newest", "0.2.10", "0.2.9", "old", "unknown"]
    assert "days old" in lines[3] and " old " not in lines[4]
    way = "start --wait 5 --no-rehearsal --from-settings --tag TAG"
    assert lines[-1] == f"Several versions are here and nobody can be asked. Type: inv -f {site.file} {way}"
    there = "newest, 0.2.10, 0.2.9, old, unknown"
    assert site.inv("start", "--tag", "9", code=2).stderr.endswith(f" Type --tag with one of: {there}.\n")
    said = site.inv("--dry", "start", "--latest", "--from-settings").stdout
    assert " tests/visdom:newest " in said


def test_the_newest_is_not_the_one_that_a_wrong_clock_dated(site: Site) -> None:
    """Unless all were: then it was this machine's that is wrong, and theirs tells which came last."""
    made = {"0.2.7": version(site, "0.2.7", "2999-01-01T00:00:00Z"), "0.2.8": version(site, "0.2.8")}
    load(site.engine, {f"tests/visdom:{tag}": found for tag, found in made.items()})
    said = site.inv("start", "--latest", "--from-settings", code=2).stderr
    assert said == (
        "Version 0.2.7 says that it was built 2999-01-01T00:00:00Z, which is yet to come, so the newest cannot be "
        "told. Type --tag with one of: 0.2.7, 0.2.8.\n"
    )
    menu = site.inv("start", "--from-settings", code=2).stderr.splitlines()
    assert "days ahead" in menu[0] and "days old" in menu[1]
    load(site.engine, {"tests/visdom:0.2.8": version(site, "0.2.8", "2999-01-01T00:00:01Z")})
    assert " tests/visdom:0.2.8 " in site.inv("--dry", "start", "--latest", "--from-settings").stdout


def test_the_engine_is_asked_as_much_for_fifty_versions_as_for_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where containers are left of images that lost their tags."""
    service = Service.of(Context(Config(overrides={"stack_settings": load_file(Context(Config()), site.file)})))
    asked: list[tuple[str, ...]] = []
    get = service.engine.get

    def counted(*path: str, **query: object) -> Any:
        asked.append(path)
        return get(*path, **query)

    monkeypatch.setattr(service.engine, "get", counted)

    def questions() -> int:
        asked.clear()
        assert len(service.running()) == 0 and len(service.kept()) == 5
        pick.newest(service)
        pick.previous(service)
        return len(asked)

    for number in range(5):
        tag = f"lost{number}"
        load(site.engine, {f"tests/visdom:{tag}": version(site, tag)})
        site.engine.container(f"tests_service.{tag}", f"tests/visdom:{tag}", ["true"], start=False)
        if number:
            site.docker("tag", "tiny:1", f"tests/visdom:{tag}")
        site.engine.request("DELETE", f"/images/tests/visdom:{tag}?force=1")  # of the first, the image too
    load(site.engine, {"tests/visdom:0.1": version(site, "0.1")})
    few = questions()
    load(site.engine, {f"tests/visdom:0.{number}": version(site, f"0.{number}") for number in range(2, 51)})
    assert questions() == few


def test_the_engine_need_not_look_through_all_images_for_a_service_that_a_switch_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes 0.3 s for 5,000."""
    service = Service.of(Context(Config(overrides={"stack_settings": load_file(Context(Config()), site.file)})))
    make(site, "1.0")
    site.inv("start", "--tag", "1.0")
    make(site, "2.0")
    site.inv("start", "--tag", "2.0")
    get = service.engine.get

    def one_by_one(*path: str, **query: object) -> Any:
        assert path != ("images", "json")
        return get(*path, **query)

    monkeypatch.setattr(service.engine, "get", one_by_one)
    assert [one.name for one in service.running()] == ["tests_service"] and service.last_number() == 2
    assert pick.running(service).tag == "2.0" and pick.previous(service)[1].tag == "1.0"
    assert pick.pick(service, "1.0", latest=False).tag == "1.0"
