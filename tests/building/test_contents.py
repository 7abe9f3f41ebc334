"""Which files are in a frame, and how their content is named. Real repositories; no engine is needed for it."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from building.checkouts import Asked, Repository, exported, refusal
from invoke import Context, Exit

from tasks.building.export import odd_names, refuse_pointers


def test_a_sub_folder_of_a_bigger_repository_is_a_source(
    source: Repository, c: Context, asked: Asked, tmp_path: Path
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
    source: Repository, c: Context, asked: Asked, tmp_path: Path
) -> None:
    source.write({".gitattributes": "*.bat text eol=crlf\n", "a/.gitattributes": "*.bin text eol=crlf\n"})
    source.commit({"a/b c/x.bin": "CONTENT\n", "a/b c/x.bat": "one\n", "a/other": "not in it\n"})
    for revision, content in (("HEAD", b"CONTENT\r\n"), ("", b"CONTENT, changed\r\n")):
        if not revision:
            source.write({"a/b c/x.bin": "CONTENT, changed\n"})
        assert asked(source.top / "a/b c").dirty == (not revision)
        left = tmp_path / f"out{revision}.whole/a/b c/left-over"  # of a killed build
        left.parent.mkdir(parents=True)
        left.touch()
        found = exported(c, source.top / "a/b c", tmp_path / f"out{revision}", revision)
        assert {name: text for name, (_, text) in found.items()} == {"x.bin": content, "x.bat": b"one\r\n"}
    assert not [*tmp_path.glob("*.whole")]


MACHINES = {  # what git may be told on one machine and not on another
    "line ends": "git config core.autocrlf true",
    "line ends of this system": "git config core.eol crlf",
    "no links": "git config core.symlinks false",
    "attributes of this clone": "mkdir -p .git/info; printf '*.sh eol=crlf\\n*.txt ident\\n' > .git/info/attributes",
    "attributes of this user": "echo '* text eol=crlf' > .git/mine; git config core.attributesFile \"$PWD/.git/mine\"",
    "a part of the files": "git sparse-checkout set --no-cone run.sh",
}


def test_a_change_in_the_second_of_the_commit_is_seen(source: Repository, asked: Asked) -> None:
    source.write({"a.txt": "one\n"})
    file, long_ago = source.top / "a.txt", (10**18, 10**18)
    os.utime(file, ns=long_ago)
    source.git("config", "core.trustctime", "false")
    source.git("add", "a.txt")
    source.git("commit", "--quiet", "--message", "one")
    file.write_text("two\n")  # as long as before, and as old: git then goes by the time of its index
    for path in (file, source.top / ".git/index"):
        os.utime(path, ns=long_ago)
    found = asked(source.top)
    assert (found.dirty, found.tree != source.git("rev-parse", "HEAD^{tree}")) == (True, True)


@pytest.mark.parametrize("driver", ["smudge", "process"])
def test_a_filter_of_this_machine_changes_no_file(
    driver: str, source: Repository, c: Context, asked: Asked, tmp_path: Path
) -> None:
    source.write({"sub/.gitattributes": "*.txt filter=My.Filter\n", "sub/a.txt": "as committed\n"})
    head = source.commit()
    source.git("config", f"filter.My.Filter.{driver}", "sed s/committed/built/" if driver == "smudge" else "false")
    source.git("config", "filter.My.Filter.clean", "sed s/built/committed/")
    source.git("config", "filter.My.Filter.required", "true")
    assert exported(c, source.top, tmp_path / "whole", head)["sub/a.txt"][1] == b"as committed\n"
    assert exported(c, source.top / "sub", tmp_path / "sub", head)["a.txt"][1] == b"as committed\n"
    if driver == "smudge":  # a change arrives as it would be committed
        source.write({"sub/a.txt": "built, changed\n"})
        assert asked(source.top).dirty
        assert exported(c, source.top / "sub", tmp_path / "changed")["a.txt"][1] == b"committed, changed\n"


@pytest.mark.parametrize("setting", MACHINES)
def test_files_are_byte_for_byte_the_same_whatever_git_is_set_to(
    setting: str, source: Repository, c: Context, asked: Asked, tmp_path: Path
) -> None:
    source.write({"run.sh": "#!/bin/sh\n", "id.txt": "$Id$\n", "a.bat": "one\n"})
    (source.top / "link").symlink_to("run.sh")
    head = source.commit({".gitattributes": "*.bat text eol=crlf\n*.sh text\n"})
    expected = exported(c, source.top, tmp_path / "expected", head)
    assert (expected["a.bat"][1], expected["run.sh"][1], expected["link"][1]) == (b"one\r\n", b"#!/bin/sh\n", b"run.sh")
    subprocess.run(["sh", "-ec", MACHINES[setting]], cwd=source.top, check=True)
    assert exported(c, source.top, tmp_path / "out", head) == expected
    assert asked(source.top).tree == source.git("rev-parse", "HEAD^{tree}")


def test_a_worktree_is_a_source(source: Repository, c: Context, asked: Asked, tmp_path: Path) -> None:
    source.commit()
    source.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = tmp_path / "side"
    (side / "a.txt").write_text("in the worktree\n")
    found = asked(side)
    assert (found.branch, found.dirty) == ("side", True)
    assert exported(c, side, tmp_path / "out")["a.txt"][1] == b"in the worktree\n"
    assert not asked(source.top).dirty


def test_a_path_with_colons_quotes_and_blanks_is_a_source(c: Context, asked: Asked, tmp_path: Path) -> None:
    odd = Repository(tmp_path / "a:b \"c' $(touch pwned)\\")
    odd.commit({"a.txt": "one\n", "same/b.txt": "two\n"})
    odd.write({"a.txt": "changed\n"})
    assert asked(odd.top).dirty
    files = exported(c, odd.top, tmp_path / "out")
    assert (files["a.txt"][1], files["same/b.txt"][1]) == (b"changed\n", b"two\n")
    assert not [*tmp_path.rglob("pwned")]


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
    change: str, source: Repository, c: Context, asked: Asked, tmp_path: Path
) -> None:
    head = source.commit({"a.txt": "one\n", "b.txt": "two\n"})
    clean = asked(source.top)
    assert not clean.dirty
    subprocess.run(["sh", "-ec", CHANGES[change]], cwd=source.top, check=True)
    source.write({"lies about.txt": "never in a frame\n"})
    dirty = asked(source.top)
    assert (dirty.dirty, dirty.revision, len(dirty.untracked)) == (True, head, 1)
    assert dirty.tree != clean.tree
    files = exported(c, source.top, tmp_path / "dirty")
    source.git("commit", "--quiet", "--all", "--message", "the same content")
    assert asked(source.top).tree == dirty.tree
    assert exported(c, source.top, tmp_path / "committed", source.git("rev-parse", "HEAD")) == files
    assert "lies about.txt" not in files


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


def test_submodules_are_in_the_content_all_the_way_down(c: Context, asked: Asked, tmp_path: Path) -> None:
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
    c: Context, asked: Asked, tmp_path: Path
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


def test_a_submodule_of_another_user_is_refused_by_name_and_what_is_typed_helps(
    c: Context, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_submodules(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    whole = asked(source.top)
    subprocess.run(["chown", "-R", "1000:1000", str(source.top)], check=True)
    for folder in (source.top, source.top / "libs/library", source.top / "libs/library/inner deep"):
        sentence = refusal(asked, source.top)
        assert f"git refuses {folder}, which belongs to another user." in sentence
        subprocess.run(["sh", "-ec", sentence.partition("Type: ")[2]], check=True)
    assert asked(source.top).tree == whole.tree


def test_what_git_itself_does_not_check_out_is_left_out_and_said(c: Context, asked: Asked, tmp_path: Path) -> None:
    source = with_submodules(tmp_path)
    source.git("submodule", "--quiet", "add", str(tmp_path / "deep"), "libs/none")
    source.git("config", "--file", ".gitmodules", "submodule.libs/none.update", "none")
    embedded = Repository(source.top / "embedded")
    embedded.commit({"x.txt": "x\n"})
    head = source.commit({})
    found = asked(source.top)
    assert (found.left_out, found.dirty) == (("embedded", "libs/none"), False)
    files = exported(c, source.top, tmp_path / "out", head)
    assert "libs/library/library.txt" in files and not [name for name in files if "none" in name or "embedded" in name]
    embedded.commit({"x.txt": "another\n"})
    (source.top / "libs/none/deep.txt").write_text("changed\n")
    again = asked(source.top)
    assert (again.left_out, again.dirty, again.tree) == (found.left_out, False, found.tree)

    source.git("clone", "--quiet", str(source.top), str(tmp_path / "clone"))
    clone = tmp_path / "clone"
    source.git("config", "submodule.libs/library.update", "none", where=clone)
    source.git("config", "submodule.active", "nothing", where=clone)
    sentence = refusal(asked, clone)
    assert sentence.endswith("submodule update --init --recursive --checkout -- libs/library")
    source.git(*sentence.partition(f"git -C {clone} ")[2].split(), where=clone)
    assert (asked(clone).tree, asked(clone).left_out) == (found.tree, found.left_out)


def lose_head(library: Path) -> None:
    (library / "../../.git/modules/libs/library/HEAD").unlink()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "leads nowhere": lambda library: (library / ".git").write_text("gitdir: /nowhere\n"),
    "its repository is gone": lambda library: shutil.rmtree(library / "../../.git/modules/libs/library"),
    "its repository is broken": lose_head,
    "its repository stands elsewhere": lambda library: subprocess.run(
        ["git", "-C", library, "config", "core.worktree", "/nowhere"], check=True
    ),
    "only its files are there": lambda library: (library / ".git").unlink(),
    "deeper": lambda library: (library / "inner deep/.git").write_text("gitdir: nowhere\n"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_lies_in_the_way_of_a_submodule_is_named_and_what_is_said_helps(
    asked: Asked, tmp_path: Path, case: str
) -> None:
    source = with_submodules(tmp_path)
    whole = asked(source.top)
    source.git("clone", "--quiet", "--recurse-submodules", str(source.top), str(tmp_path / "clone"))
    DAMAGE[case](tmp_path / "clone/libs/library")
    sentence = refusal(asked, tmp_path / "clone")
    found = re.search("Move (.*) away, then type: (git -C .*)", sentence)
    assert found, sentence
    for number, place in enumerate(found[1].split(" and ")):
        Path(place).rename(tmp_path / f"away{number}")
    source.git(*shlex.split(found[2])[1:], where=tmp_path)
    assert asked(tmp_path / "clone").tree == whole.tree


def test_a_submodule_where_somebody_has_put_files(asked: Asked, tmp_path: Path) -> None:
    source = with_submodules(tmp_path)
    source.git("clone", "--quiet", str(source.top), str(tmp_path / "clone"))
    (tmp_path / "clone/libs/library/mine").write_text("mine")
    assert f"Move {tmp_path}/clone/libs/library away, then type: git -C" in refusal(asked, tmp_path / "clone")
    (tmp_path / "clone/libs/library/mine").unlink()
    source.git("config", "submodule.libs/library.update", "!true", where=tmp_path / "clone")
    assert refusal(asked, tmp_path / "clone").endswith("--checkout"), "git would run that and check nothing out"


def test_odd_names_of_submodules_are_no_way_to_the_terminal(asked: Asked, tmp_path: Path) -> None:
    """A line break is as good as a letter; where nothing can be done for a name, it is named."""
    library = Repository(tmp_path / "library")
    library.commit({"a": "1"})
    source = Repository(tmp_path / "source")
    source.git("submodule", "--quiet", "add", "--name", "x", str(library.top), "a\n\x1b[31mb")
    source.commit({})
    assert not asked(source.top).dirty
    source.git("clone", "--quiet", str(source.top), str(tmp_path / "clone"))
    assert "Submodule a??[31mb of" in refusal(asked, tmp_path / "clone")
    own = Repository(tmp_path / "own")
    source.git("clone", "--quiet", str(library.top), str(own.top / "a\nb"))
    own.commit({".gitmodules": f'[submodule "x"]\npath = "a\\nb"\nurl = {library.top}\n'})
    assert "has a line break in its name. Rename it." in refusal(asked, own.top)
    latin = Repository(tmp_path / "latin")
    name = os.fsdecode(b"caf\xe9")
    latin.git("submodule", "--quiet", "add", "--name", "x", str(library.top), name)
    latin.commit({})
    assert "has a name that is not UTF-8, and cannot be read. Give it another" in refusal(asked, latin.top)


def test_a_submodule_outside_the_folder_is_nobodys_business(c: Context, asked: Asked, tmp_path: Path) -> None:
    source = with_submodules(tmp_path)
    source.commit({"app/a.txt": "one\n"})
    source.git("clone", "--quiet", str(source.top), str(tmp_path / "clone"))
    found = asked(tmp_path / "clone/app")
    assert (found.dirty, found.tree) == (False, source.git("rev-parse", "HEAD:app"))
    subprocess.run(["chown", "-R", "1000:1000", str(source.top / "libs")], check=True)
    assert asked(source.top / "app").tree == found.tree


def test_every_tracked_file_arrives_as_it_is(
    source: Repository, c: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("with blank", "new\nline", "größe 尺", "-rf", "$(touch pwned)`", "deep/er/x")
    odd = {name: f"this is {name}\n" for name in names}
    source.write(
        {
            **odd,
            "run.sh": "#!/bin/sh\n",
            "empty": "",
            "kept.txt": "kept\n",
            "stamp.txt": "$Format:%H$\n",
            ".gitattributes": "kept.txt export-ignore\ndeep export-ignore\nstamp.txt export-subst\n",
            ".gitignore": "*.log\n",
        }
    )
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
        "run.sh",
        "empty",
        "kept.txt",
        "stamp.txt",
        ".gitattributes",
        ".gitignore",
        "link",
        "dangling",
        os.fsdecode(b"latin-\xe9"),
    }
    assert (tmp_path / "out/deep").stat().st_mode & 0o777 == 0o755
    assert not [*tmp_path.rglob("pwned")]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 300000\n".format("0" * 64)


def test_a_pointer_of_lfs_is_refused_by_name_with_what_brings_the_file(tmp_path: Path) -> None:
    written = tmp_path / "written"
    (written / "deep").mkdir(parents=True)
    (written / "weights.txt").write_text(f"{POINTER}{'more than a pointer ' * 60}")
    (written / "docs.txt").write_text("version https://git-lfs.github.com/spec/v1 is what a pointer begins with\n")
    refuse_pointers(written, tmp_path)
    (written / "deep/weights.bin").write_text(POINTER)
    with pytest.raises(Exit, match=rf"^deep/weights.bin is an LFS pointer .* git -C {tmp_path} lfs pull ") as caught:
        refuse_pointers(written, tmp_path)
    assert caught.value.code == 1
    (written / "other.bin").write_text(POINTER)
    with pytest.raises(Exit, match=r"^deep/weights.bin and 1 more are LFS pointers"):
        refuse_pointers(written, tmp_path)


def test_names_that_are_no_utf_8_are_spelled_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9") / "größe").touch()
    assert odd_names(tmp_path) == ["caf\\xe9", "caf\\xe9/größe"]
