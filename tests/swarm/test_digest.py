"""A swarm whose nodes have image stores of both kinds, which call one image by two ids: the registry's digest does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import Site
from swarms import Swarm
from switches import carry, eventually
from versions import make_all

pytestmark = pytest.mark.slow

# Published, in each node's own bridge.
GOOD = {"options": ["--publish", "{port}:{port}", "--init", "--restart", "always", "--stop-timeout", "1"]}


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    with Swarm(2, mixed=True) as found:
        yield found


def test_what_rollouts_fetched_goes_in_its_turn_and_not_what_a_service_goes_back_to(
    swarm: Swarm, tmp_path: Path
) -> None:
    # Before the other test: Docker 26 with containerd's store lists no image that shares a layer with a loaded one.
    worker = swarm.engines[1]
    site = Site(swarm.manager, swarm.manager.busybox(), tmp_path)
    make_all(site, {"1.0": GOOD, "2.0": GOOD, "3.0": GOOD})
    swarm.serve_registry()
    site.settings["registry"] = swarm.registry
    site.set(timeout=20, settle=0.2)
    name = {}
    for tag in ("1.0", "2.0", "3.0"):
        (digest,) = re.findall("as (sha256:[0-9a-f]{64})", site.inv("push", "--tag", tag).stdout)
        name[tag] = f"{swarm.registry}/tests/visdom@{digest}"
    for engine in swarm.engines:
        engine.docker("pull", name["1.0"])  # as an earlier rollout did
    for tag in ("2.0", "3.0"):
        site.inv("rollout", "--tag", tag, "--digest", name[tag].partition("@")[2])
    for engine in swarm.engines:  # Swarm itself takes away the containers of all but the last versions
        engine.docker("container", "prune", "--force")

    done = site.inv("prune", "--keep", "0", "--yes").stdout
    assert re.search("3.0 +used by tests_service_frame", done)
    assert (
        re.search("2.0 +the swarm's tests_service_frame goes back to it", done) and "cannot ask its swarm" not in done
    )
    found = json.loads(site.inv("images", "--json").stdout)["versions"]
    assert [(one["tag"], one["digests"]) for one in found] == [(tag, [name[tag]]) for tag in ("3.0", "2.0")]

    done = site.inv("prune", "--keep", "1", "--yes", DOCKER_HOST=worker.host).stdout
    assert "cannot ask its swarm" in done and "the newest stays (--keep)" in done
    found = json.loads(site.inv("images", "--json", DOCKER_HOST=worker.host).stdout)["versions"]
    assert [(one["tag"], one["tagged"], one["digests"]) for one in found] == [("3.0", False, [name["3.0"]])]
    said = site.inv("labels", "--tag", "3.0", code=2, DOCKER_HOST=worker.host).stderr
    assert f"To give one its tag, type: docker image tag {name['3.0']} tests/visdom:3.0" in said

    site.inv("rollout", "--rollback")
    running = json.loads(site.inv("rollout", "--status", "--json").stdout)["nodes"]
    assert [(node["version"], node["image"]) for node in running] == 2 * [("2.0", name["2.0"])]
    site.inv("rollout", "--remove", "--yes")


def test_each_node_fetches_what_a_digest_names_whatever_store_it_has(swarm: Swarm, tmp_path: Path) -> None:
    site = Site(swarm.manager, swarm.manager.busybox(), tmp_path)
    make_all(site, {"1.0": GOOD, "2.0": GOOD})
    for tag in ("1.0", "2.0"):
        carry(swarm.manager, swarm.engines[1], f"tests/visdom:{tag}")
    swarm.serve_registry()
    site.settings["registry"] = swarm.registry
    site.set(timeout=20, settle=0.2)
    refused = site.inv("rollout", "--tag", "1.0", code=1).stderr
    assert "n2: No such image: sha256:" in refused and "an id is another one in the other kind" in refused

    said = site.inv("push", "--tag", "1.0").stdout
    found = re.search("is in the registry, as (sha256:[0-9a-f]{64})", said)
    assert found and said.endswith(f" rollout --tag 1.0 --digest {found[1]}\n")
    digest = found[1]
    assert "is no digest" in site.inv("rollout", "--tag", "2.0", "--digest", "latest", code=2).stderr
    other = site.inv("rollout", "--tag", "2.0", "--digest", digest, code=1).stderr
    assert "is another image than tests/visdom:2.0" in other
    site.inv("rollout", "--tag", "1.0", "--digest", digest)
    running = json.loads(site.inv("rollout", "--status", "--json").stdout)["nodes"]
    name = f"{swarm.registry}/tests/visdom@{digest}"
    assert [(node["version"], node["image"]) for node in running] == 2 * [("1.0", name)]

    for client in swarm.clients(site.port):
        assert {"1.0"} == {one.said for one in client.end() if one.said}
    assert "tests_service_default" not in site.docker("network", "ls", "--format", "{{.Name}}").split()

    # A manager of the other kind has the image by another id than the registry's digest.
    swarm.manager.docker("node", "promote", swarm.nodes[1])
    newer = swarm.engines[1]
    eventually(lambda: bool(newer.request("GET", "/info")["Swarm"]["ControlAvailable"]), 60)
    said = site.inv("rollout", "--tag", "1.0", "--digest", digest, DOCKER_HOST=newer.host).stdout
    assert "1.0 runs on each of the 2 nodes already." in said
    other = site.inv("rollout", "--tag", "2.0", "--digest", digest, code=1, DOCKER_HOST=newer.host).stderr
    assert "is another image" in other
