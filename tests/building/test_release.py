"""What git says of a source. Real repositories; no engine is needed for it."""

import os
import shlex
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from building.checkouts import Asked, Repository, exported, refusal
from invoke import Context, Exit
from msgspec.structs import replace

from tasks.building import build
from tasks.building.context import build_context
from tasks.building.release import Release, replaced
from tasks.building.version import Version
from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.settings.load import load_file
from tasks.settings.model import ROOT


def test_every_field_is_what_git_says(source: Repository, asked: Asked) -> None:
    source.commit()
    source.git("tag", "v1.0")
    head = source.commit({"b.txt": "two\n", ".gitignore": "*.log\n"})
    source.git("remote", "add", "origin", "git@example.com:team/framework.git")
    source.write({"forgotten/a": "", "forgotten/b": "", "note": "", "x.log": ""})
    found = asked(source.top)
    assert abs((datetime.fromisoformat(found.date) - datetime.now(timezone.utc)).total_seconds()) < 60
    assert found.date.endswith("Z") and len(found.date) == len("2019-08-30T14:46:20Z")
    assert found == Release(
        date=found.date,
        version=f"v1.0-1-g{head[:7]}",
        url="git@example.com:team/framework.git",
        commit=head[:7],
        branch="main",
        tag="0.2.2",
        revision=head,
        tree=source.git("rev-parse", "HEAD^{tree}"),
        dirty=False,
        untracked=("forgotten/", "note"),
        ignored=("x.log",),
    )


def test_without_a_tag_or_a_remote_version_is_the_commit_and_url_is_empty(source: Repository, asked: Asked) -> None:
    head = source.commit()
    found = asked(source.top)
    assert (found.version, found.url, found.tag) == (head[:7], "", "0.2.1")


def test_a_detached_head_is_a_release(source: Repository, asked: Asked) -> None:
    first = source.commit()
    source.commit({"a.txt": "two\n"})
    source.git("checkout", "--quiet", "--detach", first)
    found = asked(source.top)
    assert (found.branch, found.revision, found.tag) == ("HEAD", first, "0.2.1")


def test_a_source_that_is_no_usable_checkout_is_refused_with_the_way_out(
    source: Repository, asked: Asked, tmp_path: Path
) -> None:
    assert "no commit yet" in refusal(asked, source.top)
    source.commit()
    source.commit({"a.txt": "two\n"})
    (tmp_path / "plain").mkdir()
    assert "is not a git checkout" in refusal(asked, tmp_path / "plain")
    assert "stack.source" in refusal(asked, tmp_path / "missing")
    source.git("clone", "--quiet", "--bare", str(source.top), str(tmp_path / "bare"))
    assert "is not a git checkout" in refusal(asked, tmp_path / "bare")
    (source.top / "untracked").mkdir()
    assert "git tracks nothing" in refusal(asked, source.top / "untracked")
    source.git("clone", "--quiet", "--depth", "1", f"file://{source.top}", str(tmp_path / "shallow"))
    assert f"git -C {tmp_path / 'shallow'} fetch --unshallow" in refusal(asked, tmp_path / "shallow")
    source.git("fetch", "--quiet", "--unshallow", where=tmp_path / "shallow")
    assert asked(tmp_path / "shallow").tag == "0.2.2"


def test_a_checkout_that_git_cannot_read_is_not_taken_for_clean(source: Repository, asked: Asked) -> None:
    source.commit()
    (source.top / ".git/index").write_bytes(b"damaged")
    assert "git cannot tell what changed" in refusal(asked, source.top)


