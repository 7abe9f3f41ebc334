"""`ship`: a version on other engines; what each lacks is sent and nothing else, and none is left with half of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from engines import PrivateEngine
from images import like, load
from relays import Relay
from shipments import SIZE, holds, image_id, version
from sites import Site
from switches import Run, eventually

REFERENCE = "tests/visdom:1.0"
ALLOWED = SIZE * 1.05 + 65536  # bytes on the wire


def test_what_a_host_lacks_is_sent_and_nothing_else(made: Site, there: PrivateEngine) -> None:
    with Relay(there) as relay:
        said = made.inv("ship", relay.host, "--tag", "1.0").stdout
        assert SIZE < relay.sent <= ALLOWED
        assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE) != ""
        assert f"{relay.host} lacks 1 of the 2 layers of {REFERENCE}" in said
        assert f"docker save {REFERENCE} | docker --host {relay.host} load" in said
        assert re.search(rf"{relay.host} has {REFERENCE}: 3\d\d kB sent, .* a second, 2 MB left out\.", said)
        images, containers, _ = holds(there)
        assert containers == [] and "building" not in str(images)
        sent = relay.sent
        again = made.inv("ship", relay.host, "--tag", "1.0").stdout
        assert again == f"{relay.host} has {REFERENCE} already.\n" and relay.sent == sent


def test_dry_prints_what_would_be_done(made: Site, there: PrivateEngine) -> None:
    before = holds(there)
    said = made.inv("--dry", "ship", there.host, "--tag", "1.0").stdout.splitlines()
    assert said[0] == f"{there.host} lacks 1 of the 2 layers of {REFERENCE}, of 2.28 MB in all."
    assert said[1] == f"docker save {REFERENCE} | docker --host {there.host} load"
    assert [line.split()[3] for line in said[2:]] == ["create", "rm", "image", "image"]
    assert holds(there) == before


def test_an_empty_engine_gets_all_and_is_told_so(made: Site) -> None:
    with PrivateEngine() as empty:
        said = made.inv("ship", empty.host, "--tag", "1.0").stdout
        assert f"{empty.host} has none of the 2 layers of {REFERENCE}: all 2.28 MB are sent." in said
        assert image_id(empty, REFERENCE) == image_id(made.engine, REFERENCE)
        # only the common beginning counts: the layer of another version does not help
        assert "lacks 1 of the 2 layers" in made.inv("ship", empty.host, "--tag", "2.0").stdout


def test_another_image_of_that_name_loses_it(made: Site, there: PrivateEngine) -> None:
    load(there, {REFERENCE: like(there, "tiny:1", Labels={"org.label-schema.name": "tests/visdom"})})
    other = image_id(there, REFERENCE)
    assert (
        "Another image is called so there, and loses that name." in made.inv("ship", there.host, "--tag", "1.0").stdout
    )
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)
    assert there.api.image(other)


def test_an_image_that_says_nothing_of_itself_is_no_obstacle(made: Site, there: PrivateEngine) -> None:
    """One that no Docker has made may have no configuration for its containers."""
    load(there, {"customers/own:1": {key: value for key, value in like(there, "tiny:1").items() if key != "config"}})
    made.inv("ship", there.host, "--tag", "1.0")
    made.inv("prune", "--yes", DOCKER_HOST=there.host)
    assert there.docker("image", "inspect", "--format", "{{json .Config}}", "customers/own:1").stdout == "null\n"
    there.docker("image", "rm", "customers/own:1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--tag", "1.0"], "There is no docker context nowhere. See: docker context ls"),
        (["root@gpu1", "--tag", "1.0"], "root@gpu1 is no docker context. As an address, type: ssh://root@gpu1"),
        (["ssh://u@h:bad", "--tag", "1.0"], "HOST names 'ssh://u@h:bad', which is no address."),
        (["ssh://ann:secret@h", "--tag", "1.0"], "HOST holds a password, which docker does not take."),
        (["ssh://ann@", "--tag", "1.0"], "HOST names 'ssh://ann@', in which there is no host."),
        (["default", "--tag", "9"], "There is no version 9 of tests/visdom. Type --tag with one of:"),
        ([",", "--tag", "1.0"], "Name a host: a docker context, or an address"),
        (["default", "--jobs", "0"], "--jobs needs a number from 1 up."),
        (["default", "--trust"], "--from-settings and --trust go with --start or --back."),
    ],
)
def test_a_wrong_word_is_one_sentence(made: Site, words: list[str], said: str) -> None:
    told = made.inv("ship", *words, code=2).stderr
    assert said in told and told.count("\n") == 1 and "secret" not in told


def test_each_host_has_an_outcome_of_its_own(made: Site, there: PrivateEngine) -> None:
    done = made.inv("ship", there.host, "unix:///nowhere", "--tag", "1.0", code=1)
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)
    rows = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert rows[0] == ["host", "outcome", "sent", "left", "out", "time"]
    assert rows[1][:2] == [there.host, "shipped"] and rows[2] == ["unix:///nowhere", "not", "asked"]
    assert done.stderr.startswith("The Docker Engine at unix:///nowhere does not answer")
    assert "does not answer" not in done.stdout  # it is said once
    again = made.inv("ship", f"{there.host},unix:///nowhere", "--tag", "1.0", code=1).stdout
    assert "docker save" not in again and f"{there.host}  was there" in again
    rows = json.loads(made.inv("ship", there.host, "unix:///nowhere", "--tag", "1.0", "--json", code=1).stdout)["hosts"]
    assert [(row["image"], row["sent"], row["service"]) for row in rows] == [
        ("was there", 0, None),
        ("not asked", 0, None),
    ]
    assert rows[1]["error"].startswith("The Docker Engine at unix:///nowhere does not answer")
    done = made.inv("ship", there.host, "unix:///nowhere", "--tag", "1.0", "--start", code=1)
    assert done.stderr.endswith("\nNothing was started on any host.\n")


def test_a_context_is_a_host(made: Site, there: PrivateEngine, tmp_path: Path) -> None:
    own: dict[str, Any] = {"DOCKER_CONFIG": str(tmp_path)}
    made.engine.docker("--config", str(tmp_path), "context", "create", "gpu1", "--docker", f"host={there.host}")
    said = made.inv("ship", "--tag", "1.0", "gpu1", **own).stdout
    assert f"docker save {REFERENCE} | docker --context gpu1 load" in said
    assert image_id(there, REFERENCE)


@pytest.mark.slow
def test_a_stream_that_is_cut_leaves_the_host_as_it_was(made: Site, there: PrivateEngine) -> None:
    before = holds(there)
    for cut in [*range(2048, SIZE, SIZE // 18), SIZE + 3000, SIZE + 9000]:
        with Relay(there, cut) as relay:
            said = made.inv("ship", relay.host, "--tag", "1.0", code=1).stderr
            assert said.startswith(f"{relay.host} did not take it: ") and said.count("\n") == 1
            assert holds(there) == before, cut
    made.inv("ship", there.host, "--tag", "1.0")
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)


def test_what_a_killed_run_left_is_taken_away_by_one_on_another_day(made: Site, there: PrivateEngine) -> None:
    before, old, other = holds(there), "0a1b2c3d00000000", f"{int(time.time()):08x}00000000"
    builds = "tests/visdom:0.9.building-0a1b2c3d"
    there.docker("tag", "tiny:1", builds)
    for key in (old, other):
        there.docker("tag", "tiny:1", left := f"tests/visdom:0.9.building-{key}")
        there.docker("create", "--name", f"inv-ship-{key}", "--network", "none", left, "true")
    there.container("inv-ship-1a1b2c3d00000000", "tiny:1", ["sleep", "1000"])  # somebody's
    made.inv("ship", there.host, "--tag", "1.0")
    assert {row.name for row in there.api.containers()} == {f"inv-ship-{other}", "inv-ship-1a1b2c3d00000000"}
    tags = [f"tests/visdom:0.9.building-{other}", builds, REFERENCE]
    assert {tag for row in there.api.every_image() for tag in row.tags} == {"tiny:1", *tags}
    there.remove_containers()
    there.docker("image", "rm", *tags)
    assert holds(there) == before


@pytest.mark.parametrize("size", [30_000_000, 1_000_000])
def test_an_interrupt_leaves_nothing_behind(made: Site, there: PrivateEngine, size: int) -> None:
    """In the middle; and when all is written, and lies in buffers on the way to the engine."""
    version(made, "large", size)
    before = holds(there)
    with Relay(there, pause=0.05) as relay:
        run = Run(made, "ship", relay.host, "--tag", "large").until("docker save")
        processes = psutil.Process(run.process.pid)
        while relay.sent < 300_000:
            assert run.process.poll() is None
        children = [child for child in processes.children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
        assert "load" in {word for child in children for word in child.cmdline()}
        assert "Stopped." in run.signal(signal.SIGINT).end(130)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        eventually(lambda: holds(there) == before)
    assert holds(there) == before


@pytest.mark.parametrize("task", ["ship", "unbundle"])
@pytest.mark.parametrize(
    "at",
    [
        """*" create "*) trap '' INT; {docker} "$@"; kill -INT 0; exit 1""",  # it is made, but its end is not known
        '*" rm inv-ship"*) ! mkdir {once} || kill -INT 0',  # docker's client gets it too
        '*" image rm "*) ! mkdir {once} || kill -INT 0',
    ],
)
def test_an_interrupt_in_the_end_leaves_nothing_behind(
    made: Site, there: PrivateEngine, tmp_path: Path, at: str, task: str
) -> None:
    client, docker, bundle = tmp_path / "docker", shutil.which("docker"), str(tmp_path / "bundle")
    act = at.format(docker=docker, once=tmp_path / "once")
    client.write_text(f'#!/bin/sh\ncase " $* " in {act} ;; esac\nexec {docker} "$@"\n')
    client.chmod(0o755)
    before, words = holds(there), ["ship", there.host, "--tag", "1.0"]
    more = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    if task == "unbundle":
        made.inv("bundle", bundle, "--tag", "1.0", "--since", "2.0")
        words, more = ["unbundle", bundle], {**more, "DOCKER_HOST": there.host}
    made.inv(*words, code=130, **more)
    if "image rm" in at:  # it has its own name already
        there.docker("image", "rm", REFERENCE)
    assert holds(there) == before


def test_another_image_that_got_the_name_meanwhile_is_told_of(made: Site, there: PrivateEngine, tmp_path: Path) -> None:
    client, docker = tmp_path / "docker", shutil.which("docker")
    other = f"{docker} --host {there.host} tag tiny:1 {REFERENCE}"
    client.write_text(f'#!/bin/sh\n[ "$3" != create ] || {other}\nexec {docker} "$@"\n')
    client.chmod(0o755)
    said = made.inv("ship", there.host, "--tag", "1.0", PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    assert f"{there.host}: somebody has called another image {REFERENCE} meanwhile; it loses that name." in said
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)


@pytest.mark.parametrize(
    ("save", "said"),
    [
        ('echo "no such thing" >&2; exit 1', "cannot be read from this engine: no such thing"),
        ('{docker} "$@" | head -c 200000; echo "it died" >&2; exit 1', "cannot be read from this engine: it died"),
        ('{docker} "$@" | head -c 200000', "is cut off or damaged"),
        ("true", "The image's archive"),
        ("echo nonsense", "The image's archive"),
        ("{docker} save tests/visdom:2.0", "holds other layers than the image"),
    ],
)
def test_an_image_that_cannot_be_read_here_is_one_sentence(
    made: Site, there: PrivateEngine, tmp_path: Path, save: str, said: str
) -> None:
    client, docker = tmp_path / "docker", shutil.which("docker")
    act = save.format(docker=docker)
    client.write_text(f'#!/bin/sh\nif [ "$1" = save ]; then {act}; exit; fi\nexec {docker} "$@"\n')
    client.chmod(0o755)
    before = holds(there)
    path = f"{tmp_path}:{os.environ['PATH']}"
    told = made.inv("ship", there.host, "--tag", "1.0", code=1, PATH=path).stderr
    assert said in told and told.count("\n") == 1
    assert holds(there) == before


@pytest.mark.slow
def test_a_large_image_takes_no_more_memory_than_a_small_one(made: Site, there: PrivateEngine) -> None:
    peaks = {"small": 0, "huge": 0}
    for tag, size in (("small", 1_000_000), ("huge", 80_000_000)):
        version(made, tag, size)
        words = made.command("ship", there.host, "--tag", tag)
        with subprocess.Popen(words, env=made.environment, cwd=made.folder, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text()):
                    peaks[tag] = int(found[1])
        assert process.returncode == 0
    assert 10_000 < peaks["huge"] < peaks["small"] + 10_000, peaks
