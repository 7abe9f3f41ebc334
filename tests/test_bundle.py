"""`bundle` and `unbundle`: a version in a file; what is cut off or altered brings nothing."""

import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import PrivateEngine
from newer import NewerEngine
from shipments import SIZE, holds, image_id, version
from sites import Site
from switches import Run, carry, eventually

REFERENCE = "tests/visdom:2.0"


@pytest.fixture(scope="module")
def made(private_engine: PrivateEngine, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with the versions 1.0 and 2.0 on the tests' own engine, and bundles of 2.0."""
    private_engine.clean()
    site = Site(private_engine, tiny, tmp_path_factory.mktemp("bundle"))
    for tag in ("1.0", "2.0"):
        version(site, tag)
    for name, words in {"part": ["--since", "1.0"], "full": ["--full"]}.items():
        site.inv("bundle", str(site.folder / name), "--tag", "2.0", *words)
    return site


@pytest.fixture(scope="module")
def second(private_engine: PrivateEngine, tiny: str) -> Iterator[PrivateEngine]:
    with PrivateEngine() as engine:
        yield engine


@pytest.fixture
def there(made: Site, second: PrivateEngine) -> PrivateEngine:
    """Another engine, which has what is below the versions."""
    for row in second.api.every_image():
        second.docker("image", "rm", "--force", row.id)
    carry(made.engine, second, "tiny:1")
    return second


def unbundle(site: Site, there: PrivateEngine, file: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    return site.inv("unbundle", file, code=code, DOCKER_HOST=there.host)


def test_a_bundle_holds_what_the_target_lacks_and_brings_the_very_image(made: Site, there: PrivateEngine) -> None:
    part = made.folder / "part"
    assert SIZE < part.stat().st_size <= SIZE * 1.05 + 65536
    said = unbundle(made, there, str(part)).stdout
    assert said.startswith(f"{REFERENCE}: 1 of 2 layers are in the bundle; 2.28 MB in all.\ndocker load < {part}\n")
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE) != ""
    assert "org.opencontainers.image.version  2.0" in " ".join(said.split(" ")).replace("    ", "  ") or "2.0" in said
    assert "building" not in str(holds(there)) and holds(there)[1] == []
    again = unbundle(made, there, str(part)).stdout
    assert again.startswith(f"{REFERENCE} is here already.\n") and "docker load" not in again


def test_what_is_missing_is_said_before_anything_is_loaded(made: Site, there: PrivateEngine) -> None:
    there.docker("image", "rm", "tiny:1")
    told = unbundle(made, there, str(made.folder / "part"), code=1)
    assert told.stdout == ""
    assert told.stderr == (
        f"This bundle needs the lowest 1 of the 2 layers of {REFERENCE}, and this engine has 0 of these. "
        "Load tests/visdom:1.0 first, or make a bundle with --full.\n"
    )
    unbundle(made, there, str(made.folder / "full"))
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)


def test_docker_alone_can_load_one_too(made: Site, there: PrivateEngine) -> None:
    there.docker("load", "--input", str(made.folder / "part"))
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)


def test_through_pipes(made: Site, there: PrivateEngine) -> None:
    words = made.command("bundle", "-", "--tag", "2.0", "--since", "1.0")
    first = subprocess.run(words, env=made.environment, capture_output=True, check=True, cwd=made.folder)
    assert b"docker save" in first.stderr and len(first.stdout) == (made.folder / "part").stat().st_size
    second = subprocess.run(
        made.command("unbundle", "-"),
        env={**made.environment, "DOCKER_HOST": there.host},
        input=first.stdout,
        capture_output=True,
        check=True,
        cwd=made.folder,
    )
    assert b"docker load" in second.stdout and image_id(there, REFERENCE)


@pytest.mark.slow
def test_a_bundle_that_was_cut_or_altered_brings_nothing(made: Site, there: PrivateEngine, tmp_path: Path) -> None:
    whole, before = (made.folder / "part").read_bytes(), holds(there)
    end = whole.rindex(b'"sha256"') + 80
    random.seed(5)
    for case in range(20):
        place = random.randrange(end)
        bad = whole[:place] if case % 2 else whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
        (tmp_path / "bad").write_bytes(bad)
        run = made.start(["unbundle", str(tmp_path / "bad")], {"DOCKER_HOST": there.host})
        _, told = run.communicate()
        code = run.wait()
        padding = not case % 2 and whole[place] == 0 and code == 0  # zeros behind a file are nobody's
        if padding:
            there.docker("image", "rm", REFERENCE)
        else:
            assert code == 1 and "Traceback" not in told and told.count("\n") == 1, (place, told)
        assert holds(there) == before, place


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_behind(made: Site, there: PrivateEngine) -> None:
    version(made, "large", 100_000_000)
    file = str(made.folder / "large")
    run = Run(made, "bundle", file, "--tag", "large", "--full").until("docker save")
    run.signal(signal.SIGINT).end(130)
    assert not [path for path in made.folder.iterdir() if "large" in path.name]
    made.inv("bundle", file, "--tag", "large", "--since", "1.0")
    before = holds(there)
    run = Run(made, "unbundle", file, DOCKER_HOST=there.host).until("docker load")
    run.signal(signal.SIGINT).end(130)
    eventually(lambda: holds(there) == before)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bundle", "x"], 2, "Type either --since TAG, a version that the server has, or --full."),
        (["bundle", "x", "--full", "--since", "1.0"], 2, "Type either --since TAG"),
        (["bundle", "x", "--since", "9", "--tag", "1.0"], 2, "There is no version 9 of tests/visdom. Type --since"),
        (["bundle", "/nowhere/x", "--full", "--tag", "1.0"], 1, "/nowhere/x cannot be written: No such file"),
        (["unbundle", "/nowhere/x"], 2, "/nowhere/x cannot be read: No such file or directory."),
        (["unbundle", "/etc/passwd"], 1, "/etc/passwd: "),
        (["unbundle", "/dev/null"], 1, "/dev/null: "),
    ],
)
def test_a_wrong_word_is_one_sentence(made: Site, words: list[str], code: int, said: str) -> None:
    told = made.inv(*words, code=code).stderr
    assert said in told and told.count("\n") == 1


def test_dry_writes_and_loads_nothing(made: Site, there: PrivateEngine, tmp_path: Path) -> None:
    before = holds(there)
    said = made.inv("--dry", "bundle", str(tmp_path / "x"), "--tag", "2.0", "--full").stdout
    assert said == f"docker save {REFERENCE} > {tmp_path}/x\n" and not [*tmp_path.iterdir()]
    told = made.inv("--dry", "unbundle", str(made.folder / "part"), DOCKER_HOST=there.host).stdout
    assert "docker load <" in told and holds(there) == before


@pytest.mark.slow
def test_both_kinds_of_store_take_one(made: Site, tiny: str) -> None:
    with NewerEngine(containerd=True) as there:
        carry(made.engine, there, tiny)
        for name in ("part", "full"):
            unbundle(made, there, str(made.folder / name))
            found = there.api.image(REFERENCE)
            assert found and found.labels["org.opencontainers.image.version"] == "2.0"
            assert there.docker("run", "--rm", "--network", "none", REFERENCE, "ls", "/srv").stdout == "2.0\n"
            there.docker("image", "rm", REFERENCE)
        unbundle(made, there, str(made.folder / "full"))
        made.inv("bundle", str(made.folder / "back"), "--tag", "2.0", "--full", DOCKER_HOST=there.host)
        made.engine.docker("image", "rm", REFERENCE)
        unbundle(made, made.engine, str(made.folder / "back"))
        assert image_id(made.engine, REFERENCE)
