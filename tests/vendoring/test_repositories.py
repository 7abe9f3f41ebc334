"""Commits out of git repositories: with submodules, verified, and with nothing of the repository run here."""

from pathlib import Path

import pytest
from vendoring.upstreams import Repository, bring, fails, pins, tree, visible


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
