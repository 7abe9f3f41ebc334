"""What a rollout is asked for: a version, as every node knows its image, the checked command, and how long to wait."""

import re

from invoke import Exit

from ..engine import commands
from ..engine.records import ImageRow
from ..host.text import brief
from ..recommended.command import Recommended, parse
from ..recommended.forms import duration
from ..service import registry, versions
from ..service.order import Wishes, checked_command, command_text
from ..service.service import Service
from .stack import Plan, as_service
from .watch import INTERVAL, STOP, Pace


def planned(service: Service, image: ImageRow, wishes: Wishes, default_runtime: str, digest: str) -> Plan:
    """What is to run on each node.

    Args:
        digest: the one that the registry knows the image by; "" where each node has the image already, by its id.

    Raises:
        Exit: as `checked_command` does, with code 1 for what a service has no word for, with 2 for what is no digest.
    """
    tag = versions.tag_of(service.frame, image)
    text = command_text(service, image, wishes.from_settings)
    as_service(parse(text, f"{service.frame.image}:{tag}"), tag, default_runtime)  # before a question in vain
    command = checked_command(service, image, wishes)
    if digest and not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        raise Exit(f"{brief(digest)} is no digest. inv push prints it: sha256: and 64 characters.", code=2)
    name = f"{registry.repository(service)}@{digest}" if digest else image.id
    return Plan(service.name, name, tag, command, default_runtime)


def verify(service: Service, image: ImageRow, plan: Plan) -> None:
    """Make sure that the registry's image is the one whose labels and command were read here.

    Raises:
        Exit: with code 1 when it is another one, or cannot be fetched.
    """
    if plan.image == image.id:
        return
    service.do(commands.pull(plan.image), f"{plan.image} cannot be fetched; the lines above say why.")
    found, here = service.engine.image(plan.image), service.engine.image(image.id)
    if service.dry or (found and here and service.engine.alike(found, here)):
        return
    raise Exit(f"{plan.image} is another image than {image.reference} here. Nothing was changed.", code=1)


def pace_of(service: Service, image: str, command: Recommended | None = None) -> Pace:
    """How long to wait for a node: until its old version ended, and the new one was looked at and had its time.

    Args:
        command: how the image is run, where that is known.
    """
    said = service.engine.image_options(image)
    given = command.value if command else (lambda name: None)
    checked = ("health-cmd", "") in said or given("health-cmd")
    interval = given("health-interval") or said.get(("health-interval", "")) or f"{INTERVAL:g}s"
    start = service.settings.start
    stop = float(given("stop-timeout") or STOP)
    return Pace(start.timeout + start.settle + stop + (duration(interval) if checked else 0), start.settle)
