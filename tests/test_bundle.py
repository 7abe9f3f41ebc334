"""`bundle` and `unbundle`: a version in a file; what is cut off or altered brings nothing."""

import hashlib
import io
import json
import os
import random
import re
import signal
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engines import PrivateEngine
from newer import NewerEngine
from shipments import SIZE, holds, image_id, version
from sites import Site
from switches import Run, carry, eventually

from tasks.shipping.saved import Damaged
from tasks.shipping.unbundle import Opened

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
    cut = made.folder / "cut"
    cut.write_bytes(part.read_bytes()[:-20_000])
    assert "cut off" in unbundle(made, there, str(cut), code=1).stderr, "the file is told of all the same"


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
    Run(made, "bundle", file, "--tag", "large", "--full").until("docker save").signal(signal.SIGKILL).end(-9)
    made.inv("bundle", file, "--tag", "large", "--since", "1.0")
    assert [path.name for path in made.folder.iterdir() if "large" in path.name] == ["large"], "the killed one's too"
    run = Run(made, "unbundle", file, DOCKER_HOST=there.host).until("docker load")
    run.signal(signal.SIGINT).end(130)
    eventually(lambda: holds(there) == before)


Files = dict[str, bytes]
CONFIG = re.compile("[0-9a-f]{64}[.]json")


def taken_apart(file: Path) -> Files:
    """What is in a bundle, but for the check sum."""
    with tarfile.open(file) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    return {name: content for name, content in found.items() if name != "bundle.end.json"}


def put_together(files: Files, sizes: Mapping[str, int] = {}, kinds: Mapping[str, bytes] = {}) -> bytes:
    """A bundle of these files with a check sum that is right. `kinds`: those that are no files for tar, by name."""
    out, total = io.BytesIO(), hashlib.sha256()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kinds.get(name, tarfile.REGTYPE)
            tar.addfile(entry, io.BytesIO(content))
            total.update(json.dumps([name, len(content)]).encode() + content)
        total.update(json.dumps(sorted(sizes.items())).encode())
        end = json.dumps({"sizes": sizes, "sha256": total.hexdigest()}).encode()
        entry = tarfile.TarInfo("bundle.end.json")
        entry.size = len(end)
        tar.addfile(entry, io.BytesIO(end))
    return out.getvalue()


def with_(files: Files, name: str, **fields: Any) -> Files:
    """The same with some fields of a document changed."""
    return {**files, name: json.dumps({**json.loads(files[name]), **fields}).encode()}


