"""The task `base`: the second layer."""

from typing import Any

from invoke import Context, Exit

from . import fetch_vendor
from .building import build as building
from .building import stamp
from .building.this_run import remember_base
from .engine import commands, engine, label
from .engine.engine import Engine
from .host.shell import run
from .program.task import task
from .service import recovery
from .settings.model import ROOT, Settings
from .settings.this_run import load_settings
from .vendoring.pins import describe, read_pins


@task(pre=[fetch_vendor.fetch_vendor], help={"force": "Build it anew, and take no step from docker's cache."})
def base(c: Context, force: bool = False) -> None:
    """Build the second layer, if missing or its inputs changed.

    Its inputs are the Dockerfile, the pins in vendor/vendor.yaml, the parent image and the build options.
    """
    settings = load_settings(c)
    docker = engine.engine()
    for frame in settings.frames.values():  # whoever changes an engine first mends what a killed run left there
        recovery.recover(c, docker, settings, frame)
    reference = f"{settings.base.image}:latest"
    with building.one_at_a_time(c, settings.base.image):
        dockerfile = building.dockerfile(settings.path(settings.base.dockerfile), "stack.base.dockerfile")
        pins = describe(read_pins(ROOT / "vendor/vendor.yaml"))
        parent = ensure_parent(c, docker, settings)
        inputs = stamp.base_inputs(settings, dockerfile, pins, parent["id"])
        former = docker.image(reference)
        reason = why(former.labels if former else None, inputs, force)
        if not reason:
            print(f"{reference} is up to date.")
            return
        print(f"Building {reference}: {reason}.", flush=True)
        labels = stamp.base_labels(settings, parent, pins, inputs)
        args = building.declared(dockerfile, {"PARENT": settings.base.parent})
        options = [*settings.base.build_options, *(["--no-cache"] if force else [])]
        building.build(c, docker, reference, dockerfile, ROOT, args, labels, options)
        if c.config.run.dry:
            remember_base(c)
        remove_former(c, docker, settings, former.id if former else "")


def why(labels: dict[str, str] | None, inputs: dict[str, str], force: bool) -> str:
    """The reason to build, in words; "" when there is none. `labels`: those of the present base, None without one."""
    if labels is None:
        return "it is missing"
    if differing := stamp.changed(labels, inputs):
        return f"changed since the last build: {', '.join(differing)}"
    return "--force was given" if force else ""


def ensure_parent(c: Context, docker: Engine, settings: Settings) -> dict[str, str]:
    """Name, id and digest of the first layer, which is pulled if it is not here.

    Raises:
        Exit: with code 1 when it cannot be pulled.
    """
    reference = settings.base.parent
    details = docker.image_details(reference)
    if not details:
        run(
            c,
            commands.pull(reference),
            failed=f"The parent image {reference} (setting stack.base.parent) is not here and cannot be pulled. "
            "Bring it with docker load or docker pull, or name one that is here.",
            env=docker.environment,
        )
        details = docker.image_details(reference) or {"Id": "sha256:unknown"}  # under --dry nothing was pulled
    digests = details.get("RepoDigests") or [details["Id"]]
    return {"name": reference, "id": details["Id"], "digest": digests[0].rpartition("@")[2]}


def remove_former(c: Context, docker: Engine, settings: Settings, former: str) -> None:
    """Remove the bases that lost their tag, except those that a container or a frame still stands on.

    `former` is the id of the one that just lost it: the old script's has no label.
    """
    everything = docker.labelled(settings.base.image, between=True)
    layers = {row["Id"]: docker.layers(row["Id"]) for row in everything}
    rows = [row for row in docker.labelled(settings.base.image) if not inherited(row, everything, layers)]
    if former and former not in layers and (details := docker.image_details(former)):
        rows.append({"Id": former, "RepoTags": details["RepoTags"], "Labels": {}})
        layers[former] = details["RootFS"]["Layers"]
    tagless: list[Any] = [None, [], ["<none>:<none>"]]
    if c.config.run.dry:
        tagless.append([f"{settings.base.image}:latest"])  # the one tag that it would have lost
    orphans = [row for row in rows if row.get("RepoTags") in tagless]
    if not orphans:
        return
    used = {container.image for container in docker.containers()}
    bases = {row["Id"] for row in rows}
    others = [docker.image_details(image) for image in docker.image_ids() if image not in bases]
    for orphan in orphans:
        if orphan["Id"] not in used and not any(stands_on(other, orphan, layers[orphan["Id"]]) for other in others):
            forget(c, docker, orphan["Id"])


def inherited(row: dict[str, Any], everything: list[dict[str, Any]], layers: dict[str, list[str]]) -> bool:
    """Whether an image has its labels from a base that it was made from, by hand: that one is not ours to remove."""
    inputs, mine = row["Labels"].get(label.INPUTS), layers[row["Id"]]
    below = (layers[other["Id"]] for other in everything if other["Labels"].get(label.INPUTS) == inputs)
    return any(mine[: len(stack)] == stack != mine for stack in below)


def stands_on(details: dict[str, Any], base: dict[str, Any], layers: list[str]) -> bool:
    """Whether an image was made from this base: by labels that a frame gets or a child inherits, else by its layers."""
    labels = details.get("Config", {}).get("Labels") or {}
    if named := labels.get(label.BASE):
        return bool(named == base["Id"])
    if inputs := labels.get(label.INPUTS):
        return bool(inputs == base["Labels"].get(label.INPUTS))
    return bool(details.get("RootFS", {}).get("Layers", [])[: len(layers)] == layers)


def forget(c: Context, docker: Engine, orphan: str) -> None:
    """Remove a former base. The new one is in place, so failing here is worth a line and no more."""
    try:
        failed = f"The former base {orphan[7:19]} stays: it cannot be removed."
        run(c, commands.remove_image(orphan), failed, env=docker.environment)
    except Exit as error:
        print(error.message, flush=True)
