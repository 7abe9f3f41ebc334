"""Commits out of git repositories: with submodules, verified, and with nothing of the repository run here."""

import os
import shutil
import time
from pathlib import Path

import pytest
from vendoring.upstreams import Repository, Server, bring, fails, pins, tree, visible

from tasks.vendoring import git_commands, limits


def test_a_commit_with_submodules_and_without_git(tmp_path: Path, repository: Repository, vendor: Path) -> None:
    deep = Repository(tmp_path / "deep")
    deep.commit({"deep.txt": "deep"})
    lib = Repository(tmp_path / "lib")
    lib.commit({"lib.txt": "lib"})
    lib.git("submodule", "--quiet", "add", deep.url, "deep")
    lib.commit({})
    repository.commit({"a.txt": "a"})
    repository.git("submodule", "--quiet", "add", "../lib", "lib")  # a relative URL
    rev = repository.commit({})
    lib.commit({"lib.txt": "newer"})  # the submodule's commit is no longer the tip
    repository.commit({"a.txt": "newer"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    bring(vendor)
    found = tree(vendor / "lib")
    assert found.keys() == {".gitmodules", "a.txt", "lib/.gitmodules", "lib/lib.txt", "lib/deep/deep.txt"}
    assert (found["a.txt"], found["lib/lib.txt"]) == ("a", "lib")


def test_a_folder_of_a_commit(repository: Repository, vendor: Path) -> None:
    rev = repository.commit({"vulcan/src/v.c": "v", "other": "o"})
    pins(vendor, f"vulcan: {{git: '{repository.url}', rev: {rev.upper()}, path: vulcan/src/}}")
    bring(vendor)
    assert tree(vendor / "vulcan") == {"v.c": "v"}


def test_a_submodule_that_the_pin_is_not_about_may_be_gone(
    tmp_path: Path, repository: Repository, vendor: Path
) -> None:
    libs = {name: Repository(tmp_path / name) for name in ("inner", "middle", "theme")}
    for lib in libs.values():
        lib.commit({"x": "x"})
    for where in (libs["middle"], repository):
        for path, lib in (("docs/theme", libs["theme"]), ("lib/in", libs["inner"])):
            where.git("submodule", "--quiet", "add", lib.url, path)
        where.commit({"lib/own": "own"})
    repository.git("submodule", "--quiet", "add", libs["middle"].url, "mid")
    rev = repository.commit({})
    shutil.rmtree(tmp_path / "theme")
    pin = f"{{git: '{repository.url}', rev: {rev}"
    pins(vendor, f"a: {pin}, path: lib}}\nb: {pin}, path: mid/lib}}\nc: {pin}, path: mid/lib/in}}\nd: {pin}}}")
    assert "d was not fetched: git submodule failed: fatal: '" in fails(1, vendor)
    assert tree(vendor / "a") == tree(vendor / "b") == {"own": "own", "in/x": "x"}
    assert tree(vendor / "c") == {"x": "x"}


def test_submodules_come_whatever_this_machines_git_leaves_out(
    tmp_path: Path, repository: Repository, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that its settings do not speak of, those of names that git could take for patterns; and no other hash."""
    inner, middle = Repository(tmp_path / "inner"), Repository(tmp_path / "middle")
    inner.commit({"x": "x"})
    middle.git("submodule", "--quiet", "add", inner.url, "in[1]")
    middle.commit({})
    repository.git("submodule", "--quiet", "add", middle.url, "mid dle")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{inner.git('rev-parse', 'HEAD')},unnamed")
    repository.git("commit", "--quiet", "--message", "a gitlink that is not in .gitmodules")
    rev = repository.git("rev-parse", "HEAD")
    (tmp_path / "gitconfig").write_text(
        '[submodule]\n active = other\n recurse = true\n[submodule "mid dle"]\n active = false\n update = none\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    bring(vendor)
    assert tree(vendor / "lib").keys() == {".gitmodules", "mid dle/.gitmodules", "mid dle/in[1]/x"}


def test_a_commit_that_no_branch_holds_from_a_server_that_wants_a_branch(tmp_path: Path, vendor: Path) -> None:
    origin = Repository(tmp_path / "strict")
    rev = origin.commit({"a": "1"})
    origin.commit({"a": "2"})
    origin.git("config", "protocol.version", "0")
    (tmp_path / "gitconfig").write_text("[protocol]\nversion = 0\n")  # version 0 hands out branches only
    pins(vendor, f"lib: {{git: '{origin.url}', rev: {rev}}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        bring(vendor)
    assert tree(vendor / "lib") == {"a": "1"}


@pytest.mark.parametrize("configured", [False, True], ids=["by variable", "by git's configuration"])
def test_ssh_is_told_to_ask_nobody(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    """The scp form, through a stand-in for ssh that runs what it is told on this machine."""
    origin = Repository(tmp_path / "served")
    rev = origin.commit({"a": "1"})
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    if configured:
        (tmp_path / "gitconfig").write_text(f"[core]\nsshCommand = {ssh}\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    else:
        monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    pins(vendor, f"lib: {{git: 'git@example.com:{origin.folder}', rev: {rev}}}")
    bring(vendor)
    assert tree(vendor / "lib") == {"a": "1"}
    assert "-o BatchMode=yes" in (tmp_path / "said").read_text()


def test_a_commit_that_is_not_there_is_named(repository: Repository, vendor: Path) -> None:
    repository.commit({"a": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {'1' * 40}}}")
    assert f"has no usable commit {'1' * 40}" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_an_annotated_tag_is_no_commit(repository: Repository, vendor: Path) -> None:
    rev = repository.commit({"a": "1"})
    repository.git("tag", "--annotate", "--message", "x", "v1")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {repository.git('rev-parse', 'v1')}}}")
    assert f"the commit {rev}, but the pin says" in fails(1, vendor)


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd"])
def test_a_repository_whose_links_point_out(repository: Repository, vendor: Path, target: str) -> None:
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub/l").symlink_to(target)
    rev = repository.commit({"sub/a": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    assert "points out of its folder" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_a_link_may_not_leave_the_part_that_is_taken(repository: Repository, vendor: Path) -> None:
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub/l").symlink_to("../a")
    (repository.folder / "out").symlink_to("/etc")
    (repository.folder / "in").symlink_to("sub")
    rev = repository.commit({"a": "1", "sub/b": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}, path: sub}}")
    assert "the link l → ../a points out" in fails(1, vendor)
    for path in ("out", "in", "none", "a"):
        pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}, path: {path}}}")
        assert f"there is no folder {path} in commit" in fails(1, vendor)


def test_a_repository_runs_nothing_here(
    tmp_path: Path, repository: Repository, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of the person's own git templates is not run either, nor does a hook's environment confuse git."""
    hook = tmp_path / "templates/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "templates"))
    rev = repository.commit({"a": "1"})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    bring(vendor)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("evil", ["ext::sh -c touch% /tmp/vendor-evil", "http://127.0.0.1:9/x"])
def test_a_submodule_cannot_use_another_protocol(repository: Repository, vendor: Path, evil: str) -> None:
    repository.commit({"a": "1"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    (repository.folder / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = "{evil}"\n')
    repository.git("add", ".gitmodules")
    repository.git("commit", "--quiet", "--message", "evil")
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {repository.git('rev-parse', 'HEAD')}}}")
    assert "lib was not fetched: git submodule failed" in fails(1, vendor)
    assert not Path("/tmp/vendor-evil").exists()


def test_a_repository_from_elsewhere_cannot_take_files_of_this_machine(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submodule with a file URL is right in a file URL's repository, and theft in one that came over the network."""
    secret = Repository(tmp_path / "secret")
    secret.commit({"key": "secret"})
    origin = Repository(tmp_path / "evil")
    origin.git("submodule", "--quiet", "add", secret.url, "sub")
    rev = origin.commit({})
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    pins(vendor, f"lib: {{git: 'ssh://git@example.com{origin.folder}', rev: {rev}}}")
    assert "git submodule failed" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_files_are_what_was_committed_whatever_git_is_set_to(
    tmp_path: Path, repository: Repository, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line endings, links, filters and attributes of the person's own; what the repository itself says still counts."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):  # git-lfs may be set up on this machine
        monkeypatch.setenv(name, os.devnull)
    inner = Repository(tmp_path / "inner")
    for made in (inner, repository):
        (made.folder / "lf").write_bytes(b"a\nb\n")
        (made.folder / "crlf").write_bytes(b"a\r\nb\r\n")
        (made.folder / "link").symlink_to("lf")
        (made.folder / "own.bat").write_bytes(b"a\n")
        own = "own.bat text eol=crlf\nlf filter=evil\nlfs.bin filter=lfs\n"
        made.commit({".gitattributes": own, "lfs.bin": "real"})
    repository.git("submodule", "--quiet", "add", inner.url, "sub")
    rev = repository.commit({})
    config, attributes = tmp_path / "gitconfig", tmp_path / "attributes"
    attributes.write_text("* text eol=crlf ident\n")
    config.write_text(
        f"[core]\nautocrlf = true\neol = crlf\nsymlinks = false\nattributesFile = {attributes}\n"
        '[filter "evil"]\nsmudge = echo evil\nrequired = true\n[filter "lfs"]\nsmudge = echo evil\nrequired = true\n'
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git") or "")
    for name in ("sh", "sed", "basename", "uname"):  # which `git submodule` needs
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # a machine without git-lfs
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}")
    bring(vendor)
    for folder in (vendor / "lib", vendor / "lib/sub"):
        assert (folder / "lf").read_bytes() == b"a\nb\n"
        assert (folder / "crlf").read_bytes() == b"a\r\nb\r\n"
        assert (folder / "link").is_symlink()
        assert (folder / "own.bat").read_bytes() == b"a\r\n"
        assert (folder / "lfs.bin").read_text() == "real"


def test_a_pointer_of_git_lfs_is_refused_by_name(repository: Repository, vendor: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 300000\n"
    rev = repository.commit({"m/weights.bin": pointer, "m/other": "x", "n/a": "1"})
    pins(vendor, f"lib: {{git: '{repository.url}', rev: {rev}}}\nn: {{git: '{repository.url}', rev: {rev}, path: n}}")
    assert "lib was not fetched: m/weights.bin is a pointer of git-lfs and not the file itself" in fails(1, vendor)
    assert visible(vendor) == ["n", "vendor.yaml"]


@pytest.mark.parametrize("login", ["me:s%40cret", "s%40cret"])
def test_a_token_is_no_argument_of_any_program(
    tmp_path: Path, server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """A git server that wants a user and a password; git itself writes down all that it starts."""
    origin = Repository(tmp_path / "o")
    rev = origin.commit({"a": "1"})
    origin.git("update-server-info")
    certificate = server.secure(tmp_path)
    for path in (origin.folder / ".git").rglob("*"):
        if path.is_file():
            server.pages[f"/o.git/{path.relative_to(origin.folder / '.git')}"] = path.read_bytes()
    server.login = "me:s@cret" if ":" in login else "s@cret:"
    (tmp_path / "gitconfig").write_text(f"[credential]\nhelper = !cat >> {tmp_path}/stored; false\n")
    for name, value in {"GIT_CONFIG_GLOBAL": tmp_path / "gitconfig", "GIT_SSL_CAINFO": certificate}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
    url = server.url.replace("//", f"//{login}@")
    pins(vendor, f"lib: {{git: '{url}/o.git', rev: {rev}}}")
    bring(vendor)
    assert tree(vendor / "lib") == {"a": "1"}
    trace = (tmp_path / "trace").read_text()
    assert "git-remote-https" in trace and "cret" not in trace
    assert (tmp_path / "stored").exists() == (":" not in login), "a person's helper may know a user's password"
    server.login = "nobody:else"
    said = fails(1, vendor, force=True)
    assert "lib was not fetched" in said and "cret" not in said


def test_git_that_is_silent_or_fills_the_disk_is_given_up(
    tmp_path: Path, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 60\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    monkeypatch.setattr(git_commands, "SILENCE", 1)
    pins(vendor, f"lib: {{git: 'git@example.com:a', rev: {'1' * 40}}}")
    begun = time.monotonic()
    assert "git fetch was given up: nothing has come for 1 s" in fails(1, vendor)
    assert time.monotonic() - begun < 40
    monkeypatch.setattr(limits, "room", lambda _: 0)
    assert "the disk has no room for it" in fails(1, vendor)
