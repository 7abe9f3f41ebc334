"""Between engines of two versions with two kinds of image store, and images of both builders: each way brings the very
image, and only what is missing."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from engines import PrivateEngine
from newer import NewerEngine
from registries import registry
from relays import Relay
from shipments import SIZE, version
from sites import Site, buildkit
from switches import Run, carry

from tasks.shipping.saved import Blob, Saved
from tasks.shipping.written import INDEX, LAYER, OciArchive

pytestmark = pytest.mark.slow
ALLOWED = SIZE * 1.05 + 65536


class Three(NamedTuple):
    """Docker 20.10, 26.1, and 26.1 with containerd's store."""

    old: PrivateEngine
    new: PrivateEngine
    containerd: PrivateEngine


@pytest.fixture(scope="module")
def three(private_engine: PrivateEngine, tiny: str) -> Iterator[Three]:
    """Engines beside the tests' own, without any image."""
    with PrivateEngine() as old, NewerEngine() as new, NewerEngine(containerd=True) as containerd:
        yield Three(old, new, containerd)


@pytest.fixture
def engines(three: Three, made: Site, tiny: str) -> Three:
    for engine in three:
        for row in engine.api.every_image():
            engine.docker("image", "rm", "--force", row.id)
        carry(made.engine, engine, tiny)
    return three


def arrives(site: Site, there: PrivateEngine, tag: str, source: PrivateEngine, path: str = "") -> int:
    """Ship a version and compare. Returns the bytes that were sent."""
    with Relay(there) as relay:
        said = site.inv(
            "ship", relay.host, "--tag", tag, DOCKER_HOST=source.host, PATH=path + os.environ["PATH"]
        ).stdout
        assert f"{relay.host} has tests/visdom:{tag}: " in said
        assert site.inv("ship", relay.host, "--tag", tag, DOCKER_HOST=source.host).stdout.endswith("already.\n")
    reference = f"tests/visdom:{tag}"
    here, found = (engine.api.image(reference) for engine in (source, there))
    assert here and found and (found.layers, found.labels) == (here.layers, here.labels)
    assert there.api.image_options(reference) == source.api.image_options(reference)
    config = "sha256:" + hashlib.sha256(config_of(there, reference, here.layers)).hexdigest()
    assert config == "sha256:" + hashlib.sha256(config_of(source, reference, here.layers)).hexdigest()
    assert there.docker("run", "--rm", "--network", "none", reference, "ls", f"/srv/{tag}").stdout == f"/srv/{tag}\n"
    assert not [tag for row in there.api.every_image() for tag in row.tags if "building" in tag]
    return relay.sent


def config_of(engine: PrivateEngine, reference: str, layers: tuple[str, ...]) -> bytes:
    saved = Saved(io.BytesIO(save(engine, reference)), layers)
    for _ in saved.parts():
        pass
    return saved.config


def save(engine: PrivateEngine, reference: str) -> bytes:
    return subprocess.run(["docker", "--host", engine.host, "save", reference], check=True, capture_output=True).stdout


PAIRS = [(source, target) for source in Three._fields for target in Three._fields]


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair not in (("old", "old"), ("new", "new"))])
def test_each_engine_takes_from_each_what_it_lacks(made: Site, engines: Three, source: str, target: str) -> None:
    here, there = getattr(engines, source), getattr(engines, target)
    carry(made.engine, here, "tests/visdom:1.0")
    if source != target:
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED
        return
    with NewerEngine(containerd=target == "containerd") as there:
        carry(made.engine, there, "tiny:1")
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED


@pytest.mark.parametrize("store", ["new", "containerd"])
def test_a_base_that_was_pulled_from_a_registry_is_not_sent(
    made: Site, engines: Three, tmp_path: Path, store: str
) -> None:
    """It is compressed there, and in containerd's store its layers have the digests of that."""
    there: PrivateEngine = getattr(engines, store)
    there.docker("image", "rm", "--force", "tiny:1")
    with registry() as host:
        pushed = f"{host}/team/base:1"
        made.engine.docker("tag", "tiny:1", pushed)
        made.engine.docker("push", pushed)
        made.engine.docker("image", "rm", pushed)
        there.docker("pull", index_of(host, "team/base", "1"))
    before = len(there.api.image_ids())
    asking = ""
    if store == "containerd":  # a run that is killed leaves an image that no list shows; the next one takes it away
        run = Run(made, "ship", there.host, "--tag", "1.0").until(" save tests/visdom:digests")
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        asking = run.said.split()[-1]
        assert there.api.image(asking)
    assert SIZE < arrives(made, there, "1.0", made.engine) <= ALLOWED
    assert not asking or not there.api.image(asking)
    bundle = str(tmp_path / "bundle")
    made.inv("bundle", bundle, "--tag", "2.0", "--since", "1.0")
    made.inv("unbundle", bundle, DOCKER_HOST=there.host)
    assert there.docker("run", "--rm", "--network", "none", "tests/visdom:2.0", "ls", "/srv").stdout == "2.0\n"
    assert len(there.api.image_ids()) == before + 2, "nothing stays of what was loaded to ask"


def index_of(host: str, repository: str, tag: str) -> str:
    """Put an index over an image in a registry, as one for several platforms has. Returns its reference."""
    kinds = "application/vnd.docker.distribution.manifest.v2+json"
    address = f"http://{host}/v2/{repository}/manifests"
    manifest = requests.get(f"{address}/{tag}", headers={"Accept": kinds}).content
    part = {
        "mediaType": kinds,
        "digest": f"sha256:{hashlib.sha256(manifest).hexdigest()}",
        "size": len(manifest),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [part]})
    requests.put(f"{address}/index", data=index, headers={"Content-Type": INDEX}).raise_for_status()
    return f"{host}/{repository}:index"


