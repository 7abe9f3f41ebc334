"""Docker's grammars, and which names docker takes for one."""

import shlex
from typing import Any

import pytest
import versions
from sites import Site
from switches import eventually, leftovers

from tasks.engine.names import (
    being_built,
    for_the_time_being,
    repository_of,
    same_repository,
    valid_reference,
    valid_tag,
)


@pytest.mark.parametrize("tag", ["0.2.7", "_x", "0.2.7-dirty-0a1b", "x" * 128])
def test_a_tag_that_docker_takes_is_valid(tag: str) -> None:
    assert valid_tag(tag)


@pytest.mark.parametrize("tag", ["", "x" * 129, ".x", "-x", "0.2/7", "0.2.7\n", "0.2 7", "größe", "$(x)", "0:2"])
def test_a_tag_that_docker_refuses_is_not_valid(tag: str) -> None:
    assert not valid_tag(tag)


def test_a_repository_with_a_tag_is_told_from_what_only_looks_like_one() -> None:
    assert all(map(valid_reference, ["x:1", "tests/visdom:2.0", "localhost:5000/a/b:1"]))
    bad = [
        "",
        "x",
        "sha256:" + "a" * 64,
        "a//b:1",
        "localhost:5000/x",
        "x" * 256 + ":1",
        "x:" + "y" * 129,
        "x:1\n",
        "A:1",
    ]
    assert not any(map(valid_reference, bad))


@pytest.mark.parametrize("tag", ["0.2.7", "x" * 128])
def test_the_tag_for_the_time_being_is_one_that_docker_takes(tag: str) -> None:
    repository, _, found = for_the_time_being(f"host:5000/a/b:{tag}", "0a1b2c3d").rpartition(":")
    assert repository == "host:5000/a/b" and found.startswith(tag[:100])
    assert valid_tag(found) and being_built(found) and not being_built(tag)


ONE = {  # a repository as the engine lists it, and others that the client takes for it
    "alone": ["docker.io/alone", "library/alone", "docker.io/library/alone", "index.docker.io/alone", "alone:2"],
    "colorai/x": ["docker.io/colorai/x", "index.docker.io/colorai/x", f"docker.io/colorai/x:1@sha256:{'0' * 64}"],
    "localhost:5000/a/x": ["localhost:5000/a/x:latest"],
    "localhost/x": ["localhost/x:1"],
    "reg.example.com/library/x": ["reg.example.com/library/x"],
}
OTHERS = ["evil/alone", "library/colorai/x", "docker.io/docker.io/colorai/x", "localhost:5001/a/x", "x", "", ":", "\0"]


def test_a_repository_is_compared_as_docker_compares_it() -> None:
    for name, spellings in ONE.items():
        for spelling in (name, *spellings):
            assert repository_of(spelling) == name and same_repository(spelling, name)
        assert not any(same_repository(other, name) for other in (*OTHERS, *(ONE.keys() - {name})))


def test_the_engine_lists_each_repository_under_the_same_name(engine: Any, tiny: str) -> None:
    for name, spellings in ONE.items():
        for spelling in (one for one in spellings if "@" not in one):
            engine.docker("tag", tiny, spelling)
            tags = engine.request("GET", f"/images/{tiny}/json")["RepoTags"]
            assert name in {tag.rpartition(":")[0] for tag in tags}
            engine.docker("rmi", spelling)


def test_a_service_is_found_however_its_image_is_spelled(site: Site) -> None:
    """In the settings, in the label of its name, and in its recommended command."""
    site.frame["image"] = "docker.io/tests/visdom"
    site.save()
    for tag in ("1.0", "2.0"):
        versions.make(site, tag)
        assert f"{tag} runs as tests_service" in site.inv("start", "--tag", tag).stdout
        assert "already running" in site.inv("start", "--tag", tag).stdout
    site.frame["image"] = "tests/visdom"
    site.save()
    assert "2.0 is already running" in site.inv("start", "--latest").stdout
    assert site.inv("labels", "--key", "org.opencontainers.image.version").stdout == "2.0\n"
    site.inv("stop")
    assert not site.running()


@pytest.mark.parametrize("where", ["container", "recommended command", "label", "settings"])
def test_a_service_is_replaced_and_stopped_whoever_spells_its_image_in_full(site: Site, where: str) -> None:
    short, full = "tests/visdom", "docker.io/tests/visdom"
    serve = ["sh", "-c", versions.SERVE.format(port=site.port)]
    for tag in ("1.0", "2.0"):
        image = full if where == "recommended command" else short
        words = ["docker", "run", "-d", "--name", "tests_service", "--network", "host", "--init", f"{image}:{tag}"]
        name = full if where == "label" else short
        versions.make(site, tag, label=shlex.join([*words, *serve]), image=name)
        assert site.label(f"{short}:{tag}", "org.label-schema.name") == name
    if where == "settings":
        site.frame["image"] = full
        site.save()
    if where == "container":
        site.engine.container("tests_service", f"{full}:1.0", serve)
    else:
        site.inv("start", "--tag", "1.0")
    eventually(lambda: site.answer() == "1.0")

    assert "tests_service is stopped." in site.inv("stop").stdout and not site.running()
    site.docker("start", "tests_service")
    eventually(lambda: site.answer() == "1.0")
    assert "1.0 is already running as tests_service." in site.inv("start", "--tag", "1.0").stdout
    assert "2.0 runs as tests_service; before: 1.0;" in site.inv("start", "--tag", "2.0", "--no-rehearsal").stdout
    eventually(lambda: site.answer() == "2.0")
    assert "1.0 runs as tests_service; before: 2.0;" in site.inv("rollback").stdout
    eventually(lambda: site.answer() == "1.0")
    assert [*site.running()] == ["tests_service"] and not leftovers(site)
    assert "tests_service is stopped." in site.inv("stop").stdout and not site.running()
