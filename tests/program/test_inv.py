"""`inv`: from a machine that has only Python to a task, and what it says when it cannot."""

import ast
import base64
import fcntl
import hashlib
import importlib.metadata
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke import Config, Context, Task
from projects import PROGRAM_FILE, copy, inv, run
from sites import ROOT, free_port

from tasks.host import debian

# Stands where Invoke and the tasks would: says which version of the one package is there, and what it was asked.
PROGRAM = """import sys, pebble
print("pebble", pebble.VERSION, *sys.argv[1:])
"""
INSTALLING = "Installing what the tasks need into .venv (once) …\n"


def wheel(folder: Path, version: str) -> str:
    """Make a wheel of the package `pebble` and return the line that pins it."""
    path = folder / f"pebble-{version}-py3-none-any.whl"
    info = f"pebble-{version}.dist-info"
    files = {
        "pebble.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pebble\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    hashes = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = [f"{name},sha256={hashes[name]},{len(files[name])}" for name in files]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a date: the same version is the same file
    return f"pebble=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Small:
    """A project with the real `inv` and the real installer, one small package, and a stand-in for the tasks."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project, it's"
        self.wheels = folder / "wheels"
        self.requirements = self.root / "requirements.txt"
        self.environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri(), "PIP_NO_CACHE_DIR": "1"}
        if folder.joinpath("said.json").exists():  # another worker's
            return
        (self.root / "tasks/program").mkdir(parents=True)
        self.wheels.mkdir()
        shutil.copy(ROOT / "inv", self.root)
        shutil.copy(ROOT / "tasks/program/install.py", self.root / "tasks/program")
        (self.root / "tasks/program/program.py").write_text(PROGRAM)
        self.pin("1.0")

    def pin(self, version: str) -> None:
        """Change requirements.txt to this version of the package, which is there to be installed."""
        self.requirements.write_text(wheel(self.wheels, version))

    def inv(
        self, *arguments: str, code: int = 0, cwd: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Type `./inv …`."""
        command = [self.root / "inv", *arguments]
        return run(command, code=code, cwd=cwd or self.root, env={**self.environment, **environment})

    def start(self, *arguments: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Type `./inv …` without waiting for it, in a process group of its own."""
        return subprocess.Popen(
            [self.root / "inv", *arguments],
            cwd=cwd or self.root,
            env={**os.environ, **self.environment},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_when(self, true: Callable[[], bool]) -> str:
        """Type `./inv` and kill it with all that it started, as soon as something is true. Returns what it said."""
        typed = self.start()
        for _ in range(6000):
            if true():
                break
            assert typed.poll() is None, f"it never became true: {typed.communicate()}"
            time.sleep(0.005)
        os.killpg(typed.pid, signal.SIGKILL)
        said = "".join(typed.communicate())
        assert typed.returncode == -signal.SIGKILL
        return said


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A small project that was installed by three at once, from a folder with misleading modules in it, after a kill.

    Tests do not change it: it is made once, by the first worker that needs it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "small"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return Small(folder)
        here = hostile(tmp_path_factory.mktemp("here"))
        small = Small(folder)
        small.kill_when((small.root / ".venv/bin/python").exists)
        typed = [small.start("--list", cwd=here) for _ in range(3)]
        said = [one.communicate() for one in typed]
        (folder / "said.json").write_text(json.dumps([[one.returncode for one in typed], said]))
    return small


@pytest.fixture
def installed(untouched: Small, small: Small) -> Small:
    """A small project that is installed already, to be changed."""
    shutil.copytree(untouched.root / ".venv", small.root / ".venv", symlinks=True)
    assert small.inv().stderr == ""
    return small


def hostile(folder: Path) -> Path:
    """Fill a folder with modules that Python would find first, were it told to look where one stands."""
    for name in ("venv", "pip", "logging", "subprocess", "pebble", "invoke"):
        (folder / f"{name}.py").write_text("raise SystemExit('a module of the folder was imported')\n")
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A whole Debian that has python3 but neither python3-venv nor anything of this project, to be used with chroot."""
    root = tmp_path_factory.mktemp("bare")
    archive = debian.root_file_system(Context(Config(overrides={"run": {"in_stream": False}})))
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", root], check=True)
    yield root
    shutil.rmtree(root)


@pytest.mark.slow
def test_first_use_on_a_fresh_clone_installs_everything_and_lists_the_tasks(tmp_path: Path) -> None:
    project = copy(tmp_path / "clone", installed=False)
    first = run([project / "inv", "--list"], cwd="/", env={"PIP_NO_COMPILE": "1"})  # what is imported, Python compiles
    assert first.stderr == INSTALLING
    assert "fetch-vendor" in first.stdout and "start" in first.stdout
    assert run([project / "inv", "--list"], cwd="/").stderr == ""
    assert run(["git", "status", "--porcelain"], cwd=project).stdout == ""
    for name in ("inv", "invoke"):
        assert run([project / ".venv/bin" / name, "--list"], cwd="/").stdout == first.stdout


@pytest.mark.slow
def test_packages_are_installed_again_only_when_requirements_changed(installed: Small) -> None:
    assert installed.inv("a b", "", "$HOME", "*").stdout == "pebble 1.0 a b  $HOME *\n"
    installed.pin("2.0")
    again = installed.inv()
    assert (again.stdout, again.stderr) == ("pebble 2.0\n", INSTALLING)
    assert installed.inv().stderr == ""


def test_an_installation_that_fails_says_why_and_leaves_the_former_one(installed: Small) -> None:
    installed.requirements.write_text("pebble==3.0 --hash=sha256:" + "0" * 64)
    assert one_sentence(installed.inv(code=1)).startswith(
        "Could not install requirements.txt: Could not find a version"
    )
    installed.pin("1.0")
    assert installed.inv().stderr == ""
    installed.pin("2.0")
    (installed.wheels / "pebble-2.0-py3-none-any.whl").write_bytes(b"another content")
    assert "DO NOT MATCH THE HASHES" in one_sentence(installed.inv(code=1))
    installed.pin("1.0")
    assert installed.inv().stderr == ""


def test_after_a_kill_three_at_once_install_once_and_all_work(untouched: Small) -> None:
    codes, said = json.loads((untouched.wheels.parent / "said.json").read_text())
    assert codes == [0, 0, 0], said
    assert [out for out, _ in said] == ["pebble 1.0 --list\n"] * 3
    assert sorted(error for _, error in said) == ["", "", INSTALLING]


@pytest.mark.slow
def test_killed_before_it_is_done_the_next_one_begins_anew(installed: Small) -> None:
    """Killed when pip has done all. What comes after a kill in the middle of making it is in `untouched`."""
    python = installed.root / ".venv/bin/python"
    (installed.root / ".venv/requirements.txt").unlink()
    python.unlink()
    python.symlink_to("/bin/false")
    broken = python.resolve()
    assert installed.kill_when(lambda: python.exists() and python.resolve() != broken) == INSTALLING


def test_killed_half_way_through_an_upgrade_the_next_one_begins_anew(installed: Small) -> None:
    installed.pin("2.0")
    installed.kill_when((installed.root / ".venv/requirements.txt.former").exists)
    package = next(installed.root.glob(".venv/lib/*/site-packages/pebble.py"))
    package.write_text("half a")  # the worst that pip can leave: it believes that 1.0 is installed
    installed.pin("1.0")
    assert installed.kill_when(lambda: not package.exists()) == INSTALLING


def test_what_a_killed_installer_left_running_is_waited_for(installed: Small) -> None:
    installed.pin("2.0")
    typed = installed.start()
    while not (installed.root / ".venv/requirements.txt.former").exists():
        time.sleep(0.002)
    installer = Path(f"/proc/{typed.pid}/task/{typed.pid}/children").read_text().split()[0]
    while not (pip := Path(f"/proc/{installer}/task/{installer}/children").read_text().split()):
        time.sleep(0.002)
    os.kill(int(pip[0]), signal.SIGSTOP)
    os.kill(int(installer), signal.SIGKILL)  # pip lives on, alone
    typed.wait()
    second = installed.start()
    time.sleep(1.5)
    assert (installed.root / ".venv/requirements.txt.former").exists(), "it did not wait, and began anew"
    os.kill(int(pip[0]), signal.SIGCONT)
    while (installed.root / ".venv/requirements.txt.former").exists():  # until it begins anew
        assert second.poll() is None
        time.sleep(0.002)
    os.killpg(second.pid, signal.SIGKILL)
    assert second.communicate() == ("", INSTALLING)
    typed.communicate()


def test_ctrl_c_while_installing_is_no_traceback(small: Small) -> None:
    typed = small.start()
    while not (small.root / ".venv/bin/python").exists():
        time.sleep(0.005)
    os.killpg(typed.pid, signal.SIGINT)
    said = "".join(typed.communicate())
    assert "Traceback" not in said
    assert typed.returncode in (130, -signal.SIGINT)


def test_a_venv_whose_python_is_gone_is_made_anew(installed: Small) -> None:
    for name in ("python", "python3"):
        link = installed.root / ".venv/bin" / name
        link.unlink()
        link.symlink_to("/nowhere/python3")
    assert installed.kill_when((installed.root / ".venv/bin/python").exists) == INSTALLING


@pytest.mark.parametrize("writable", [True, False])
def test_a_venv_whose_python_this_user_may_not_reach_gets_a_sentence(writable: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are root's alone
        folder, venv = Path(name), Path(name, ".venv")
        for path in ("inv", "tasks/program/install.py", "requirements.txt"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
        (folder / "private").mkdir(mode=0o700)
        (venv / "bin").mkdir(parents=True)
        (venv / "bin/python").symlink_to(folder / "private/python")
        folder.chmod(0o755)
        venv.chmod(0o777 if writable else 0o755)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin"]
        said = run([*nobody, folder / "inv", "--list"], code=1).stderr
        way = f"rm -r {venv}, then the same again."
        if not writable:
            way = f"its owner has to type: rm -r {venv}; PATH=/usr/bin:/bin {folder}/inv --list"
        found = f"You may not use the Python that {venv} was made with, {folder}/private/python."
        assert said == f"{found} For a new one: {way}\n"


def test_packages_of_another_python_get_a_sentence(tmp_path: Path) -> None:
    program = tmp_path / "tasks/program/program.py"
    program.parent.mkdir(parents=True)
    shutil.copy(ROOT / "tasks/program/program.py", program)
    venv = tmp_path / ".venv"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", venv], check=True)
    said = run([venv / "bin/python", "-I", program, "--list"], code=1).stderr
    assert (
        said == f"What is in .venv does not fit this Python (No module named 'invoke'). Type: rm -r {tmp_path}/.venv\n"
    )


def test_a_task_module_that_is_no_python_gets_a_sentence(tmp_path: Path) -> None:
    project = copy(tmp_path / "project")
    (project / "tasks/base.py").write_text("def base(:\n")
    assert run([project / "inv", "--list"], code=1).stderr == f"{project}/tasks/base.py, line 1: invalid syntax.\n"


def test_it_works_from_any_folder_and_through_symlinks(untouched: Small, tmp_path: Path) -> None:
    small = untouched
    here = tmp_path / "here"
    here.mkdir()
    expected = "pebble 1.0 x\n"
    assert small.inv("x", cwd=hostile(here)).stdout == expected
    assert small.inv("x", cwd=small.root / "tasks").stdout == expected
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "first").symlink_to(small.root / "inv")
    (binaries / "second").symlink_to("first")
    (tmp_path / "inv").symlink_to("bin/second")
    (tmp_path / "-n").symlink_to("inv")
    environment = {"PATH": f"{binaries}:{os.environ['PATH']}", "CDPATH": "/"}
    for command in (["./inv", "x"], ["sh", "inv", "x"], ["second", "x"], [tmp_path / "bin/../inv", "x"], ["./-n", "x"]):
        assert run(command, cwd=tmp_path, env=environment).stdout == expected, command
    assert run([small.root / ".venv/bin/inv", "x"], cwd=here).stdout == expected


def test_its_own_share_of_a_start_is_small(untouched: Small, tmp_path: Path) -> None:
    """The whole way through `inv`, with a program in place of Python that does nothing, against a shell that does."""
    root = tmp_path / "project"
    shutil.copytree(untouched.root, root, symlinks=True)
    python = root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/bin/true")

    def seconds(*command: str | Path) -> float:
        before = os.times()
        for _ in range(25):
            subprocess.run(command, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    ratios = [seconds(root / "inv", "--list") / seconds("/bin/sh", "-c", "/bin/true; /bin/true") for _ in range(4)]
    print(f"inv itself takes {min(ratios):.1f} times the processor time of a shell that runs two programs")
    assert min(ratios) < 4


# What a machine may lack: one sentence, exit code 1, and nothing that stands in the way of the next try.


def one_sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """What was said, less the announcement; it must be a single line."""
    said = done.stderr.removeprefix(INSTALLING)
    assert done.stdout == "" and len(said.splitlines()) == 1, done.stderr
    return said


def test_without_python3(small: Small, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "cmp", "readlink"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    said = one_sentence(small.inv(code=1, PATH=str(tmp_path / "bin")))
    assert said == "There is no python3 here. Install it: apt-get install python3 python3-venv\n"
    assert not (small.root / ".venv").exists()


def test_without_python3_venv_on_a_bare_debian(small: Small, bare: Path) -> None:
    inside = bare / "project"
    shutil.copytree(small.root, inside)
    done = run(
        ["unshare", "--net", "chroot", bare, "env", "-i", "PATH=/usr/bin:/bin", "/project/inv", "--list"], code=1
    )
    assert one_sentence(done) == (
        "This Python cannot make virtual environments. Install the rest of it: apt-get install python3-venv\n"
    )
    assert not (inside / ".venv").exists()
    shutil.rmtree(inside)


def test_with_an_older_python(small: Small, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/python3"
    pretend = (
        "import runpy, sys; sys.version_info = (3, 9, 2); sys.version = '3.9.2 (default)'; sys.argv = sys.argv[1:]; "
    )
    pretend += "runpy.run_path(sys.argv[0], run_name='__main__')"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -I -c "{pretend}" "$@"\n')
    old.chmod(0o755)
    said = one_sentence(small.inv(code=1, PATH=f"{tmp_path}/bin:{os.environ['PATH']}"))
    assert said == "inv needs Python 3.11 or newer; python3 is 3.9.2.\n"
    assert not (small.root / ".venv").exists()
    ast.parse((ROOT / "tasks/program/install.py").read_text(), feature_version=(3, 7))  # or it would be a SyntaxError


def test_without_network(installed: Small) -> None:
    installed.pin("2.0")
    index = f"http://127.0.0.1:{free_port()}/simple"
    command = ["env", "-u", "PIP_NO_INDEX", "-u", "PIP_FIND_LINKS", f"PIP_INDEX_URL={index}", "PIP_RETRIES=1"]
    said = one_sentence(run([*command, installed.root / "inv"], code=1, env={"PIP_NO_CACHE_DIR": "1"}))
    assert said == (
        "The package index does not answer, so requirements.txt cannot be installed. "
        "Check the network and the index (PIP_INDEX_URL), then type the same again.\n"
    )
    assert installed.inv().stdout == "pebble 2.0\n"


def read_only(root: Path, *command: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run a command that sees a folder, but cannot write in it, as if it were another user's."""
    mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    return run(["unshare", "--mount", "sh", "-c", mount, "sh", root, *command], code=code)


def test_in_a_folder_that_cannot_be_written(small: Small) -> None:
    said = one_sentence(read_only(small.root, small.root / "inv", code=1))
    way_out = f"Make {small.root} writable, then type the same again."
    assert said == f"Cannot write {small.root}/.venv: Read-only file system. {way_out}\n"


def test_an_installed_project_may_be_read_only(untouched: Small) -> None:
    assert read_only(untouched.root, untouched.root / "inv", "x").stdout == "pebble 1.0 x\n"


# The tasks, as `inv` shows them.


ORDER = [
    "fetch-vendor",
    "base",
    "frame",
    "labels",
    "images",
    "changes",
    "history",
    "start",
    "stop",
    "rollback",
    "ship",
    "bundle",
    "unbundle",
    "push",
    "pull",
    "rollout",
    "status",
    "logs",
    "shell",
    "prune",
    "dev",
    "weights",
    "engine",
    "doctor",
    "completion",
    "demo",
    "test",
    "bench",
]


def test_list_shows_the_tasks_in_the_order_of_the_work_each_with_one_line() -> None:
    shown = inv("--list", COLUMNS="80").stdout
    lines = [line for line in shown.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == ORDER
    for line in lines:
        said = re.sub(r"^ +\S+( \(\w+\))? +", "", line)
        assert len(line) < 80 and said[0].isupper() and said.endswith("."), line


@pytest.fixture(scope="module")
def tasks() -> "dict[str, Task[Any]]":
    """The tasks by the names that people type."""
    from tasks import ns

    return {name.replace("_", "-"): task for name, task in ns.tasks.items()}


def test_every_flag_of_every_task_is_explained(tasks: "dict[str, Task[Any]]") -> None:
    assert list(tasks) == ORDER
    for name, task in tasks.items():
        shown = inv("--help", name).stdout
        assert task.__doc__ and task.__doc__.splitlines()[0] in shown
        for argument in task.get_arguments():
            assert argument.help and len(argument.help.split()) > 2, f"{name} --{argument.name} is not explained"
            flag = str(argument.name).replace("_", "-").rstrip("-")
            assert f"--{flag}" in shown.replace("[no-]", "") or f"  -{flag} " in shown, f"{name}: {flag}"
            assert argument.help in " ".join(shown.split()), f"{name}: {flag}"


def test_the_help_of_a_task_fits_a_terminal_of_80_columns(tasks: "dict[str, Task[Any]]") -> None:
    said = {name: inspect.getdoc(task) or "" for name, task in tasks.items()}  # Invoke shows it indented by two
    assert [name for name, text in said.items() if max(map(len, text.splitlines())) > 78] == []


def test_every_task_is_made_with_the_projects_own_decorator(tasks: "dict[str, Task[Any]]") -> None:
    from tasks.program.task import StackTask

    assert [name for name, task in tasks.items() if not isinstance(task, StackTask)] == []


def test_no_flag_has_a_letter_that_means_another_one_elsewhere(tasks: "dict[str, Task[Any]]") -> None:
    """Invoke would make -t of --tag in one task and of --trust in another."""
    short = {
        (task.name, name)
        for task in tasks.values()
        for one in task.get_arguments()
        for name in one.names
        if len(name) == 1
    }
    assert short == {("test", "k")}


def test_no_task_swallows_the_name_of_the_next(tasks: "dict[str, Task[Any]]") -> None:
    positional = {name: [one.name for one in task.get_arguments() if one.positional] for name, task in tasks.items()}
    # Where is what nobody can guess; what is typed behind these is one of them.
    asked = {"ship": ["hosts"], "bundle": ["file"], "unbundle": ["file"]}
    assert {name: found for name, found in positional.items() if found} == asked


def test_python_finds_the_same_tasks_as_invoke() -> None:
    assert not (ROOT / "tasks/__init__.py").exists()
    look = "import tasks, tasks.start; print(tasks.__file__, tasks.ns.tasks['start'] is tasks.start.start)"
    assert run([sys.executable, "-c", look], cwd=ROOT).stdout == f"{ROOT}/tasks.py True\n"


@pytest.mark.parametrize("typed", [["--list"], ["--complete", "--", "inv sta"], ["--help", "start"]], ids=" ".join)
def test_looking_at_the_tasks_imports_nothing_slow_and_asks_nobody(typed: list[str], tmp_path: Path) -> None:
    for name in ("git", "docker"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$0" >> {tmp_path}/called\n')
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = run([sys.executable, "-I", "-X", "importtime", PROGRAM_FILE, *typed], env={"PATH": path}, cwd=tmp_path)
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    imported = {module.partition(".")[0] for module in modules}
    assert "invoke" in imported and "tasks" in imported, "the measurement itself works"
    slow = {
        "docker",
        "questionary",
        "prompt_toolkit",
        "rich",
        "ruamel",
        "requests",
        "psutil",
        "urllib3",
        "hypothesis",
    }
    assert not imported & (slow | ({"msgspec"} if typed == ["--list"] else set()))
    assert not modules & {"urllib.request", "http.client"}
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("typed", ["--list", "--help start", "--version"])
def test_nobody_who_reads_on_is_no_traceback(typed: str) -> None:
    command = f"{sys.executable} -I {PROGRAM_FILE} {typed} | true"
    for _ in range(2):
        done = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) in ((1, ""), (0, ""))


def test_without_any_output_a_task_still_works() -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -I {PROGRAM_FILE} --list {closed}"], capture_output=True
        )
        assert done.returncode == 0 and b"Traceback" not in done.stdout + done.stderr
    refused = f"{sys.executable} -I {PROGRAM_FILE} no-such-task 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", refused], capture_output=True).returncode in (1, 2)


def test_packages_that_are_half_there_are_told(tmp_path: Path) -> None:
    started = f"import runpy; runpy.run_path({str(PROGRAM_FILE)!r}, run_name='__main__')"
    for module, task in (("msgspec.structs", "labels"), ("invoke.config", "--list")):
        gone = f"import sys; sys.argv[1:] = [{task!r}]; sys.modules[{module!r}] = None\n"
        done = run([sys.executable, "-I", "-c", f"{gone}{started}"], code=1)
        assert done.stderr.startswith(f"What is in .venv does not fit this Python (import of {module} halted; None in ")
    assert inv("--version").stdout == f"inv {importlib.metadata.version('invoke')}\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["no-such-task"],
            "No idea what 'no-such-task' is! Type inv --list for the tasks, inv --help TASK for its flags.",
        ),
        (["start", "--no-such"], "No idea what '--no-such' is! Type inv --list"),
        (["start", "--tag"], "Flag --tag needed value and was not given one! Type inv --list"),
        (["start", "--wait", "long"], "A flag needs a whole number, and 'long' is none. Type inv --list"),
        (["--no-such-core"], "No idea what '--no-such-core' is!"),
        (["--help", "no-such-task"], "No idea what 'no-such-task' is! Type inv --list"),
        (["-f", "/no/such.yaml", "labels"], "There is no settings file /no/such.yaml. Check the path after -f."),
        (["--command-timeout", "long", "labels"], "A flag needs a whole number, and 'long' is none."),
        (["-f", "/tmp", "labels"], "There is no settings file /tmp."),
        (["-f", "/etc/hosts", "labels"], "/etc/hosts cannot be a settings file: its name ends in none of .yaml, .yml,"),
        (["labels", "--json", "--key", "x"], "--json prints all labels and --key one value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_typed_wrong_ends_with_2_and_a_sentence(typed: list[str], said: str) -> None:
    done = inv(*typed, code=2)
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1 and said in done.stderr


def test_nothing_typed_is_a_question_for_help() -> None:
    said = inv().stdout
    assert said.startswith(inv("--list").stdout) and said == inv("--dry").stdout
    assert "inv --help TASK" in said and "inv doctor" in said and "Usage: inv" not in said
    assert max(map(len, said.splitlines())) < 80
    assert "Usage: inv" in inv("--help").stdout


def test_broken_yaml_is_named_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    for text, line in (("stack:\n  series: [1\n  url: x\n", 3), ("stack:\n\tdata: /x\n", 2), ("a: b: c\n", 1)):
        file.write_text(text)
        said = inv("-f", file, "labels", code=2).stderr
        assert said.startswith(f"{file}, line {line}: not valid YAML (") and len(said.splitlines()) == 1
    project = copy(tmp_path / "project")
    (project / "invoke.yaml").write_text("stack:\n  base: {image\n")
    said = run([project / "inv", "labels"], code=2).stderr
    assert said.startswith(f"{project}/invoke.yaml, line 3: not valid YAML (") and len(said.splitlines()) == 1
    file.write_bytes(b"stack:\n  series: \xff\xfe\n")
    assert inv("-f", file, "labels", code=2).stderr == f"{file} cannot be read: it is not UTF-8.\n"


def test_a_broken_file_in_the_home_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".invoke.yaml"
    file.write_text("run: [\n")
    assert inv("--list", code=2, HOME=str(tmp_path)).stderr.startswith(f"{file}, line 2: not valid YAML (")
    file.write_text("stack: colorai\n")
    said = inv("--list", code=2, HOME=str(tmp_path)).stderr
    assert said == f"Setting stack in {file}: expected `key: value` lines where invoke.yaml has them, and only there.\n"


def test_a_file_that_holds_no_settings_is_named(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("- a\n- list\n")
    said = inv("-f", file, "labels", code=2).stderr
    assert said == f"{file}: expected settings, as `key: value` lines, and found a list.\n"
    other = tmp_path / "site.txt"
    other.write_text("stack: {}\n")
    said = inv("-f", other, "labels", code=2).stderr
    assert str(other) in said and len(said.splitlines()) == 1


def test_a_variable_that_cannot_become_its_setting_ends_with_2() -> None:
    done = inv("labels", code=2, INVOKE_STACK_START_KEEP="many")
    assert done.stderr.startswith("The variable INVOKE_STACK_START_KEEP needs a whole number, and 'many' is none.")
    assert len(done.stderr.splitlines()) == 1
    done = inv("labels", code=2, INVOKE_STACK_START_REHEARSE="never")
    assert done.stderr.startswith(
        "The variable INVOKE_STACK_START_REHEARSE needs true or false, and 'never' is neither."
    )
    done = inv("frame", code=1, INVOKE_RUN_SHELL="/nope")
    assert done.stderr == "There is no shell /nope. Name one: INVOKE_RUN_SHELL=/bin/sh inv …\n"
    done = inv("labels", code=2, INVOKE_STACK_START_ALLOW="env,volume")
    assert "INVOKE_STACK_START_ALLOW" in done.stderr and len(done.stderr.splitlines()) == 1
