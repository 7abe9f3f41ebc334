"""What git says of a source, and which files are in a frame. Real repositories; no engine is needed for it."""

import os
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from invoke import Config, Context, Exit
from sites import IDENTITY

from tasks.building import contents, release
from tasks.building.release import Release
from tasks.engine.names import valid_tag
from tasks.host.text import without_credentials


class Repository:
    """A git repository in a folder, and git as people type it there."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.git("init", "--quiet", "--initial-branch", "main", str(top), where=top.parent)

    def git(self, *arguments: str, where: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["git", "-C", str(where or self.top), "-c", "protocol.file.allow=always", *arguments],
            capture_output=True, text=True,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.top / name).parent.mkdir(parents=True, exist_ok=True)
            (self.top / name).write_text(text)

    def commit(self, files: dict[str, str] | None = None, message: str = "one thought") -> str:
        self.write({"a.txt": "one\n"} if files is None else files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def c() -> Context:
    return Context(Config(overrides={"run": {"in_stream": False}}))


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    """A repository without a commit."""
    return Repository(tmp_path / "source")


@pytest.fixture
def asked(c: Context) -> Callable[[Path], Release]:
    return lambda where: release.release(c, where, "0.2")


def exported(c: Context, where: Path, target: Path, revision: str = "") -> dict[str, tuple[int, bytes]]:
    """The files that a frame would hold: name to mode and content (for a symbolic link, where it points)."""
    with contents.scratch() as folder:
        contents.contents(c, where, revision, folder, target)
    found = {}
    for path in target.rglob("*"):
        if not path.is_dir() or path.is_symlink():
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(target))] = (path.lstat().st_mode, content)
    return found


def refusal(asked: Callable[[Path], Release], where: Path) -> str:
    """The sentence that a source is refused with, exit code 1."""
    with pytest.raises(Exit) as caught:
        asked(where)
    assert caught.value.code == 1
    assert "\n" not in str(caught.value.message)
    return str(caught.value.message)


def test_every_field_is_what_git_says(source: Repository, asked: Callable[[Path], Release]) -> None:
    source.commit()
    source.git("tag", "v1.0")
    head = source.commit({"b.txt": "two\n", ".gitignore": "*.log\n"})
    source.git("remote", "add", "origin", "git@example.com:team/framework.git")
    source.write({"forgotten/a": "", "forgotten/b": "", "note": "", "x.log": ""})
    found = asked(source.top)
    assert abs((datetime.fromisoformat(found.date) - datetime.now(timezone.utc)).total_seconds()) < 60
    assert found.date.endswith("Z") and len(found.date) == len("2019-08-30T14:46:20Z")
    assert found == Release(
        date=found.date, version=f"v1.0-1-g{head[:7]}", url="git@example.com:team/framework.git", commit=head[:7],
        branch="main", tag="0.2.2", revision=head, tree=source.git("rev-parse", "HEAD^{tree}"), dirty=False,
        untracked=2, ignored=1,
    )  # fmt: skip


def test_without_a_tag_or_a_remote_version_is_the_commit_and_url_is_empty(
    source: Repository, asked: Callable[[Path], Release]
) -> None:
    head = source.commit()
    found = asked(source.top)
    assert (found.version, found.url, found.tag) == (head[:7], "", "0.2.1")


def test_a_detached_head_is_a_release(source: Repository, asked: Callable[[Path], Release]) -> None:
    first = source.commit()
    source.commit({"a.txt": "two\n"})
    source.git("checkout", "--quiet", "--detach", first)
    found = asked(source.top)
    assert (found.branch, found.revision, found.tag) == ("HEAD", first, "0.2.1")


def test_a_sub_folder_of_a_bigger_repository_is_a_source(
    source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    folder = source.top / ":(top)odd [x]*" / "framework"
    head = source.commit(
        {":(top)odd [x]*/framework/in.txt": "in\n", ":(top)odd xyz/framework/no.txt": "no\n", "out.txt": "out\n"}
    )
    assert asked(folder).tree == source.git("rev-parse", "HEAD::(top)odd [x]*/framework")
    assert exported(c, folder, tmp_path / "clean", head).keys() == {"in.txt"}
    source.write({"out.txt": "changed outside\n", ":(top)odd xyz/framework/no.txt": "changed outside\n"})
    assert not asked(folder).dirty
    source.write({":(top)odd [x]*/framework/in.txt": "changed inside\n"})
    changed = asked(folder)
    assert changed.dirty
    assert exported(c, folder, tmp_path / "dirty")["in.txt"][1] == b"changed inside\n"
    source.git("commit", "--quiet", "--all", "--message", "the same")
    assert asked(folder).tree == changed.tree


def test_attributes_above_a_sub_folder_count_in_it_as_in_a_checkout(
    source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    source.git("config", "filter.fake.clean", "sed s/CONTENT/POINTER/")
    source.git("config", "filter.fake.smudge", "sed s/POINTER/CONTENT/")
    source.write({".gitattributes": "*.bat text eol=crlf\n", "a/.gitattributes": "*.bin filter=fake\n"})
    source.commit({"a/b c/x.bin": "CONTENT\n", "a/b c/x.bat": "one\n", "a/other": "not in it\n"})
    assert "POINTER" in source.git("show", "HEAD:a/b c/x.bin")
    for revision, content in (("HEAD", b"CONTENT\n"), ("", b"CONTENT, changed\n")):
        source.write({"a/b c/x.bin": content.decode()})
        assert asked(source.top / "a/b c").dirty == (not revision)
        left = tmp_path / f"out{revision}.whole/a/b c/left-over"  # of a killed build
        left.parent.mkdir(parents=True)
        left.touch()
        found = exported(c, source.top / "a/b c", tmp_path / f"out{revision}", revision)
        assert {name: text for name, (_, text) in found.items()} == {"x.bin": content, "x.bat": b"one\r\n"}
    assert not [*tmp_path.glob("*.whole")]


def test_a_worktree_is_a_source(
    source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    source.commit()
    source.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = tmp_path / "side"
    (side / "a.txt").write_text("in the worktree\n")
    found = asked(side)
    assert (found.branch, found.dirty) == ("side", True)
    assert exported(c, side, tmp_path / "out")["a.txt"][1] == b"in the worktree\n"
    assert not asked(source.top).dirty


def test_a_path_with_colons_quotes_and_blanks_is_a_source(
    c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    odd = Repository(tmp_path / "a:b \"c' $(touch pwned)\\")
    odd.commit({"a.txt": "one\n", "same/b.txt": "two\n"})
    odd.write({"a.txt": "changed\n"})
    assert asked(odd.top).dirty
    files = exported(c, odd.top, tmp_path / "out")
    assert (files["a.txt"][1], files["same/b.txt"][1]) == (b"changed\n", b"two\n")
    assert not [*tmp_path.rglob("pwned")]


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://ghp_token@example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://user:pass@word@example.com:8443/a/b.git", "https://example.com:8443/a/b.git"),
        ("https://git:token@example.com/a", "https://example.com/a"),
        ("https://example.com/a/b.git?private_token=secret#secret", "https://example.com/a/b.git"),
        ("HTTPS://user:token@example.com", "HTTPS://example.com"),
        ("https://user:token@[::1", "https://[::1"),  # what urlsplit calls invalid is no reason for a traceback
        ("ssh://git@example.com:22/a/b@v2.git", "ssh://git@example.com:22/a/b@v2.git"),
        ("ssh://git:token@example.com/a", "ssh://example.com/a"),
        ("git+ssh://deploy:token@example.com/a", "git+ssh://example.com/a"),
        ("git@example.com:team/a.git", "git@example.com:team/a.git"),
        ("git@example.com:team@v2.git", "git@example.com:team@v2.git"),
        ("deploy@example.com:team/a.git", "example.com:team/a.git"),
        ("user:to@ken@example.com:team/a.git", "example.com:team/a.git"),
        ("/srv/git/people@work/a.git", "/srv/git/people@work/a.git"),
        ("../people@work/a.git", "../people@work/a.git"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git"),
        ("", ""),
    ],
)
def test_no_user_password_token_or_query_of_a_url_gets_into_a_label(url: str, stripped: str) -> None:
    assert without_credentials(url) == stripped


def test_a_source_that_is_no_usable_checkout_is_refused_with_the_way_out(
    source: Repository, asked: Callable[[Path], Release], tmp_path: Path
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


def test_a_checkout_that_git_cannot_read_is_not_taken_for_clean(
    source: Repository, asked: Callable[[Path], Release]
) -> None:
    source.commit()
    (source.top / ".git/index").write_bytes(b"damaged")
    assert "git cannot tell what changed" in refusal(asked, source.top)


def test_a_git_hook_that_names_another_repository_does_not_mislead(
    source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = source.commit()
    other = Repository(tmp_path / "other")
    other.commit({"other.txt": "other\n"})
    theirs = other.top / ".git"
    for name, value in {
        "GIT_DIR": theirs, "GIT_WORK_TREE": other.top, "GIT_INDEX_FILE": theirs / "index", "GIT_PREFIX": "x/",
        "GIT_OBJECT_DIRECTORY": theirs / "objects", "GIT_COMMON_DIR": theirs,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    found = asked(source.top)
    assert (found.revision, found.dirty) == (head, False)
    assert exported(c, source.top, tmp_path / "out", head).keys() == {"a.txt"}


# What people type in a checkout.
CHANGES = {
    "modified": "echo changed > a.txt",
    "staged": "echo changed > a.txt; git add a.txt",
    "staged, then changed again": "echo staged > a.txt; git add a.txt; echo changed > a.txt",
    "deleted": "rm a.txt",
    "deleted and staged": "git rm --quiet a.txt",
    "renamed": "git mv a.txt '?? z.txt'",
    "new and staged": "echo new > new.txt; git add new.txt",
    "intent to add": "echo new > new.txt; git add -N new.txt",
    "executable": "chmod +x a.txt",
    "now a link": "ln -sf b.txt a.txt",
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_uncommitted_change_is_dirty_and_named_by_the_content_that_a_commit_would_have(
    change: str, source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    head = source.commit({"a.txt": "one\n", "b.txt": "two\n"})
    clean = asked(source.top)
    assert not clean.dirty
    subprocess.run(["sh", "-ec", CHANGES[change]], cwd=source.top, check=True)
    source.write({"lies about.txt": "never in a frame\n"})
    dirty = asked(source.top)
    assert (dirty.dirty, dirty.revision, dirty.untracked) == (True, head, 1)
    assert dirty.tree != clean.tree
    files = exported(c, source.top, tmp_path / "dirty")
    source.git("commit", "--quiet", "--all", "--message", "the same content")
    assert asked(source.top).tree == dirty.tree
    assert exported(c, source.top, tmp_path / "committed", source.git("rev-parse", "HEAD")) == files
    assert "lies about.txt" not in files


def test_a_merge_with_conflicts_is_refused(source: Repository, asked: Callable[[Path], Release]) -> None:
    source.commit()
    source.git("checkout", "--quiet", "-b", "side")
    source.commit({"a.txt": "theirs\n"})
    source.git("checkout", "--quiet", "main")
    source.commit({"a.txt": "ours\n"})
    source.git("merge", "side", check=False)
    assert "conflicts" in refusal(asked, source.top)
    source.write({"a.txt": "resolved\n"})
    source.git("add", "a.txt")
    assert asked(source.top).dirty


def with_submodules(tmp_path: Path) -> Repository:
    """A source with a submodule that has a submodule."""
    deep, library, source = (Repository(tmp_path / name) for name in ("deep", "library", "source"))
    deep.commit({"deep.txt": "deep\n"})
    library.commit({"library.txt": "library\n"})
    library.git("submodule", "--quiet", "add", str(deep.top), "inner deep")
    library.commit({})
    source.commit()
    source.git("submodule", "--quiet", "add", str(library.top), "libs/library")
    source.git("config", "--file", ".gitmodules", "submodule.libs/library.ignore", "all")
    source.git("submodule", "--quiet", "update", "--init", "--recursive")
    source.commit({})
    return source


def test_submodules_are_in_the_content_all_the_way_down(
    c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    source = with_submodules(tmp_path)
    clean = asked(source.top)
    assert (clean.dirty, clean.tree) == (False, source.git("rev-parse", "HEAD^{tree}"))
    files = exported(c, source.top, tmp_path / "out", clean.revision)
    assert {".gitmodules", "a.txt", "libs/library/library.txt", "libs/library/inner deep/deep.txt"} <= files.keys()
    assert not [name for name in files if Path(name).name == ".git"]

    inner = source.top / "libs/library/inner deep"
    (inner / "untracked.txt").write_text("lies about\n")
    assert not asked(source.top).dirty
    (inner / "deep.txt").write_text("changed\n")
    dirty = asked(source.top)
    assert dirty.dirty and dirty.tree != clean.tree
    changed = exported(c, source.top, tmp_path / "dirty")
    assert changed["libs/library/inner deep/deep.txt"][1] == b"changed\n"
    assert changed.keys() == files.keys()

    for folder in (inner, inner.parent, source.top):  # committed on every level, it is clean, and the same content
        source.git("commit", "--quiet", "--all", "--message", "changed", where=folder)
    committed = asked(source.top)
    assert not committed.dirty
    assert exported(c, source.top, tmp_path / "committed", committed.revision) == changed


def test_a_submodule_that_is_not_there_is_refused_with_the_command_to_type(
    c: Context, asked: Callable[[Path], Release], tmp_path: Path
) -> None:
    source = with_submodules(tmp_path)
    source.git("clone", "--quiet", str(source.top), str(tmp_path / "clone"))
    sentence = refusal(asked, tmp_path / "clone")
    assert "Submodule libs/library" in sentence
    command = f"git -C {tmp_path / 'clone'} submodule update --init --recursive"
    assert sentence.endswith(command)
    source.git("submodule", "--quiet", "update", "--init", where=tmp_path / "clone")
    assert "Submodule inner deep" in refusal(asked, tmp_path / "clone")
    source.git("submodule", "--quiet", "update", "--init", "--recursive", where=tmp_path / "clone")
    assert asked(tmp_path / "clone").tree == asked(source.top).tree


def test_every_tracked_file_arrives_as_it_is(
    source: Repository, c: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("with blank", "new\nline", "größe 尺", "-rf", "$(touch pwned)`", "deep/er/x")
    odd = {name: f"this is {name}\n" for name in names}
    source.write({
        **odd, "run.sh": "#!/bin/sh\n", "empty": "", "kept.txt": "kept\n", "stamp.txt": "$Format:%H$\n",
        ".gitattributes": "kept.txt export-ignore\ndeep export-ignore\nstamp.txt export-subst\n",
        ".gitignore": "*.log\n",
    })  # fmt: skip
    (source.top / "run.sh").chmod(0o755)
    (source.top / "link").symlink_to("run.sh")
    (source.top / "dangling").symlink_to("/nowhere")
    (source.top / os.fsdecode(b"latin-\xe9")).write_bytes(b"\xff\x00\n")
    head = source.commit({})
    source.write({"untracked.txt": "no", "ignored.log": "no"})
    monkeypatch.chdir(tmp_path)
    former = os.umask(0o077)  # of whoever builds: it must not get into the image
    try:
        files = exported(c, source.top, tmp_path / "out", head)
    finally:
        os.umask(former)
    expected = {name: (0o100644, text.encode()) for name, text in odd.items()}
    assert expected.items() <= files.items()
    assert files["run.sh"] == (0o100755, b"#!/bin/sh\n")
    assert (files["link"][1], files["dangling"][1]) == (b"run.sh", b"/nowhere")
    assert files["stamp.txt"][1] == b"$Format:%H$\n"
    assert files[os.fsdecode(b"latin-\xe9")] == (0o100644, b"\xff\x00\n")
    assert files.keys() == expected.keys() | {
        "run.sh", "empty", "kept.txt", "stamp.txt", ".gitattributes", ".gitignore", "link", "dangling",
        os.fsdecode(b"latin-\xe9"),
    }  # fmt: skip
    assert (tmp_path / "out/deep").stat().st_mode & 0o777 == 0o755
    assert not [*tmp_path.rglob("pwned")]


def test_asking_writes_nothing_into_the_source_and_leaves_nothing_behind(
    source: Repository, c: Context, asked: Callable[[Path], Release], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize("tag", ["0.2.7", "_x", "0.2.7-dirty-0a1b", "x" * 128])
def test_a_tag_that_docker_takes_is_valid(tag: str) -> None:
    assert valid_tag(tag)


@pytest.mark.parametrize("tag", ["", "x" * 129, ".x", "-x", "0.2/7", "0.2.7\n", "0.2 7", "größe", "$(x)", "0:2"])
def test_a_tag_that_docker_refuses_is_not_valid(tag: str) -> None:
    assert not valid_tag(tag)
