"""What customers run from the service's images, through all that is done to the service: it stays as it is."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
from sites import WIDE, Site, free_port
from switches import Run
from versions import SERVE, make

VERSIONS: dict[str, dict[str, str]] = {
    **{tag: {} for tag in ("1.0", "2.0", "3.0")},
    "mute": {"script": "exec sleep 1000"},
}
SLEEP = ["sleep", "1000"]
ALWAYS = {"RestartPolicy": {"Name": "always"}}
LOOPING = "looping"  # one whose state changes by itself
LOOK = "{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.HostConfig.RestartPolicy.Name}} {{.Image}}"


@pytest.fixture
def site(versions: Site) -> Site:
    """The site, under the name by which the module `versions` is not hidden."""
    return versions


def customers(site: Site) -> None:
    """Start what customers run from the image of 1.0, and a second service, which has a version to go back to."""
    container, image = site.engine.container, "tests/visdom:1.0"
    container("train", image, SLEEP)
    container("train_rm", image, SLEEP, {"AutoRemove": True})
    container("notebook", image, SLEEP, ALWAYS)
    container(LOOPING, image, ["sh", "-c", "exit 1"], ALWAYS)
    container("ended", image, ["true"])
    site.docker("run", "-dit", "--network", "host", "--name", "shell", image, "sh")
    site.docker("commit", "tests_service", "debug:1")  # the copy carries the labels of the service's container
    container("debug", "debug:1", SLEEP)
    first, port = dict(site.frame), free_port()
    site.frame.update(service="second", port=port, command=["sh", "-c", SERVE.format(port=port)])
    site.save()
    for tag in ("2.0", "1.0"):
        site.inv("start", "--tag", tag, "--from-settings", "--no-rehearsal")
    site.frame.update(first)
    site.save()


def bystanders(site: Site) -> dict[str, Any]:
    """Every container that is not the site's service, by name: its id, state, when it was started, and more."""
    names = [row["Names"][0][1:] for row in site.engine.request("GET", "/containers/json?all=1")]
    others = [name for name in names if not name.startswith("tests_service")]
    return {name: site.docker("inspect", "--format", "{{.Id}}" if name == LOOPING else LOOK, name) for name in others}


# Each act, in this order; the service is afterwards as its assertions say.


def nothing_to_do(site: Site) -> None:
    assert "1.0 is already running" in site.inv("start", "--tag", "1.0").stdout


def upgrade(site: Site) -> None:
    assert "before: 1.0;" in site.inv("start", "--tag", "2.0").stdout


def failure_in_the_rehearsal(site: Site) -> None:
    site.set(timeout=3)
    assert "2.0 runs as before." in site.inv("start", "--tag", "mute", code=1).stderr


def failure(site: Site) -> None:
    assert "2.0 runs as before." in site.inv("start", "--tag", "mute", "--no-rehearsal", code=1).stderr
    site.set(timeout=WIDE)


def rollback(site: Site) -> None:
    assert "1.0 runs as tests_service; before: 2.0;" in site.inv("rollback").stdout


def cut_off(site: Site) -> None:
    run = Run(site, "start", "--tag", "mute", "--no-rehearsal").until("starting")
    run.signal(signal.SIGKILL).end(-signal.SIGKILL)


def recovery_and_pruning_of_containers(site: Site) -> None:
    site.set(keep=0)
    done = site.inv("start", "--tag", "3.0", "--no-rehearsal")
    assert "1.0 runs as before." in done.stdout and "before: 1.0;" in done.stdout
    assert site.docker("ps", "--all", "--filter", "name=tests_service", "--format", "{{.Names}}") == "tests_service"


def pruning_of_images(site: Site) -> None:
    make(site, "unused", extra="WORKDIR /unused")  # without a layer of its own, debug:1 would stand on it
    assert "Removed 1 version." in site.inv("prune", "--keep", "0", "--yes").stdout
    assert "unused" not in site.docker("image", "ls", "--format", "{{.Tag}}", "tests/visdom")


def stop(site: Site) -> None:
    assert "tests_service is stopped." in site.inv("stop").stdout
    assert not {name for name in site.running() if name.startswith("tests_service")}


def start_again(site: Site) -> None:
    assert "3.0 runs as tests_service" in site.inv("start", "--tag", "3.0").stdout


ACTS: list[Callable[[Site], None]] = [
    nothing_to_do,
    upgrade,
    failure_in_the_rehearsal,
    failure,
    rollback,
    cut_off,
    recovery_and_pruning_of_containers,
    pruning_of_images,
    stop,
    start_again,
]


@pytest.mark.slow
def test_nothing_that_is_done_to_a_service_touches_what_customers_run_from_its_images(site: Site) -> None:
    site.inv("start", "--tag", "1.0")
    customers(site)
    before = bystanders(site)
    kinds = {"train", "train_rm", "notebook", LOOPING, "ended", "shell", "debug", "second", "second.2.0"}
    assert before.keys() == kinds
    assert {name for name in kinds if " running " in before[name]} == kinds - {LOOPING, "ended", "second.2.0"}
    for act in ACTS:
        act(site)
        assert bystanders(site) == before, act.__name__
    site.docker("image", "rm", "--force", "debug:1")
