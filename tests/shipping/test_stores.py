"""Between engines of two versions with two kinds of image store, and images of both builders: each way brings the very
image, and only what is missing."""

import gzip
import hashlib
import io
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from engines import PrivateEngine
from newer import NewerEngine
from relays import Relay
from shipments import SIZE, version
from sites import Site, buildkit
from switches import carry

from tasks.shipping.saved import Blob, Saved
from tasks.shipping.written import LAYER, OciArchive

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


def arrives(site: Site, there: PrivateEngine, tag: str, source: PrivateEngine) -> int:
    """Ship a version and compare. Returns the bytes that were sent."""
    with Relay(there) as relay:
        said = site.inv("ship", relay.host, "--tag", tag, DOCKER_HOST=source.host).stdout
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


def test_layers_under_other_digests_are_found_out_and_all_is_sent_once(made: Site, engines: Three) -> None:
    """As with a base that was pulled from a registry: compressed."""
    with NewerEngine(containerd=True) as there:
        load_compressed(made.engine, there, "tiny:1")
        for tag, whole in (("1.0", True), ("2.0", False)):
            sent = arrives(made, there, tag, made.engine)
            assert (sent > 2_000_000) == whole and (sent <= ALLOWED) != whole


def test_compressed_layers_are_sent_to_every_engine(made: Site, engines: Three) -> None:
    here = engines.containerd
    load_compressed(made.engine, here, "tests/visdom:1.0")
    for there in (engines.old, engines.new):
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED
    with NewerEngine(containerd=True) as there:
        load_compressed(made.engine, there, "tiny:1")  # the same digests below
        assert SIZE < arrives(made, there, "1.0", here) <= ALLOWED


def load_compressed(here: PrivateEngine, there: PrivateEngine, reference: str) -> None:
    """Bring an image to a containerd store with compressed layers, as a pull does."""
    image = here.api.image(reference)
    assert image
    out = io.BytesIO()
    saved = Saved(io.BytesIO(save(here, reference)), image.layers)
    blobs, files = {}, {}
    for part in saved.parts():
        content = gzip.compress(part.file.read(), mtime=0)
        digest = hashlib.sha256(content).hexdigest()
        blobs[part.layer] = Blob(f"sha256:{digest}", part.layer, f"{LAYER}+gzip", len(content))
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


def test_five_hosts_at_once(made: Site, engines: Three) -> None:
    with PrivateEngine() as fourth, NewerEngine(containerd=True) as fifth:
        hosts = [*engines, fourth, fifth]
        carry(made.engine, fourth, "tiny:1")  # the fifth has nothing
        said = made.inv("ship", *(engine.host for engine in hosts), "--tag", "2.0", "--jobs", "5").stdout
        rows = [line.split() for line in said.splitlines()[-5:]]
        assert [row[1] for row in rows] == ["shipped"] * 5
        assert [row[2] for row in rows[:4]] == ["317"] * 4
        for engine in hosts:
            found = engine.api.image("tests/visdom:2.0")
            assert found and found.labels["org.opencontainers.image.version"] == "2.0"
