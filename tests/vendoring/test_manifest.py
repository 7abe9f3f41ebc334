"""Edits by hand: seen, named, and never lost."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from vendoring.upstreams import Server, bring, fails, pins, serve, tree, visible, zipped

from tasks.vendoring import manifest


def test_thousands_of_files_are_read_once(server: Server, vendor: Path) -> None:
    pins(vendor, f"big: {serve(server, 'x.zip', zipped({f'{i % 100}/{i}': b'x' * 200 for i in range(1_000)}))}")
    bring(vendor)
    time.sleep(2 * manifest.FRESH / 1e9)  # on a fast machine they would be too young to be remembered

    def seconds() -> float:
        start = time.monotonic()
        bring(vendor)
        return time.monotonic() - start

    remembered, anew = [], []
    for _ in range(3):  # in turns, so that a busy machine slows both
        remembered.append(seconds())
        shutil.rmtree(vendor / ".cache")
        anew.append(seconds())
    assert min(remembered) < 0.7 * min(anew)
    one = vendor / "big/7/7"
    facts = one.stat()
    one.write_bytes(b"y" * 200)  # the same size, and the old time put back: the inode's own time gives it away
    os.utime(one, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert "was edited by hand (7/7)" in fails(1, vendor)


def replaced_by_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("a")


EDITS: dict[str, Callable[[Path], object]] = {
    "a": lambda home: (home / "a").write_text("z"),
    "b": lambda home: (home / "b").unlink(),
    "c/new": lambda home: (home / "c/new").write_text("mine"),
    "e": lambda home: (home / "e").chmod(0o755),
    "f": lambda home: replaced_by_link(home / "f"),
}


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_is_seen_kept_and_thrown_away_with_force(server: Server, fetched: Path, file: str) -> None:
    EDITS[file](fetched / "apex")
    before = tree(fetched / "apex")
    said = fails(1, fetched)
    assert said == (
        f"vendor/apex was edited by hand ({file}); kept as it is. "
        "To throw that away: inv fetch-vendor --force --only apex"
    )
    assert said in fails(1, fetched, check=True)
    assert said in fails(1, fetched, dry=True)
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    assert said in fails(1, fetched), "not for another pin either"
    assert (tree(fetched / "apex"), server.asked) == (before, [])
    bring(fetched, only="apex", force=True)
    assert tree(fetched / "apex") == {"a": "newer"}
    bring(fetched, check=True)


def test_a_sentence_names_three_files_at_most(fetched: Path) -> None:
    for file in ("a", "b", "e", "f", "c/d"):
        (fetched / "apex" / file).write_text("mine")
    assert "(a, b, c/d and 2 more)" in fails(1, fetched)


def test_an_edit_does_not_keep_the_others_from_arriving(server: Server, fetched: Path) -> None:
    (fetched / "apex/a").write_text("mine")
    with (fetched / "vendor.yaml").open("a") as file:
        file.write(f"\nother: {serve(server, 'y.zip', zipped({'a': b'1'}))}")
    assert "apex was edited" in fails(1, fetched)
    assert (fetched / "other").is_dir()


def test_a_changed_pin_brings_the_new_content(server: Server, fetched: Path) -> None:
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    assert fails(1, fetched, check=True) == "vendor/apex is at another pin than vendor.yaml says."
    bring(fetched)
    assert tree(fetched / "apex") == {"a": "newer"}


def test_force_fetches_again_what_is_as_it_should_be(server: Server, fetched: Path) -> None:
    bring(fetched, force=True)
    assert server.asked == ["/x.zip"]


@pytest.mark.parametrize("kind", ["folder", "link", "file", "broken manifest"])
def test_what_this_task_did_not_make_is_not_overwritten(
    server: Server, vendor: Path, tmp_path: Path, kind: str
) -> None:
    home = vendor / "apex"
    if kind == "file":
        home.write_text("mine")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        home.symlink_to(tmp_path / "elsewhere")
    else:
        home.mkdir()
        (home / (manifest.NAME if kind == "broken manifest" else "mine")).write_text("{")
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a': b'1'}))}")
    assert "vendor/apex was not made by fetch-vendor; kept as it is" in fails(1, vendor)
    bring(vendor, force=True)
    assert tree(home) == {"a": "1"}
    assert not home.is_symlink()
    assert kind != "link" or (tmp_path / "elsewhere").is_dir()


def test_an_edit_while_it_is_being_fetched_is_kept(server: Server, fetched: Path) -> None:
    pins(fetched, f"apex: {serve(server, 'y.zip', zipped({'a': b'newer'}))}")
    server.slow = "/y.zip"
    said: list[str] = []
    run = Thread(target=lambda: said.append(fails(1, fetched)))
    run.start()
    server.started.wait(10)
    (fetched / "apex/a").write_text("mine")
    server.go.set()
    run.join()
    assert "it was edited by hand while it was being fetched" in said[0]
    assert (fetched / "apex/a").read_text() == "mine"


def test_a_library_that_is_no_longer_pinned_goes_unless_it_was_edited(
    fetched: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(fetched, "")
    assert fails(1, fetched, check=True) == "vendor/apex is not in vendor.yaml."
    (fetched / "apex/a").write_text("mine")
    assert "was edited by hand (a), and is not in vendor.yaml" in fails(1, fetched)
    (fetched / "apex/a").write_text("a")
    (fetched / "mine").mkdir()
    (fetched / "mine/file").write_text("mine")
    said = fails(1, fetched, force=True)
    assert "vendor/mine was not made by fetch-vendor, and is not in vendor.yaml" in said
    assert visible(fetched) == ["mine", "vendor.yaml"], "what was fetched is gone, what was not stays even with force"
    (fetched / "bottle.py").write_text("a module that would be found first")
    assert "vendor/bottle.py was not made by fetch-vendor, and is not in vendor.yaml" in fails(1, fetched, check=True)
    assert "apex: removed" in capsys.readouterr().out
