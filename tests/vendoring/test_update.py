"""Moving a git pin to another commit."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from vendoring.upstreams import Repository, Server, bring, fails, index, pins, tree

from tasks.vendoring.pins import read_pins

AROUND = """\
# first
lib:    {{git: '{url}',   # where
         rev: "{rev}", path: sub}}   # which

other:  # kept
  git: {url}
  rev: {rev}
"""


@pytest.fixture
def moving(repository: Repository, vendor: Path) -> tuple[str, str, str]:
    """A pin in place; its old commit, the branch's newest one, and one on another branch."""
    old = repository.commit({"sub/a": "old"})
    (vendor / "vendor.yaml").write_text(AROUND.format(url=repository.url, rev=old))
    bring(vendor)
    repository.git("checkout", "--quiet", "-b", "side")
    side = repository.commit({"sub/a": "side"})
    repository.git("tag", "--annotate", "--message", "x", "v2")
    repository.git("checkout", "--quiet", "main")
    return old, repository.commit({"sub/a": "new"}), side


def test_update_moves_to_the_newest_commit_and_keeps_the_rest_of_the_file(
    repository: Repository, vendor: Path, moving: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, _ = moving
    file = vendor / "vendor.yaml"
    before = file.read_text()
    bring(vendor, update="lib", dry=True)
    assert file.read_text() == before
    capsys.readouterr()
    bring(vendor, update="lib")
    assert f"lib: {old} → {new}" in capsys.readouterr().out
    assert file.read_text() == before.replace(old, new, 1), "not one other character, nor the other library's pin"
    assert YAML(typ="safe").load(file)["lib"]["rev"] == new
    assert tree(vendor / "lib") == {"a": "new"}
    bring(vendor, update="lib")
    assert f"lib is at {new} already." in capsys.readouterr().out


@pytest.mark.parametrize("to", ["side", "v2", "id"])
def test_update_to_a_branch_a_tag_or_a_commit(vendor: Path, moving: tuple[str, str, str], to: str) -> None:
    side = moving[2]
    bring(vendor, update="lib", to=side if to == "id" else to)
    assert read_pins(vendor / "vendor.yaml")["lib"].rev == side  # type: ignore[union-attr]
    assert tree(vendor / "lib") == {"a": "side"}


def test_update_follows_the_pins_own_branch(vendor: Path, moving: tuple[str, str, str]) -> None:
    file = vendor / "vendor.yaml"
    file.write_text(file.read_text().replace("path: sub", "path: sub, branch: side"))
    bring(vendor, update="lib")
    assert tree(vendor / "lib") == {"a": "side"}


@pytest.mark.parametrize("to", ["none", "abc123", "--upload-pack=touch /tmp/vendor-evil", "2" * 40])
def test_a_pin_never_names_what_cannot_be_had(vendor: Path, moving: tuple[str, str, str], to: str) -> None:
    before = (vendor / "vendor.yaml").read_text()
    fails(1, vendor, update="lib", to=to)
    assert (vendor / "vendor.yaml").read_text() == before
    assert tree(vendor / "lib") == {"a": "old"}
    assert not Path("/tmp/vendor-evil").exists()


def test_an_edit_keeps_a_pin_from_moving(vendor: Path, moving: tuple[str, str, str]) -> None:
    before = (vendor / "vendor.yaml").read_text()
    (vendor / "lib/a").write_text("mine")
    assert "edited by hand (a): move your edits away, or add --force" in fails(1, vendor, update="lib")
    assert (vendor / "vendor.yaml").read_text() == before
    bring(vendor, update="lib", force=True)
    assert tree(vendor / "lib") == {"a": "new"}


def test_only_git_pins_move(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    assert "thing is no git pin" in fails(2, vendor, update="thing")
