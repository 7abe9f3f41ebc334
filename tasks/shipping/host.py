"""An engine that images go to: which layers it holds, and what it lacks of one image."""

from collections.abc import Iterable, Mapping, Sequence

from invoke import Exit
from msgspec import Struct

from ..engine.client import Unreachable
from ..engine.commands import elsewhere
from ..engine.endpoint import named
from ..engine.engine import Engine
from ..engine.names import repository_of
from ..engine.options import Options
from ..engine.records import Image, ImageRow
from .saved import Blob

ENVELOPE = 20_480  # bytes of an archive, about, beside the layers: what describes the image, and what fills it up
CLEAN: dict[str, str | None] = {"DOCKER_HOST": None, "DOCKER_CONTEXT": None}


class Host(Struct, frozen=True):
    """An engine by the name that somebody typed: a docker context, or an address; "" for the one of this run."""

    name: str
    engine: Engine

    @classmethod
    def of(cls, name: str) -> "Host":
        """Raises Exit with code 2 for a name that means no engine."""
        return cls(name, Engine(named(name)))

    @property
    def environment(self) -> dict[str, str | None]:
        """For its commands: they name the engine themselves."""
        return CLEAN if self.name else self.engine.environment

    @property
    def where(self) -> tuple[str, ...]:
        """What tells docker of this engine; () for that of this run."""
        if not self.name:
            return ()
        variable = "://" in self.name or self.name == "default"  # what `default` is hangs on DOCKER_HOST
        return ("--host", self.engine.endpoint.host) if variable else ("--context", self.name)

    def command(self, command: Sequence[str]) -> list[str]:
        """A docker command for this engine, spelled so that it can be pasted."""
        return elsewhere(self.where, command)


def hosts_of(names: str) -> list[Host]:
    """The engines that are named, with commas or spaces between; each once.

    Raises:
        Exit: with code 2 when there is none, or a name means no engine.
    """
    found = [Host.of(name) for name in dict.fromkeys(names.replace(",", " ").split())]
    if not found:
        raise Exit("Name a host: a docker context, or an address such as ssh://user@host.", code=2)
    return found


class Cargo(Struct, frozen=True):
    """An image to bring elsewhere. `blobs`: its layers as they lie in this engine's store, by digest; {} by their own.

    `options` is what it sets of its containers' options. `sizes` are the bytes of its layers from the lowest up, less
    those that are empty, of which docker does not say where they are; () where it does not know them.
    """

    engine: Engine
    reference: str
    image: Image
    options: Options
    sizes: tuple[int, ...]
    blobs: Mapping[str, Blob] = {}

    @classmethod
    def of(cls, engine: Engine, reference: str) -> "Cargo":
        """The image that a reference names.

        Raises:
            Exit: with code 1 when somebody has removed it.
        """
        found = engine.image(reference)
        if not found:
            raise Exit(f"{reference} was removed meanwhile.", code=1)
        sizes = tuple(step.size for step in reversed(engine.steps(reference)) if step.size)
        known = len(sizes) == len(found.layers) or sum(sizes) >= found.size
        return cls(engine, reference, found, engine.image_options(reference), sizes if known else ())

    def size_above(self, held: int) -> int:
        """About the bytes of an archive of the layers above so many; those of all where no layer's are known."""
        lacking = len(self.image.layers) - held
        if not held or (lacking and not self.sizes):
            return self.image.size
        return ENVELOPE + sum(self.sizes[len(self.sizes) - min(lacking, len(self.sizes)) :])


class Need(Struct, frozen=True):
    """What a host needs: nothing if it is `there`, else the layers above the lowest `held`, which its image `like` has.

    `containerd`: its kind of image store. `moved`: the id of another image that has this name there; "" for none.
    """

    there: bool
    held: int
    containerd: bool
    moved: str = ""
    like: Image | None = None


def need_of(host: Host, cargo: Cargo) -> Need:
    """Ask a host what it needs.

    Raises:
        Unreachable: when it does not answer.
    """
    containerd = host.engine.facts().containerd
    present = host.engine.image(cargo.reference)
    if present and same(host.engine, present, cargo):
        return Need(True, len(cargo.image.layers), containerd)
    count, like = held(host.engine, cargo)
    return Need(False, count, containerd, moved=present.id if present else "", like=like)


def same(engine: Engine, image: Image, cargo: Cargo) -> bool:
    """Whether an image on another engine is this very one, in layers, labels and all that it says of its containers.

    The id tells it only between two classic stores: in containerd's it is that of the manifest.
    """
    return image.id == cargo.image.id or (
        image.layers == cargo.image.layers
        and image.labels == cargo.image.labels
        and engine.image_options(image.id) == cargo.options
    )


def stays(engine: Engine, reference: str) -> bool:
    """Whether an engine has an image that is to be taken away.

    containerd's store takes one whose configuration the engine cannot read, and then shows no image at all until that
    is removed; so one that it refuses to show counts too.
    """
    try:
        return engine.image(reference) is not None
    except Unreachable as error:
        return error.refusal


def held(engine: Engine, cargo: Cargo) -> tuple[int, Image | None]:
    """How many of an image's layers an engine has, from the lowest, and its image that has them.

    That is the longest common beginning over all its images: an engine keeps a layer with all below it.
    """
    most, like, wanted = 0, None, cargo.image.layers
    rows = likely_first(engine.every_image(), cargo.reference)
    for image in engine.each_image(list(dict.fromkeys(row.id for row in rows))):
        count = common(image.layers, wanted)
        if count > most:
            most, like = count, image
        if most == len(wanted):
            break
    return most, like


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common beginning."""
    for place, pair in enumerate(zip(one, other, strict=False)):
        if pair[0] != pair[1]:
            return place
    return min(len(one), len(other))


def likely_first(rows: Iterable[ImageRow], reference: str) -> list[ImageRow]:
    """An engine's images, first those of this repository, and the newest of them first."""
    repository = repository_of(reference)
    return sorted(rows, key=lambda row: (repository not in map(repository_of, row.tags), -row.created))
