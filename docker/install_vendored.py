"""Install what inv fetch-vendor brought with this image's own Python, without network; fail where it is not as pinned.

Whatever Python the parent has runs this: it is written for 3.6 and needs nothing but pip. Wheels come first, then what
is built, each after those that its build files name; what does not come out as pinned is built once more after the
others. Usage: python install_vendored.py FOLDER
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

MANIFEST = ".pin.json"
NOT_INSTALLED = " (not installed)"  # the end of a pin that says `install: false`
BUILD_FILES = ("pyproject.toml", "setup.cfg", "setup.py")  # where a project says what its build needs
BUILD_SYSTEM = re.compile(r"""^\s*(\[\s*)?["']?build-system["']?\s*[].=]""", re.MULTILINE)
PIP = [sys.executable, "-m", "pip"]
# --no-deps: in this order and from these files, or not at all. --force-reinstall: the parent's own of that version is
# not what was pinned.
INSTALL = ["install", "--no-index", "--no-cache-dir", "--no-build-isolation", "--no-deps", "--force-reinstall"]
# Asked in a new process, whose path has the folders that pip has made.
LOOK = """
import json
try:
    from importlib.metadata import distributions
    found = []
    for d in distributions():
        try:
            found.append((d.metadata["Name"], d.version))
        except Exception:  # what somebody has left half removed
            pass
except ImportError:
    from pkg_resources import working_set
    found = [(d.project_name, d.version) for d in working_set]
print(json.dumps(found))
"""
# PIP_NO_INDEX: setuptools fetches what setup_requires names with a pip of its own.
ENVIRONMENT = dict(os.environ, PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")


class Library:
    """A folder that fetch-vendor made.

    `pin` is its line in the manifest; `what` is what to hand to pip, or None. `project` and `version` are the pin's; of
    a tree, nothing is known but the folder's name.
    """

    def __init__(self, folder):
        self.name = self.project = folder.name
        self.pin = self.version = ""
        if (folder / MANIFEST).is_file():
            self.pin = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["pin"]
        self.is_pypi = self.pin.startswith("pypi ")
        if self.is_pypi:
            self.project, _, self.version = self.pin.split()[1].partition("==")
        files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
        self.what = None
        if self.pin.endswith(NOT_INSTALLED):
            return
        if self.is_pypi or (len(files) == 1 and files[0].suffix == ".whl"):
            self.what = files[0]
        elif is_project(folder):
            self.what = folder


def main(vendor):
    """Install everything below a folder."""
    libraries = [Library(folder) for folder in sorted(vendor.iterdir()) if folder.is_dir()]
    libraries = [library for library in libraries if library.what]
    wheels = [library for library in libraries if library.what.suffix == ".whl"]
    names = install([library.what for library in wheels]) if wheels else []
    if names is None:
        fail("the wheels in vendor/")
    names += build_all([library for library in libraries if library not in wheels])
    if libraries:
        wrong = differences(libraries)
        if wrong:
            hint = "What a build takes its version from (setuptools_scm, say) must be pinned too."
            sys.exit(f"{'; '.join(wrong.values())}. {hint}")
        require(names)


def is_project(folder):
    """Whether a tree can be installed: a pyproject.toml may be there for a formatter alone."""
    settings = folder / "pyproject.toml"
    if (folder / "setup.py").is_file():
        return True
    return settings.is_file() and bool(BUILD_SYSTEM.search(settings.read_text(encoding="utf-8", errors="replace")))


def in_order(libraries):
    """The same, each after those whose names stand in its build files."""
    texts = {library.name: build_text(library.what) for library in libraries}
    todo, done = list(libraries), []
    while todo:
        ready = [one for one in todo if not any(mentions(texts[one.name], other) for other in todo if other is not one)]
        done.append((ready or todo)[0])
        todo.remove(done[-1])
    return done


def mentions(text, library):
    """Whether a project's name stands in a text, in any of its spellings."""
    spelled = "[-_.]+".join(re.escape(part) for part in re.split("[-_.]+", library.project))
    return bool(re.search(rf"(?<![\w.-]){spelled}(?![\w-])", text, re.IGNORECASE))


def build_text(what):
    """The files in which a source says what its build needs, as one text."""
    texts = []
    try:
        if what.is_dir():
            texts = [(what / name).read_bytes() for name in BUILD_FILES if (what / name).is_file()]
        elif what.suffix == ".zip":
            with zipfile.ZipFile(str(what)) as package:
                texts = [package.read(name) for name in package.namelist() if is_build_file(name)]
        else:
            with tarfile.open(str(what)) as package:
                texts = [package.extractfile(one).read() for one in package if one.isfile() and is_build_file(one.name)]
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError):
        pass  # pip will say what is wrong with it
    return b"\n".join(texts).decode("utf-8", "replace")


def is_build_file(name):
    """Whether a name in an sdist is that of a build file of its top folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return len(parts) == 2 and parts[1] in BUILD_FILES


def build_all(libraries):
    """Install each; returns the names of the projects.

    A build may need more than its build files name (Twisted 20 does): what fails, or comes out as another version than
    the pin, is built again as long as that helps others.
    """
    names, todo = [], in_order(libraries)
    while todo:
        made = [(library, build(library)) for library in todo]
        names += [name for _, projects in made for name in projects or []]
        failed = [library for library, projects in made if projects is None]
        wrong = differences(todo)
        left = [library for library in todo if library in failed or library.name in wrong]
        if len(left) == len(todo):
            return names if not failed else fail(f"vendor/{failed[-1].name} ({failed[-1].pin})")
        todo = left
        if todo:
            print(f"Once more, after the others: {', '.join(library.name for library in todo)}", flush=True)
    return names


def build(library):
    """Install an sdist or a tree; of a tree, a copy: what was vendored stays as it is. None where pip cannot."""
    if not library.what.is_dir():
        return install([library.what])
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, library.name)
        shutil.copytree(str(library.what), str(copy), symlinks=True, ignore=shutil.ignore_patterns(MANIFEST))
        return install([copy])


def install(what):
    """Have pip install these; returns the names of the projects, as it says in the end, or None where it cannot."""
    words = [*INSTALL, *map(str, what)]
    print(f"+ python -m pip {' '.join(words)}", flush=True)
    process = subprocess.Popen([*PIP, *words], stdout=subprocess.PIPE, env=ENVIRONMENT)
    last = b""
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        last = line if line.startswith(b"Successfully installed ") else last
    if process.wait():
        return None
    return [word.rpartition("-")[0] for word in last.decode("utf-8", "replace").split()[2:]]


def fail(owner):
    """Exit, naming what pip could not install."""
    sys.exit(
        f"pip could not install {owner}; its lines above say why. There is no network here: "
        "what a build needs must be in the parent image, or pinned too."
    )


def differences(libraries):
    """Folder → how what is installed differs from its pin: a build that lacks its tools may end well."""
    found, wrong = {}, {}
    for name, version in json.loads(subprocess.check_output([sys.executable, "-c", LOOK]).decode("utf-8")):
        found.setdefault(plain(name or ""), version)  # the first on the path is the one that is imported
    for library in libraries:
        version = found.get(plain(library.project))
        if library.is_pypi and (version is None or not same(version, library.version)):
            got = f"calls itself {version}" if version else "is not there afterwards"
            pinned = f"{library.project}=={library.version}"
            wrong[library.name] = f"vendor/{library.name} is pinned as {pinned}, but what was installed {got}"
    return wrong


def plain(name):
    """A project's name in the one spelling that counts."""
    return re.sub("[-_.]+", "-", name).lower()


def same(one, other):
    """Whether two versions are equal, whatever their spelling."""
    try:
        from pip._vendor.packaging.version import Version

        return Version(one) == Version(other)
    except (ImportError, ValueError):
        return one == other


def require(names):
    """Let pip look whether everything is there that the installed projects say they need."""
    if names and subprocess.call([*PIP, "install", "--no-index", "--quiet", *names], env=ENVIRONMENT):
        sys.exit(
            "A vendored library needs what the line above names, in a version that is neither in the parent image nor "
            "pinned. Pin it in vendor/vendor.yaml too."
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
