"""The task `demo`: all three layers and a running service on a machine that has nothing yet."""

import json
import time

from invoke import Context, Exit

from . import machine as engine_task
from .engine import commands, engine
from .engine.engine import Engine
from .host import debian, port
from .host.shell import ask, run
from .program.task import task
from .service.service import Service
from .service.versions import is_child
from .settings.load import load
from .settings.model import ROOT, Frame, Settings

FILE = ROOT / "docker/demo.yaml"
PULLED = "python:3.11-slim-bookworm"  # the demo's first layer where a registry answers
PULL_WITHIN = 20  # seconds to find out whether one does
NAME = "visdom"


@task(help={"remove": "Take away everything that the demo made."})
def demo(c: Context, remove: bool = False) -> None:
    """Build and start everything once, under names of its own.

    Brings a Docker Engine where there is none. The settings are in docker/demo.yaml.
    """
    chosen = demo_settings(c)
    frame = chosen.frames[NAME]
    if remove:
        take_away(c, chosen, frame)
        return
    engine_task.engine(c)
    docker = engine.engine()
    check_port(Service(c, docker, chosen, frame))
    ensure_parent(c, docker, chosen)
    inv = [str(ROOT / "inv"), "-f", str(FILE), *(["--dry"] if c.config.run.dry else [])]
    run(c, [*inv, "frame", "--name", NAME, "start", "--name", NAME], "The demo stopped; the lines above say why.")
    if not c.config.run.dry:
        print(f"\nhttp://127.0.0.1:{frame.port}/ answers {answer(frame)}\n{NEXT_STEPS}", flush=True)


NEXT_STEPS = """
Try next:
  ./inv -f docker/demo.yaml labels         what the running version says of itself
  ./inv -f docker/demo.yaml start          the versions that are here
  change docker/framework, commit, and     ./inv -f docker/demo.yaml frame start
  ./inv demo --remove                      take everything away"""


def demo_settings(c: Context) -> Settings:
    """The settings that the demo's own file gives, whatever file this run was started with."""
    from .program.invoking import StackConfig

    config = StackConfig(project_location=ROOT, runtime_path=FILE)
    config.load_project(merge=False)
    config.load_runtime()
    return load(Context(config))


def check_port(service: Service) -> None:
    """Refuse before anything is built when something else holds the port.

    Raises:
        Exit: with code 1.
    """
    number = service.frame.port
    if service.engine.endpoint.local and port.answers("127.0.0.1", number) and not service.running():
        raise Exit(
            f"Something else listens on port {number}. Stop it (ss -ltnp shows it), then type inv demo again.",
            code=1,
        )


def ensure_parent(c: Context, docker: Engine, chosen: Settings) -> None:
    """Bring the demo's first layer: pulled, or made with mmdebstrap where no registry answers."""
    reference = chosen.base.parent
    if docker.image(reference):
        return
    print(f"Bringing a first layer, {reference}.", flush=True)
    if ask(c, ["timeout", str(PULL_WITHIN), "docker", "manifest", "inspect", PULLED], env=docker.environment).ok:
        was_here = docker.image(PULLED)
        run(c, commands.pull(PULLED), f"{PULLED} cannot be pulled.", env=docker.environment)
        run(c, commands.tag_image(PULLED, reference), f"{PULLED} cannot be tagged.", env=docker.environment)
        if not was_here:  # it is the demo's, and goes when that goes
            run(c, commands.remove_image(PULLED), f"{PULLED} cannot be removed.", env=docker.environment)
        return
    print("No image registry answers: making one with mmdebstrap (about half a minute).", flush=True)
    archive = debian.root_file_system(c)
    run(c, commands.import_image(archive, reference), f"{archive} cannot be imported.", env=docker.environment)


def answer(frame: Frame) -> str:
    """What the service says of itself.

    Raises:
        Exit: with code 1 when it does not answer within 10 s.
    """
    from http.client import HTTPException
    from urllib.request import urlopen

    begun = time.monotonic()
    while time.monotonic() - begun < 10:
        try:
            with urlopen(f"http://127.0.0.1:{frame.port}/", timeout=2) as response:
                return json.dumps(json.load(response))
        except (OSError, HTTPException, ValueError):
            time.sleep(0.1)
    raise Exit(f"Nothing answers on port {frame.port}. See: docker logs {frame.service}", code=1)


def take_away(c: Context, chosen: Settings, frame: Frame) -> None:
    """Remove the demo's containers, images and volume, and nothing else."""
    docker = engine.engine()
    ours = Service(c, docker, chosen, frame).versions(docker.containers())
    env = docker.environment
    for container in ours:
        run(c, commands.remove(container.name, force=True), f"{container.name} cannot be removed.", env=env)
    images = [*made(docker, frame.image), *made(docker, chosen.base.image)]
    if docker.image(chosen.base.parent):
        images.append(chosen.base.parent)
    for image in images:
        run(c, commands.remove_image(image), f"{image} cannot be removed.", env=env)
    if ask(c, ["docker", "volume", "inspect", frame.service], env=env).ok:
        run(c, commands.remove_volume(frame.service), f"The volume {frame.service} cannot be removed.", env=env)
    print("Nothing of the demo is left." if ours or images else "There was nothing to take away.")


def made(docker: Engine, name: str) -> list[str]:
    """The demo's images of this name: by reference, or by id if they lost it. Somebody's image made from one is not."""
    rows = docker.stamped(name)
    named = [tag for row in rows for tag in row.tags if tag.rpartition(":")[0] == name]
    nameless = [image for row in rows if not row.tags and (image := docker.image(row.id))]
    ids = [row.id for row in rows]
    return [*named, *(image.id for image in nameless if not is_child(docker, image, ids))]
