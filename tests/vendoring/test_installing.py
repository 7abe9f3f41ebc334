"""What was fetched, installed as docker/Dockerfile.base does it: by a real pip, in an environment of its own."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from sites import ROOT
from vendoring import projects_to_build as projects
from vendoring.upstreams import Repository, Server, bring, index_page, pins, zipped

SCRIPT = ROOT / "docker/install_vendored.py"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own with the pip of this one, as a parent image has it."""
    folder = tmp_path_factory.mktemp("parent") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = find_spec("pip")
    assert pip and pip.origin, "the environment of the tests has no pip"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "pip").symlink_to(Path(pip.origin).parent)
    return folder / "bin/python"


def install(python: Path, vendor: Path, code: int = 0) -> str:
    """Run the script as the Dockerfile does; returns what it says, or of a failure its last line."""
    done = subprocess.run([python, SCRIPT, vendor], capture_output=True, text=True, cwd=vendor)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr.splitlines()[-1]


def installed(python: Path) -> dict[str, str]:
    """Project → version, as that Python sees them."""
    look = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found: dict[str, str] = json.loads(subprocess.check_output([python, "-c", look], text=True))
    return found


@pytest.mark.slow
def test_the_base_holds_what_its_pins_say(server: Server, vendor: Path, tmp_path: Path, python: Path) -> None:
    """Wheels, legacy sdists, projects out of git; tools before what they build, whatever the order of the names."""
    served = {
        "a-bz2": ("a_bz2-1.0.tar.bz2", projects.sdist("a_bz2", "bz2", "zz_tool")),
        "zz_tool": ("zz_tool-1.0.zip", projects.sdist("zz_tool", "zip")),
        "A.wheel": ("a_wheel-1.0-py3-none-any.whl", projects.wheel("a_wheel", needs="a-bz2")),
        "broken": ("broken-1.0.tar.xz", b"no archive"),
    }
    listed = {name: index_page(server, f"{name}==1.0", file, data) for name, (file, data) in served.items()}
    listed["broken"] = listed["broken"].replace("}", ", install: false}")
    project = Repository(tmp_path / "project")
    data = Repository(tmp_path / "data")
    (data.folder / "demo_data.tar.gz").write_bytes(b"samples, and no library")
    (data.folder / "demo_data.zip").write_bytes(zipped({"a": b"1"}))
    formatter = {"pyproject.toml": "[tool.black]\nline-length = 100\n", "models/m.py": "", "data/d.py": ""}
    off = Repository(tmp_path / "off")
    revs = [
        project.commit(projects.files("tree", version="3.1", tool="zz_tool")),
        data.commit(formatter),
        off.commit({"setup.py": "raise SystemExit('a script that only has that name')"}),
    ]
    for rev, made in zip(revs, (project, data, off), strict=True):
        listed[made.folder.name] = f"{{git: '{made.url}', rev: {rev}, install: {made is not off}}}"
    pins(vendor, "\n".join(f"{name.lower().replace('.', '_')}: {pin}" for name, pin in listed.items()))
    bring(vendor)
    install(python, vendor)
    assert installed(python) == {"a_bz2": "1.0", "zz_tool": "1.0", "a_wheel": "1.0", "tree": "3.1"}
    bring(vendor, check=True)  # building has left nothing in what was vendored


def test_a_build_that_does_not_say_what_it_needs_comes_after_it(server: Server, vendor: Path, python: Path) -> None:
    """As Twisted 20, which asks for `incremental` in a module of its own."""
    made = {
        "a_fails-1.0.tar.bz2": projects.sdist("a_fails", "bz2", setup="import m_late\n"),
        "b_wrong-1.0.tar.gz": projects.sdist("b_wrong", "gz", tool="z_tool", say=False),
        "m_late-1.0.tar.gz": projects.sdist("m_late", "gz", setup="import z_tool\n"),
        "z_tool-1.0.zip": projects.sdist("z_tool", "zip"),
    }
    names = {file.split("-")[0]: (file, data) for file, data in made.items()}
    pins(vendor, "\n".join(f"{name}: {index_page(server, f'{name}==1.0', *sent)}" for name, sent in names.items()))
    bring(vendor)
    said = install(python, vendor)
    assert "Once more, after the others: a_fails, b_wrong, m_late\n" in said
    assert "Once more, after the others: a_fails\n" in said
    assert dict.fromkeys(names, "1.0").items() <= installed(python).items()


def test_another_version_than_the_pins_fails_and_names_both(server: Server, vendor: Path, python: Path) -> None:
    data = projects.sdist("pluggish", "gz", tool="no_such_tool")
    pins(vendor, f"pluggish: {index_page(server, 'pluggish==1.0', 'pluggish-1.0.tar.gz', data)}")
    bring(vendor)
    said = install(python, vendor, code=1)
    assert said.startswith("vendor/pluggish is pinned as pluggish==1.0, but what was installed calls itself 0.0.0.")


def test_what_is_needed_and_what_cannot_be_built_is_named(server: Server, vendor: Path, python: Path) -> None:
    data = projects.wheel("needy", needs="nowhere-to-be-found")
    pins(vendor, f"needy: {index_page(server, 'needy==1.0', 'needy-1.0-py3-none-any.whl', data)}")
    bring(vendor)
    assert "that is neither in the parent image nor pinned" in install(python, vendor, code=1)
    pins(vendor, f"bad: {index_page(server, 'bad==1.0', 'bad-1.0.tar.bz2', b'no archive')}")
    bring(vendor)
    assert "vendor/bad (pypi bad==1.0 sha256:" in install(python, vendor, code=1)


def test_an_empty_folder_needs_no_pip(vendor: Path) -> None:
    pins(vendor, "")
    assert install(Path(sys.executable), vendor) == ""
