"""Whether two containers are run alike: one that runs, by hand with --rm, and one that was only created."""

from collections.abc import Iterator

import pytest
from engines import PrivateEngine

PORTS = ["--publish", "127.0.0.1:18555:80", "--expose", "81"]
ALIKE = {
    "nothing": [],
    "on a bridge": PORTS,
    "in a network": ["--network", "inv-alike", "--network-alias", "web"],
    "on the host": ["--network", "host", "--init", "--runtime", "nvidia"],
    "mounts": ["--volume", "a:/a", "--volume", "/tmp:/b:ro", "--mount", "type=tmpfs,target=/c", "--volume", "/d"],
    "limits": ["--memory", "1g", "--shm-size", "64m", "--ulimit", "nofile=99", "--stop-timeout", "3"],
    "words": ["--env", "A=1", "--env", "B=2", "--hostname", "x", "--user", "1", "--workdir", "/tmp", "--label", "a=b"],
    "health": ["--health-cmd", "true", "--health-interval", "3s", "--cap-add", "SYS_TIME", "--add-host", "a:1.2.3.4"],
}


@pytest.fixture
def network(engine: PrivateEngine, tiny: str) -> Iterator[PrivateEngine]:
    engine.docker("network", "create", "inv-alike")
    yield engine
    engine.remove_containers()
    engine.docker("network", "rm", "inv-alike")


@pytest.mark.parametrize("kind", ALIKE)
def test_the_same_options_make_the_same_container(network: PrivateEngine, kind: str) -> None:
    options = ALIKE[kind]
    network.docker("run", "--rm", "--detach", "--name", "one", *options, "tiny:1", "sleep", "1000")
    network.docker("create", "--restart", "always", "--name", "other", *options, "tiny:1", "sleep", "1000")
    assert network.api.unlike("one", "other") == []


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        (["--network", "inv-alike", "--network-alias", "www"], "Networks.inv-alike"),
        (["--network", "host"], "Config.Hostname HostConfig.NetworkMode Networks.host Networks.inv-alike"),
        (["--publish", "80:80"], "Config.ExposedPorts HostConfig.NetworkMode HostConfig.PortBindings"),
        (["--hostname", "x", "--network", "inv-alike", "--network-alias", "web"], "Config.Hostname"),
    ],
)
def test_what_differs_is_named(network: PrivateEngine, options: list[str], differing: str) -> None:
    network.docker("create", "--name", "one", *ALIKE["in a network"], "tiny:1", "true")
    network.docker("create", "--name", "other", *options, "tiny:1", "true")
    assert set(differing.split()) <= set(network.api.unlike("one", "other"))
    network.docker("rm", "other")
    assert network.api.unlike("one", "other") == ["Id"]
