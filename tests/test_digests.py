"""Versions that only a registry's digest names here, as `rollout --digest` fetches them: `images` and `prune`."""

import json
import re
from collections.abc import Iterator
from shutil import which

import pytest
from documented import keys
from engines import PrivateEngine
from images import like, load
from newer import NewerEngine
from registries import registry
from sites import Site
from switches import carry
from versions import make_all

from tasks.engine import label
from tasks.engine.names import called
from tasks.engine.records import ImageRow
from tasks.engine.swarm import means

TAGS = [f"{number}.0" for number in range(1, 8)]  # the first one is the oldest


@pytest.fixture
def host() -> Iterator[str]:
    with registry() as found:
        yield found


@pytest.fixture(params=["classic", "containerd"])
def there(request: pytest.FixtureRequest, site: Site) -> Iterator[PrivateEngine]:
    """An engine with either image store, and seven versions on it."""
    references = make_all(site, {tag: {} for tag in TAGS})
    dated = {reference: like(site.engine, reference) for reference in references}
    for number, one in enumerate(dated.values()):
        one["config"]["Labels"][label.CREATED] = f"2020-01-01T00:00:{number:02}Z"
    load(site.engine, dated)
    if request.param == "classic":
        yield site.engine
        return
    with NewerEngine(containerd=True) as found:
        for reference in references:
            carry(site.engine, found, reference)
        site.environment["DOCKER_HOST"] = found.host
        yield found


def fetched(engine: PrivateEngine, tag: str, repository: str) -> str:
    """Have a version in a registry, and bring it from there by its digest, as a node of a swarm does. Returns that."""
    engine.docker("tag", f"tests/visdom:{tag}", f"{repository}:{tag}")
    said = engine.docker("push", f"{repository}:{tag}").stdout
    engine.docker("image", "rm", f"{repository}:{tag}")
    (digest,) = re.findall("digest: (sha256:[0-9a-f]{64})", said)
    engine.docker("pull", "--quiet", f"{repository}@{digest}")
    return f"{repository}@{digest}"


def names(engine: PrivateEngine) -> set[str]:
    """Every name that an image of the tests' frame has, but for digests in repositories that no registry is in."""
    rows = engine.request("GET", "/images/json")
    found = [called(row["RepoTags"], row["RepoDigests"]) for row in rows if label.NAME in (row["Labels"] or {})]
    every = {name for some in found for name in (*some[0], *(one for one in some[1] if ":" in one.partition("/")[0]))}
    return every - {"tests/base:latest"}  # an earlier test's may be there still


def test_a_version_goes_with_its_digest_and_not_while_anybody_needs_it(
    site: Site, there: PrivateEngine, host: str
) -> None:
    site.settings["registry"] = f"{host}/team"
    site.save()
    ours, others = f"{host}/team/tests/visdom", f"{host}/others/visdom"
    name = {tag: fetched(there, tag, ours) for tag in TAGS if tag != "6.0"}
    foreign = fetched(there, "5.0", others)
    there.docker("tag", "tests/visdom:4.0", "customer/visdom:4")
    there.docker("image", "rm", *(f"tests/visdom:{tag}" for tag in ("2.0", "3.0", "4.0", "7.0")))
    there.docker("create", "--name", "somebody", name["3.0"], "true")
    before = names(there)

    rows = {row["tag"]: row for row in json.loads(site.inv("images", "--json").stdout)["versions"]}
    assert [*rows] == TAGS[::-1] and set(rows["1.0"]) == keys("images", "versions[]")
    assert {tag: row["tagged"] for tag, row in rows.items()} == {tag: tag in ("1.0", "5.0", "6.0") for tag in TAGS}
    assert {tag: row["digests"] for tag, row in rows.items()} == {
        tag: [name[tag]] if tag in name else [] for tag in TAGS
    }
    assert rows["3.0"]["others"] == 1
    short = {tag: f"{tag} (@{one.partition('@')[2][:19]})" for tag, one in name.items()}
    assert f"\n{short['7.0']}  " in site.inv("images").stdout

    said = site.inv("start", "--tag", "2.0", code=2).stderr
    assert "There is no version 2.0 of tests/visdom. Type --tag with one of: 6.0, 5.0, 1.0. " in said
    assert (
        f"there are: 7.0, 4.0, 3.0, 2.0. To give one its tag, type: docker image tag {name['7.0']} tests/visdom:7.0"
        in said
    )

    dry = site.inv("--dry", "prune", "--keep", "1").stdout
    assert names(there) == before and "This node cannot ask" not in dry
    done = site.inv("prune", "--keep", "1", "--yes").stdout
    for printed in (dry, done):
        commands = [line for line in printed.splitlines() if line.startswith("docker ")]
        assert (
            commands[1:3] == [f"docker image rm {name['2.0']}", f"docker image rm {name['1.0']}"] and len(commands) == 4
        )
    for why in (
        f"{short['7.0']} one of the newest 1",
        f"5.0 also called {foreign}",
        f"{short['4.0']} also called customer/visdom:4",
        f"{short['3.0']} used by somebody",
    ):
        assert why in " ".join(done.split())
    assert "Removed 3 versions." in done
    assert names(there) == before - {"tests/visdom:1.0", name["1.0"], name["2.0"], "tests/visdom:6.0"}
    # Without that registry in the settings, its names are somebody's.
    site.settings["registry"] = ""
    site.save()
    there.docker("tag", name["7.0"], "tests/visdom:7.0")
    done = site.inv("prune", "--keep", "0", "--yes").stdout
    assert f" 7.0 also called {name['7.0']}" in " ".join(done.split()) and "3.0" not in done
    assert name["3.0"] in names(there) and name["7.0"] in names(there)


def test_a_container_that_is_made_meanwhile_keeps_every_name(site: Site, host: str) -> None:
    site.settings["registry"] = host
    site.save()
    make_all(site, {"1.0": {}, "2.0": {}})
    name = {tag: fetched(site.engine, tag, f"{host}/tests/visdom") for tag in ("1.0", "2.0")}
    docker = site.folder / "slow/docker"
    docker.parent.mkdir()
    meanwhile = f"{which('docker')} create --name task {name['1.0']} true"
    docker.write_text(f'#!/bin/sh\ncase "$*" in *rm*{name["2.0"]}*) {meanwhile};; esac\nexec {which("docker")} "$@"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:{site.environment['PATH']}"
    done = site.inv("prune", "--keep", "0", "--yes", code=1, PATH=path)
    assert "1.0 stays: a container uses it by now." in done.stdout
    assert "1 of these images could not be removed" in done.stderr
    assert names(site.engine) == {"tests/visdom:1.0", name["1.0"]}


def test_what_a_service_of_a_swarm_names() -> None:
    digest = f"sha256:{'a' * 64}"
    image = ImageRow(f"sha256:{'b' * 64}", "", {}, tags=("tests/visdom:1.0",), digests=(f"10.0.0.1:5000/x@{digest}",))
    for name in (
        image.id,
        "tests/visdom:1.0",
        "docker.io/tests/visdom:1.0",
        f"x:7@{digest}",
        f"10.0.0.1:5000/x@{digest}",
    ):
        assert means(name, image)
    for name in ("", "tests/visdom", "tests/visdom:2.0", f"tests/visdom:1.0@sha256:{'c' * 64}", digest):
        assert not means(name, image)
