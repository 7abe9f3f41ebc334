"""The rows of `frame` after a one-line commit: against the old order of steps, and against a bare `docker build`."""

import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from engines import PrivateEngine
from invoke import Context
from sites import Site

from tasks.building.dockerfile import stamped
from tasks.engine import commands
from tasks.host import debian
from tasks.settings.model import ROOT

from .measuring import Row, interleaved, timed

NAMES = ("frame against old order", "frame against docker build", "frame against docker build of its Dockerfile")
REPLACED = Path(__file__).parent / "replaced"
BASE, IMAGE = "colorai/cauchycv_base", "colorai/cauchycv_visdom"
PARENT = "ufoym/deepo:pytorch-py36-cu90"  # what the old Dockerfile.base says; here it is a Debian 12
IN_BASE, IN_FRAME = "libgl1 libglib2.0-0 python3-numpy", "ffmpeg"  # the same packages as in replaced/
RUNS = {NAMES[0]: 5, NAMES[1]: 9, NAMES[2]: 9}
PORT = 8339  # as in the old Dockerfile; nothing is started


def rows(names: set[str]) -> Iterator[Row]:
    """Measure what was asked for of `NAMES`."""
    if not names & set(NAMES):
        return
    archive = debian.root_file_system(Context())
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="inv-b-") as folder:
        engine.docker("import", str(archive), PARENT)
        team = Team(engine, Path(folder))
        team.site.inv("frame")
        if NAMES[0] in names:
            old, new = interleaved(team.script, team.frame, RUNS[NAMES[0]], warm_up=False)
            what = f"build_docker.sh; apt-get installs {IN_FRAME}"
            yield Row(NAMES[0], what, "inv frame, likewise", old, new, goal=0.1)
        sides = ((NAMES[1], team.bare, "as flags"), (NAMES[2], team.bare_of_stamped, "in the Dockerfile"))
        for name, bare, where in sides:
            if name in names:
                old, new = interleaved(bare, team.frame, RUNS[name])
                what = f"docker build, same arguments, same labels {where}; context of {team.size} kB"
                yield Row(name, what, "inv frame, likewise", old, new, goal=1.3)


class Team:
    """A framework's checkout with the scripts that it had, and this project's settings for it; one base serves both."""

    def __init__(self, engine: PrivateEngine, folder: Path) -> None:
        self.site = Site(engine, PARENT, folder)
        self.environment = {**self.site.environment, "DOCKER_BUILDKIT": "0"}
        self.context = folder / "context"
        self.count = 0
        shutil.copytree(ROOT / "docker/framework", self.site.source, dirs_exist_ok=True)
        shutil.copytree(REPLACED, self.site.source, dirs_exist_ok=True)
        (self.site.source / "external").mkdir()  # the script looks whether this folder is there, and no more
        self.site.dockerfile.write_text(after_from((ROOT / "docker/Dockerfile").read_text(), IN_FRAME))
        dockerfile_base = folder / "Dockerfile.base"
        dockerfile_base.write_text(after_from((ROOT / "docker/Dockerfile.base").read_text(), IN_BASE))
        self.site.settings["base"]["image"] = BASE
        self.site.frame.update(image=IMAGE, service="cauchy_service", port=PORT)
        self.site.save()
        self.commit()

    def commit(self) -> None:
        """Commit a change of one line."""
        self.count += 1
        service = self.site.source / "cauchy_services.py"
        lines = service.read_text().splitlines()
        mark = "# change "
        if lines[-1].startswith(mark):
            lines.pop()
        self.site.commit(service.name, "\n".join([*lines, f"{mark}{self.count}", ""]))

    def script(self) -> float:
        """build_docker.sh after a one-line commit, in seconds."""
        self.commit()
        command = ["bash", str(self.site.source / "build_docker.sh")]
        return timed(command, "Successfully tagged", self.site.source, self.environment)

    def frame(self) -> float:
        """`inv frame` after a one-line commit, in seconds."""
        self.commit()
        return timed(self.inv("frame"), "Successfully tagged", self.site.folder, self.environment)

    @property
    def size(self) -> int:
        """Of the context of the last bare build, in kB."""
        return round(sum(file.stat().st_size for file in self.context.rglob("*") if file.is_file()) / 1e3)

    def bare(self) -> float:
        """The `docker build` that somebody would type for the same image after a one-line commit, in seconds."""
        return self.build(self.site.dockerfile, commands.pairs("--label", self.labels))

    def bare_of_stamped(self) -> float:
        """The `docker build` that `inv frame` itself runs after a one-line commit, in seconds: the rest is its own."""
        file = self.site.folder / "Dockerfile.stamped"
        file.write_bytes(stamped(self.site.dockerfile.read_bytes(), self.labels, []))
        return self.build(file, [])

    def build(self, dockerfile: Path, flags: list[str]) -> float:
        """A one-line commit and a bare `docker build` of it, in seconds."""
        self.commit()
        dry = self.site.inv("--dry", "frame").stdout.splitlines()
        words = shlex.split(next(line for line in dry if line.startswith("docker build ")))
        args = [word for at, word in enumerate(words) if "--build-arg" in (word, words[at - 1])]
        tag = next(word for word in args if word.startswith("TAG=")).removeprefix("TAG=")
        self.check_out()
        command = [
            "docker",
            "build",
            "--tag",
            f"{IMAGE}:{tag}",
            "--file",
            str(dockerfile),
            *args,
            *flags,
            "--network",
            "host",
            str(self.context),
        ]
        return timed(command, "Successfully tagged", self.site.folder, self.environment)

    def check_out(self) -> None:
        """The files of the last commit alone, as the context of a bare build."""
        shutil.rmtree(self.context, ignore_errors=True)
        self.site.git("clone", "--quiet", ".", str(self.context))
        shutil.rmtree(self.context / ".git")

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels that `inv frame` adds to those in the Dockerfile, with the values of the first build."""
        image = self.site.docker("images", "--quiet", IMAGE).split()[-1]
        found = json.loads(self.site.docker("image", "inspect", "--format", "{{json .Config.Labels}}", image))
        own = self.site.dockerfile.read_text()
        return {key: value for key, value in found.items() if f"{key}=" not in own}

    def inv(self, *arguments: str) -> list[str]:
        """What people type, with the settings of this site."""
        return [str(ROOT / "inv"), "-f", str(self.site.file), *arguments]


def after_from(dockerfile: str, packages: str) -> str:
    """A Dockerfile of this project that installs Debian packages as well, above all that changes."""
    lines = dockerfile.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("FROM ")) + 1
    install = (
        f"RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages} "
        "&& rm -rf /var/lib/apt/lists/*"
    )
    return "\n".join([*lines[:place], install, *lines[place:], ""])