def test_a_git_hook_that_names_another_repository_does_not_mislead(
    source: Repository, c: Context, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = source.commit()
    other = Repository(tmp_path / "other")
    other.commit({"other.txt": "other\n"})
    theirs = other.top / ".git"
    for name, value in {
        "GIT_DIR": theirs,
        "GIT_WORK_TREE": other.top,
        "GIT_INDEX_FILE": theirs / "index",
        "GIT_PREFIX": "x/",
        "GIT_OBJECT_DIRECTORY": theirs / "objects",
        "GIT_COMMON_DIR": theirs,
    }.items():
        monkeypatch.setenv(name, str(value))
    found = asked(source.top)
    assert (found.revision, found.dirty) == (head, False)
    assert exported(c, source.top, tmp_path / "out", head).keys() == {"a.txt"}


def test_a_merge_with_conflicts_is_refused(source: Repository, asked: Asked) -> None:
    source.commit()
    source.git("checkout", "--quiet", "-b", "side")
    source.commit({"a.txt": "theirs\n"})
    source.git("checkout", "--quiet", "main")
    source.commit({"a.txt": "ours\n"})
    source.git("merge", "side", check=False)
    assert refusal(asked, source.top).startswith(f"{source.top} has conflicts that nobody resolved. See: git -C ")
    source.write({"a.txt": "resolved\n"})
    source.git("add", "a.txt")
    assert asked(source.top).dirty


def test_asking_writes_nothing_into_the_source_and_leaves_nothing_behind(
    source: Repository, c: Context, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    source.commit({"a.txt": "one\n", "b.txt": "two\n"})
    source.write({"a.txt": "changed\n", "new.txt": "new\n"})
    source.git("add", "-N", "new.txt")
    os.utime(source.top / "b.txt", (1, 1))  # `git status` would like to write this down in the index

    def state() -> dict[str, tuple[int, bytes]]:
        """Content and time of every file; git sets the time of an object anew when it meets the same content again."""
        files = [path for path in source.top.rglob("*") if path.is_file()]
        times = {path: 0 if "objects" in path.parts else path.stat().st_mtime_ns for path in files}
        return {str(path): (times[path], path.read_bytes()) for path in files}

    before = state()
    asked(source.top)
    exported(c, source.top, tmp_path / "out")
    assert state() == before
    assert source.git("fsck", "--strict") == ""
    assert not [*(tmp_path / "temporary").iterdir()]


def test_a_file_named_like_a_revision_changes_no_answer(
    source: Repository, c: Context, asked: Asked, tmp_path: Path
) -> None:
    head = source.commit()
    source.git("tag", "v1")
    before = asked(source.top)
    for name in ("HEAD", "HEAD^{commit}", "main", "v1", head, head[:7], "--", "--all", "refs"):
        (source.top / name).write_text("untracked\n")
    found = asked(source.top)
    assert (found.tag, found.version, found.branch, found.tree) == ("0.2.1", "v1", "main", before.tree)
    assert (len(found.untracked), found.dirty) == (9, False)
    assert exported(c, source.top, tmp_path / "out", head).keys() == {"a.txt"}
    empty = Repository(tmp_path / "empty")
    empty.write({"HEAD": "", "HEAD^{commit}": ""})
    assert "no commit yet" in refusal(asked, empty.top)


def test_a_branch_is_called_by_its_own_name_though_a_tag_has_it_too(source: Repository, asked: Asked) -> None:
    source.commit()
    source.git("checkout", "--quiet", "-b", "team/v1")
    source.git("tag", "team/v1")
    source.git("tag", "HEAD", check=False)
    assert asked(source.top).branch == "team/v1"


def test_an_answer_that_git_does_not_give_is_a_failure(source: Repository, asked: Asked) -> None:
    first = source.commit()
    source.commit({"a.txt": "two\n"})
    objects = source.top / ".git/objects"
    (objects / first[:2] / first[2:]).unlink()
    assert "git " in (sentence := refusal(asked, source.top)) and first[:9] in sentence and "None" not in sentence


def test_git_replace_and_grafts_are_not_followed(source: Repository, c: Context, asked: Asked, tmp_path: Path) -> None:
    first = source.commit({"a.txt": "one\n"})
    source.commit({"a.txt": "two\n"})
    head = source.commit({"a.txt": "three\n"})
    source.git("replace", head, first)
    (source.top / ".git/info").mkdir(exist_ok=True)
    (source.top / ".git/info/grafts").write_text(f"{head}\n")
    found = asked(source.top)
    assert (found.tag, found.dirty, found.tree) == (
        "0.2.3",
        False,
        source.git("--no-replace-objects", "rev-parse", "HEAD^{tree}"),
    )
    assert exported(c, source.top, tmp_path / "out", head)["a.txt"][1] == b"three\n"
    source.git("reset", "--quiet", "--hard")
    assert asked(source.top).dirty, "the files are those of another commit"
    assert replaced(c, source.top) == [head]


@pytest.mark.parametrize("dirty", [False, True])
def test_a_source_that_changes_while_it_is_read_is_not_built(
    source: Repository, c: Context, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dirty: bool
) -> None:
    monkeypatch.setattr(build, "BUILDS", tmp_path)
    source.commit()
    if dirty:
        source.write({"a.txt": "two\n"})
    release, chosen = asked(source.top), load_file(c, ROOT / "invoke.yaml")
    version = Version("visdom", chosen.frames["visdom"], source.top, release, release.tag)
    one = build.Build(c, Engine(Endpoint("unix:///nowhere")), chosen)
    with build_context(one, version) as folder:
        assert (folder / "a.txt").read_text() == ("two\n" if dirty else "one\n")
    source.write({"a.txt": "three\n"})
    changed = version if dirty else replace(version, release=replace(release, tree=asked(source.top).tree))
    with pytest.raises(Exit, match="changed while it was read"), build_context(one, changed):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("where", ["../../else", "../../nowhere", "../.."])
def test_a_source_whose_files_git_has_elsewhere_is_refused_with_the_way_out(
    where: str, source: Repository, asked: Asked, tmp_path: Path
) -> None:
    source.commit({"sub/a.txt": "one\n"})
    (tmp_path / "else").mkdir()
    source.git("config", "core.worktree", where)
    for folder in (source.top, source.top / "sub"):
        said = refusal(asked, folder)
        assert said.startswith(
            f"{source.top} has its files elsewhere, says its setting core.worktree, which is {where}."
        )
    subprocess.run(shlex.split(said.partition("Type: ")[2]), check=True)
    assert asked(source.top).tag == "0.2.1"
    source.git("config", "core.worktree", str(source.top))  # git's own default, spelled out
    assert asked(source.top).tag == "0.2.1" and not asked(source.top / "sub").dirty