def test_where_digests_are_not_handed_out_all_is_sent_once(made: Site, engines: Three, tmp_path: Path) -> None:
    client, docker = tmp_path / "docker", shutil.which("docker")
    client.write_text(f'#!/bin/sh\ncase "$*" in *" save "*building*) echo; exit 1 ;; esac\nexec {docker} "$@"\n')
    client.chmod(0o755)
    with NewerEngine(containerd=True) as there:
        load_compressed(made.engine, there, "tiny:1")
        for tag, whole in (("1.0", True), ("2.0", False)):
            sent = arrives(made, there, tag, made.engine, f"{tmp_path}:")
            assert (sent > 2_000_000) == whole and (sent <= ALLOWED) != whole


def test_to_a_full_disk_nothing_is_sent_twice(made: Site, engines: Three, tmp_path: Path) -> None:
    client, there = tmp_path / "docker", engines.containerd
    why = f'failed to ingest "blobs/sha256/{64 * "0"}": {200 * "-"}: no space left on device'
    act = f"cat >/dev/null; echo '{why}' >&2; exit 1"
    client.write_text(f'#!/bin/sh\ncase "$*" in *" load") {act} ;; esac\nexec {shutil.which("docker")} "$@"\n')
    client.chmod(0o755)
    done = made.inv("ship", there.host, "--tag", "1.0", code=1, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.stderr == f"{there.host} did not take it: no space left on device.\n"
    assert done.stdout.count(" | docker ") == 1


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_layers_are_sent_to_every_engine(made: Site, engines: Three, kind: str) -> None:
    here = engines.containerd
    load_compressed(made.engine, here, "tests/visdom:1.0", kind)
    for there in (engines.old, engines.new) if kind == "gzip" else (engines.new,):
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED
    if kind == "zstd":
        said = made.inv("ship", engines.old.host, "--tag", "1.0", code=1, DOCKER_HOST=here.host).stderr
        assert "did not take it: " in said and said.endswith(
            "are compressed by zstd, which Docker 23.0 and newer read.\n"
        )
        return
    with NewerEngine(containerd=True) as there:
        load_compressed(made.engine, there, "tiny:1", kind)  # the same digests below
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED


def load_compressed(here: PrivateEngine, there: PrivateEngine, reference: str, kind: str = "gzip") -> None:
    """Bring an image to a containerd store with compressed layers, as a pull does."""
    image = here.api.image(reference)
    assert image
    out = io.BytesIO()
    saved = Saved(io.BytesIO(save(here, reference)), image.layers)
    blobs, files = {}, {}
    for part in saved.parts():
        content = subprocess.run([kind, "-c"], input=part.file.read(), check=True, capture_output=True).stdout
        digest = hashlib.sha256(content).hexdigest()
        blobs[part.layer] = Blob(f"sha256:{digest}", part.layer, f"{LAYER}+{kind}", len(content))
        files[digest] = content
    archive = OciArchive(out, reference, blobs)
    for digest, content in files.items():
        archive.add(f"blobs/sha256/{digest}", content)
    archive.finish(saved)
    words = ["docker", "--host", there.host, "load"]
    subprocess.run(words, input=out.getvalue(), check=True, capture_output=True)


@pytest.mark.parametrize("builder", ["legacy", "buildkit"])
def test_images_of_both_builders(made: Site, engines: Three, builder: str) -> None:
    """With empty layers and the same layer twice."""
    variables = {"DOCKER_BUILDKIT": "0"} if builder == "legacy" else buildkit(made)
    reference = f"tests/visdom:{builder}"
    version(made, "below", 0)
    (made.folder / "context").mkdir(exist_ok=True)
    (made.folder / "context/file").write_bytes(bytes(SIZE))
    (made.folder / "context/Dockerfile").write_text(
        f"FROM tests/visdom:below\nENV A=b\nWORKDIR /srv\nCOPY file {builder}\nRUN true\nCOPY file {builder}\n"
    )
    words = ["docker", "build", "--network", "host", "--tag", reference, str(made.folder / "context")]
    subprocess.run(words, env={**made.environment, **variables}, check=True, capture_output=True)
    for there in engines:
        arrives(made, there, builder, made.engine)


def test_five_hosts_at_once_share_a_docker_save_if_they_lack_the_same(
    made: Site, engines: Three, tmp_path: Path
) -> None:
    client, asked = tmp_path / "docker", tmp_path / "asked"
    client.write_text(f'#!/bin/sh\necho "$*" >>{asked}\nexec {shutil.which("docker")} "$@"\n')
    client.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with PrivateEngine() as fourth, NewerEngine(containerd=True) as fifth:
        hosts = [*engines, fourth, fifth]
        carry(made.engine, fourth, "tiny:1")  # the fifth has nothing
        said = made.inv("ship", *(engine.host for engine in hosts), "--tag", "2.0", "--jobs", "5", PATH=path).stdout
        assert asked.read_text().splitlines().count("save tests/visdom:2.0") == 2, "the fifth has one of its own"
        rows = [line.split() for line in said.splitlines()[-5:]]
        assert [row[1] for row in rows] == ["shipped"] * 5
        assert [row[2] for row in rows[:4]] == ["317", "317", "338", "317"], "containerd's store was asked for digests"
        for engine in hosts:
            found = engine.api.image("tests/visdom:2.0")
            assert found and found.labels["org.opencontainers.image.version"] == "2.0"
