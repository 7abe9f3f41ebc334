"""The task `base`: the second layer."""

from typing import Any

from invoke import Context, Exit, task

from . import vendor
from .shared import building, commands, engine, stamp, vendored
from .shared.context import load_settings
from .shared.engine import Engine
from .shared.settings import ROOT, Settings
from .shared.shell import run


@task(pre=[vendor.fetch_vendor], help={"force": "Build it even if nothing changed."})
def base(c: Context, force: bool = False) -> None:
    """Build the second layer, if missing or its inputs changed.

    Its inputs are the Dockerfile, the pins in vendor/vendor.yaml, the parent image and the build options.
    """
    settings = load_settings(c)
    docker = engine.engine()
    reference = f"{settings.base.image}:latest"
    with building.one_at_a_time(c, settings.base.image):
        dockerfile = building.dockerfile(settings.path(settings.base.dockerfile))
        pins = vendored.describe(vendored.read(ROOT / "vendor/vendor.yaml"))
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
        building.build(c, docker, reference, dockerfile, ROOT, args, labels, settings.base.build_options)
        if not c.config.run.dry:
            remove_former(c, docker, settings)


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


def remove_former(c: Context, docker: Engine, settings: Settings) -> None:
    """Remove the bases that lost their tag, except those that a container or a frame still stands on."""
    rows = {row["Id"]: row for row in docker.labelled(settings.base.image)}
    layers = {image: docker.layers(image) for image in rows}
    bases = [image for image in rows if not inherited(image, rows, layers)]
    orphans = [image for image in bases if rows[image].get("RepoTags") in (None, [], ["<none>:<none>"])]
    if not orphans:
        return
    used = {container.image for container in docker.containers()}
    others = [docker.image_details(image) for image in docker.image_ids() if image not in bases]
    for orphan in orphans:
        if orphan not in used and not any(stands_on(other, orphan, layers[orphan]) for other in others):
            forget(c, docker, orphan)


def inherited(image: str, rows: dict[str, dict[str, Any]], layers: dict[str, list[str]]) -> bool:
    """Whether an image has its labels from a base that it was made from, by hand: that one is not ours to remove."""
    inputs = rows[image]["Labels"].get(stamp.INPUTS)
    below = (layers[other] for other, row in rows.items() if row["Labels"].get(stamp.INPUTS) == inputs)
    return any(layers[image][: len(stack)] == stack != layers[image] for stack in below)


def stands_on(details: dict[str, Any], base: str, layers: list[str]) -> bool:
    """Whether an image was built on this base: by its label, or, without one, by its layers."""
    named = (details.get("Config", {}).get("Labels") or {}).get(stamp.OWN + "base")
    return bool(named == base if named else details.get("RootFS", {}).get("Layers", [])[: len(layers)] == layers)


def forget(c: Context, docker: Engine, orphan: str) -> None:
    """Remove a former base. The new one is in place, so failing here is worth a line and no more."""
    try:
        failed = f"The former base {orphan[7:19]} stays: it cannot be removed."
        run(c, commands.remove_image(orphan), failed, env=docker.environment)
    except Exit as error:
        print(error.message, flush=True)
