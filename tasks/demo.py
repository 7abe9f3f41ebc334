"""The task `demo`: all three layers and a running service on a machine that has nothing yet."""

from invoke import Context

from .host.saying import say
from .program.task import task
from .settings.root import ROOT

FILE = ROOT / "docker/demo.yaml"
NAME = "visdom"
NEXT_STEPS = """
Try next:
  ./inv -f docker/demo.yaml status         what runs, and whether it is what it should be
  ./inv -f docker/demo.yaml images         the versions that are here
  ./inv -f docker/demo.yaml doctor         what is missing on this machine
  change docker/framework, commit, and     ./inv -f docker/demo.yaml frame start
  ./inv demo --remove                      take everything away"""


@task(help={"remove": "Take away everything that the demo made."})
def demo(c: Context, remove: bool = False) -> None:
    """Build and start everything once, under names of its own.

    Brings a Docker Engine where there is none. The settings are in
    docker/demo.yaml.
    """
    from .building import first_layer
    from .engine.client import DENIED, Unreachable
    from .engine.endpoint import resolve
    from .engine.engine import Engine
    from .host import dockerd
    from .host.shell import Show, run
    from .service.removal import remove_all
    from .service.service import Service
    from .service.visit import answer, check_port
    from .settings.load import load_file

    settings = load_file(c, FILE)
    endpoint = resolve()
    service = Service(c, Engine(endpoint), settings, settings.frames[NAME])
    if remove:
        removed = remove_all(service)
        if not (removed and service.dry):
            say("Nothing of the demo is left." if removed else "There was nothing to take away.")
        return
    found = dockerd.bring(c, endpoint.host, endpoint.environment(), denied=Unreachable(endpoint, DENIED))
    say(f"Docker Engine {found or 'would answer'} at {endpoint.host}.")
    check_port(service)
    first_layer.bring(c, service.engine, settings.base.parent)
    inv = [str(ROOT / "inv"), "-f", str(FILE), *(["--dry"] if service.dry else [])]
    words = [*inv, "frame", "--name", NAME, "start", "--name", NAME]
    run(c, words, "The demo stopped; the lines above say why.", show=Show.DISPLAY)
    if not service.dry:
        print(f"\nhttp://127.0.0.1:{service.frame.port}/ answers {answer(service)}\n{NEXT_STEPS}", flush=True)