def test_a_bundle_that_somebody_has_made_up_is_refused_in_one_sentence(
    made: Site, there: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.shipping.saved.MOST", 100)
    monkeypatch.setattr("tasks.shipping.saved.ALL_SMALL", 1 << 19)
    good = taken_apart(made.folder / "part")
    config = next(name for name in good if CONFIG.fullmatch(name))
    deep, large = b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", bytes(5 << 20)
    first = "bundle.json"
    cases: list[tuple[str, bytes]] = [
        ("is no bundle", put_together(good, kinds={first: tarfile.DIRTYPE})),
        ("is no bundle", put_together(good, kinds={first: tarfile.CHRTYPE})),
        ("damaged at its beginning", put_together({**good, first: deep})),
        ("damaged at its beginning", put_together(with_(good, first, needs=-1))),
        ("damaged at its beginning", put_together(with_(good, first, layers=["../x", "../y"]))),
        ("needs more layers than", put_together(with_(good, first, needs=9))),
        ("docker does not take", put_together(with_(good, first, reference="sha256:" + "a" * 64))),
        ("does not say what is in it", put_together({**good, "manifest.json": deep})),
        ("does not say what is in it", put_together({**good, config: deep})),
        ("its image is none", put_together(with_(good, config, config={"Env": 5}))),
        ("its image is none", put_together({**good, config: good[config][:-1] + b',"x":"\\ud800"}'})),
        *(
            ("puts into none", put_together({first: good[first], name: large, **good}))
            for name in ("../../x", "../layer.tar")
        ),
        ("puts into none", put_together({**good, "x": b""}, kinds={"x": tarfile.GNUTYPE_SPARSE})),
        ("puts into none", put_together({**good, "x": large}, kinds={"x": tarfile.GNUTYPE_LONGNAME})),
        ("puts into none", put_together({**good, **{f"{number}": b"" for number in range(101)}})),
        ("puts into none", put_together({**good, **{f"{number}": bytes(1 << 16) for number in range(9)}})),
        ("follows behind", put_together(good) * 2),
    ]
    for said, content in cases:
        with pytest.raises(Damaged) as refused:
            [*Opened(io.BytesIO(content)).parts()]
        assert said in str(refused.value.message), said
    before = holds(there)
    for said, content in (cases[0], cases[-1]):
        (tmp_path / "bad").write_bytes(content)
        told = unbundle(made, there, str(tmp_path / "bad"), code=1).stderr
        assert said in told and told.count("\n") == 1 and told.endswith(" Nothing was loaded.\n"), told
    assert holds(there) == before
    (tmp_path / "good").write_bytes(put_together(good))
    unbundle(made, there, str(tmp_path / "good"))
    assert image_id(there, REFERENCE) == image_id(made.engine, REFERENCE)


def test_what_is_no_file_is_written_into_and_not_replaced(made: Site, tmp_path: Path) -> None:
    """`inv bundle /dev/null` must not cost the machine its /dev/null."""
    size = (made.folder / "part").stat().st_size
    device, full, pipe, link = (tmp_path / name for name in ("null", "full", "pipe", "link"))
    words = ["--tag", "2.0", "--since", "1.0"]
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    made.inv("bundle", str(device), *words)
    os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
    assert (
        made.inv("bundle", str(full), *words, code=1).stderr == f"{full} cannot be written: No space left on device.\n"
    )
    assert device.is_char_device() and full.is_char_device()
    os.mkfifo(pipe)
    with subprocess.Popen(f"wc -c < {pipe}", shell=True, stdout=subprocess.PIPE) as reader:
        made.inv("bundle", str(pipe), *words)
        assert reader.stdout and int(reader.stdout.read()) == size
    assert pipe.is_fifo()
    link.symlink_to("target")
    made.inv("bundle", str(link), *words)
    assert link.is_symlink() and (tmp_path / "target").stat().st_size == size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "link", "null", "pipe", "target"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["bundle", "", "--full", "--tag", "1.0"], 2, "Name a file to write, or - for standard output."),
        (["bundle", ".", "--full", "--tag", "1.0"], 1, ". cannot be written: Is a directory."),
        (["bundle", "/", "--full", "--tag", "1.0"], 1, "/ cannot be written: Is a directory."),
        (["bundle", "x"], 2, "Type either --since TAG, a version that the server has, or --full."),
        (["bundle", "x", "--full", "--since", "1.0"], 2, "Type either --since TAG"),
        (["bundle", "x", "--since", "9", "--tag", "1.0"], 2, "There is no version 9 of tests/visdom. Type --since"),
        (["bundle", "/nowhere/x", "--full", "--tag", "1.0"], 1, "/nowhere/x cannot be written: No such file"),
        (["unbundle", "/nowhere/x"], 2, "/nowhere/x cannot be read: No such file or directory."),
        (["unbundle", "/etc/passwd"], 1, "/etc/passwd: This is no bundle of inv's. Nothing was loaded."),
        (["unbundle", "/dev/null"], 1, "/dev/null: There is nothing in it. Nothing was loaded."),
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
        # One that the engine takes and cannot read: it shows no image at all until that is gone.
        bad = taken_apart(made.folder / "part")
        config = next(name for name in bad if CONFIG.fullmatch(name))
        with tarfile.open(made.folder / "part") as tar:
            end = json.load(tar.extractfile("bundle.end.json"))  # type: ignore[arg-type]
        (made.folder / "bad").write_bytes(put_together(with_(bad, config, config=[]), end["sizes"]))
        assert "answers with an error" in unbundle(made, there, str(made.folder / "bad"), code=1).stderr
        assert "tiny:1" in str(there.api.every_image())
        unbundle(made, there, str(made.folder / "full"))
        made.inv("bundle", str(made.folder / "back"), "--tag", "2.0", "--full", DOCKER_HOST=there.host)
        made.engine.docker("image", "rm", REFERENCE)
        unbundle(made, made.engine, str(made.folder / "back"))
        assert image_id(made.engine, REFERENCE)
