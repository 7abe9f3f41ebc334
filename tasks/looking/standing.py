"""What a version stands on: the base, or a parent of its own; and what the source's HEAD would, built now."""

import json
from collections.abc import Mapping

from ..building.dockerfile import declared
from ..building.instructions import standing
from ..engine import label
from ..service.service import Service


def parent_of(labels: Mapping[str, str]) -> str | None:
    """The id of the parent that a version says it was built on, instead of the base; None if it says none."""
    try:
        found = json.loads(labels.get(label.INPUTS, ""))["parent"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def at_head(service: Service) -> tuple[str | None, str | None]:
    """The ids of the base, or else of the parent, that the frame would be built on now; None where it is not here."""
    frame, settings = service.frame, service.settings
    file, base = settings.path(frame.dockerfile), f"{settings.base.image}:latest"
    args = {**declared(file, {"BASE": base}), **frame.build_args} if file.is_file() else {}
    found = standing(file, args, frame.build_options) if file.is_file() else None
    on_base = found is None or found.stands_on(base)
    image = service.engine.image(base if found is None or on_base else found.root)
    key = image.id if image else None
    return (key, None) if on_base else (None, key)
