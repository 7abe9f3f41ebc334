"""How a container really runs, against what its image recommends and what the settings would run today."""

import shlex
from collections.abc import Mapping

from msgspec import Struct

from ..building.secrets import looks_secret
from ..engine import label
from ..engine.names import valid_tag
from ..engine.options import COMMAND, Key, Options
from ..engine.records import ContainerRow, Image
from ..recommended.effect import REST, Effect, effect
from ..service import record
from ..service.service import Service

HIDDEN = "(hidden)"


class Difference(Struct, frozen=True):
    """An option of `docker run` that a container has otherwise than its image recommends, or the settings say.

    `option` is its name, with what it is given for: `--env PATH`, `--volume /data`; `command` is what runs in it. Each
    value is None where the option is not given. `differs_from_recommended` and `differs_from_settings` are None where
    there is nothing to hold it against. The values of a `secret` are never told.
    """

    option: str
    container: str | None
    recommended: str | None
    settings: str | None
    differs_from_recommended: bool | None
    differs_from_settings: bool | None
    secret: bool


class Drift(Struct, frozen=True):
    """All differences. `recommended`: whether the image has a recommended command that can be read."""

    recommended: bool
    differences: tuple[Difference, ...]


def drift(service: Service, container: ContainerRow, image: Image | None, real: Options) -> Drift:
    """How a container's options differ from what is recommended for its image, and from today's settings.

    Args:
        image: the container's; None where it is gone.
        real: how the container runs.
    """
    labels = image.labels if image else container.labels
    tag = label.version_of(labels, container.image)
    written = shlex.join(service.frame.recommended_command(tag if valid_tag(tag) else "latest"))
    said = labels.get(label.COMMAND, "")
    own, about = service.engine.image_options(container.image) if image else {}, service.engine.about
    files = service.settings.start.env_files
    local = files if files and service.engine.shares_files else ()
    found = []
    for text in (said, written):
        command = record.read(text)
        found.append(effect(command, own, about, local) if command and image else None)
    recommended, settings = found
    keys = sorted({*real, *(key for one in found if one for key in one.options)})
    held = [difference(service, key, real, recommended, settings) for key in keys]
    return Drift(recommended is not None, tuple(one for one in held if one))


def difference(
    service: Service, key: Key, real: Options, recommended: Effect | None, settings: Effect | None
) -> Difference | None:
    """What differs in one option; None for nothing."""
    if key in (("network-alias", service.name), (key[0], REST)):  # a switch adds the one
        return None
    verdicts = [None if one is None else unlike(key, real, one) for one in (recommended, settings)]
    if not any(verdicts):
        return None
    values = [real.get(key), *(one.options.get(key) if one else None for one in (recommended, settings))]
    files = {name for one in (recommended, settings) if one for name in one.secret}
    secret = key[0] in ("env", "label") and any(looks_secret(key[1], value or "") for value in values)
    secret |= key[0] == "env" and key[1] in files
    runs, should, would = (hide(key, value, secret) for value in values)
    return Difference(
        option=spelled(key),
        container=runs,
        recommended=should,
        settings=would,
        differs_from_recommended=verdicts[0],
        differs_from_settings=verdicts[1],
        secret=secret,
    )


def unlike(key: Key, real: Mapping[Key, str], wanted: Effect) -> bool:
    """Whether a container has an option otherwise than wanted. What may be anything is never unlike."""
    if key in wanted.options:
        said = wanted.options[key]
        return said is not None and said != real.get(key)
    return key in real and (key[0], REST) not in wanted.options


def hide(key: Key, value: str | None, secret: bool) -> str | None:
    """A value without what may be secret in it."""
    if value is None:
        return None
    if secret or looks_secret("", value):
        return HIDDEN
    if key != COMMAND:
        return value
    return shlex.join(masked(shlex.split(value)))


def masked(words: list[str]) -> list[str]:
    """A command's words without the values of its flags that look like secrets: `--token=…`, `--token …`."""
    shown = []
    before = ""
    for word in words:
        name, equals, value = word.partition("=")
        flag = name.lstrip("-")
        if name.startswith("-") and equals and looks_secret(flag, value):
            word = f"{name}={HIDDEN}"
        elif before.startswith("-") and "=" not in before and looks_secret(before.lstrip("-"), word):
            word = HIDDEN
        shown.append(word)
        before = word
    return shown


def spelled(key: Key) -> str:
    """An option as one types it, with what it is given for."""
    if key == COMMAND:
        return "command"
    return " ".join(word for word in (f"--{key[0]}", key[1]) if word)
