"""What the Docker Engine holds: images, containers, events. Only read: nothing is changed here."""

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from msgspec import structs

from . import label, likeness, options, records
from .client import Client, Unreachable, answer_on, first_line
from .endpoint import resolve
from .facts import Facts, facts
from .names import full_reference, same_repository
from .records import Container, ContainerRow, Image, ImageRow, Step

if TYPE_CHECKING:
    from docker import APIClient


def in_order(tag: str) -> list[str | int]:
    """A key that sorts tags by their numbers: 0.2.10 comes after 0.2.9."""
    parts = re.split("([0-9]+)", tag)  # text and numbers by turns
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def versions(images: Iterable[ImageRow], name: str) -> list[ImageRow]:
    """Those of the images that are stamped with `name`, one row for each of their tags there, newest first."""
    found = [
        structs.replace(row, reference=tag)
        for row in images
        if label.names(row.labels, name)
        for tag in row.tags
        if same_repository(tag, name)
    ]
    return sorted(found, key=lambda image: (image.created, in_order(image.tag)), reverse=True)


class Engine(Client):
    """One Docker Engine: the questions that this project has for it."""

    def image(self, reference: str) -> Image | None:
        """An image by reference or id; None for no such image."""
        found = self.get("images", reference, "json")
        return records.image(found, reference) if found else None

    def each_image(self, ids: Sequence[str]) -> Iterator[Image]:
        """Images by their ids, less those that are gone; each is asked for when it is needed, or some before."""
        for found in self.get_each([f"/images/{one}/json" for one in ids]):
            if found:
                yield records.image(found, found["Id"])

    def images(self, name: str) -> list[ImageRow]:
        """The images stamped with `name`, one row for each of their tags in that repository, newest first.

        A child image inherits the label but has another repository; one that lost its tag has none: neither is here.
        """
        return versions(self.stamped(name), name)

    def stamped(self, name: str, between: bool = False) -> list[ImageRow]:
        """Every image whose name label is `name`, in any of docker's spellings of it, tagged or not.

        Args:
            between: those without a tag that others were made from too.
        """
        rows = self.get("images", "json", filters={"label": [label.NAME]}, all=int(between))
        return [row for row in map(records.image_row, rows or ()) if label.names(row.labels, name)]

    def every_image(self, asked: socket | None = None) -> list[ImageRow]:
        """Every image but those between, tagged or not, whatever its labels.

        Args:
            asked: a connection to this engine on which it was asked for them already.
        """
        if not asked:
            return [records.image_row(row) for row in self.get("images", "json") or ()]
        try:
            said = answer_on(asked)
        except OSError as error:
            raise Unreachable(self.endpoint, first_line(error)) from None
        return [records.image_row(row) for row in self.read(*said) or ()]

    def image_ids(self) -> list[str]:
        """The id of every image, tagged or not."""
        return list(dict.fromkeys(row["Id"] for row in self.get("images", "json") or ()))

    def parents(self) -> dict[str, str]:
        """The image that each one was made from by the legacy builder or a `docker commit`, by their ids.

        Those between are among them; other builders, and what was loaded or pulled, have none.
        """
        rows = self.get("images", "json", all=1) or ()
        return {row["Id"]: row["ParentId"] for row in rows if row.get("ParentId")}

    def steps(self, image: str) -> list[Step]:
        """The instructions that an image was made by, the last one first, those of the images below it too."""
        found = self.get("images", image, "history") or ()
        return [Step(row.get("CreatedBy") or "", row.get("Size") or 0) for row in found]

    def containers(self) -> list[ContainerRow]:
        """Every container, running or not."""
        return [records.container_row(row) for row in self.get("containers", "json", all=1) or ()]

    def container(self, name: str) -> Container | None:
        """A container by name or id; None for no such container."""
        found = self.get("containers", name, "json")
        return records.container(found) if found else None

    def unlike(self, one: str, other: str) -> list[str]:
        """What differs in how two containers are run, as `likeness.unlike` names it; of one that is gone, all of it."""
        left, right = (self.get("containers", name, "json") for name in (one, other))
        if not left or not right:
            return ["Id"]
        image = self.image(left["Image"])
        return likeness.unlike(left, right, image.labels if image else {})

    def run_options(self, name: str) -> options.Options:
        """How a container really runs, as `options.of_container` says it; {} for no such container."""
        found = self.get("containers", name, "json")
        image = self.image(found["Image"]) if found else None
        return options.of_container(found, image.labels if image else {}) if found else {}

    def image_options(self, reference: str) -> options.Options:
        """What an image sets of the options of its containers; {} for no such image."""
        found = self.get("images", reference, "json")
        return options.of_config(found.get("Config") or {}) if found else {}

    def alike(self, one: Image, other: Image) -> bool:
        """Whether two of its images are one in layers, in labels, and in all that they say of their containers.

        In containerd's store an id is that of the manifest, so one image that came by two ways may have two.
        """
        if one.id == other.id:
            return True
        if (one.layers, one.labels) != (other.layers, other.labels):
            return False
        return self.image_options(one.id) == self.image_options(other.id)

    @cached_property
    def about(self) -> options.About:
        """What the engine says of itself."""
        return options.about(self.get("info"))

    def log(self, name: str, lines: int) -> list[str]:
        """The last lines that a container wrote; [] where there are none, as of a container that is being removed."""
        from docker.errors import APIError

        def logs(client: "APIClient") -> bytes:
            try:
                return bytes(client.logs(name, tail=lines))
            except APIError:
                return b""

        output = self.through_sdk(logs)
        return list(output.decode(errors="replace").splitlines())

    @cached_property
    def shares_files(self) -> bool:
        """Whether the engine's files are this machine's, so that a volume's source can be looked at.

        A Unix socket may be mounted into a container, or lead to another machine. So the engine's own folder is looked
        for, and in it a container's: this machine may have an engine of its own with a folder of that name. A user who
        may not look into it is on its machine.
        """
        if not self.endpoint.local:
            return False
        folder = Path(self.get("info")["DockerRootDir"], "containers")
        try:
            folder.stat()
            known = self.containers()
            return not known or any((folder / container.id).exists() for container in known)
        except OSError as error:
            return error.errno == errno.EACCES

    def facts(self) -> Facts:
        """What the engine says of itself.

        Raises:
            Unreachable: when no engine answers.
        """
        return facts(self.get("info") or {})

    def now(self) -> float:
        """The engine's own clock, in seconds since 1970."""
        return records.moment(self.get("info")["SystemTime"])

    def told_to_stop(self, container: str, candidate: str, since: float) -> bool | None:
        """Whether the last thing the engine did to a container was to send it a signal, as `docker stop` does first.

        None when the engine does not remember: it keeps few events, and none of before it was started.

        Args:
            candidate: a container that was created before the first event that counts; its making must be among them.
            since: by the engine's clock; what was before does not count.
        """
        kinds = {"container": [container, candidate], "type": "container", "event": ["create", "kill", "start", "die"]}
        until = self.now()
        found = self.through_sdk(
            lambda client: list(client.events(f"{since:.6f}", f"{until:.6f}", filters=kinds, decode=True))
        )
        if not any(event["Action"] == "create" and event["Actor"]["ID"] == candidate for event in found):
            return None
        acts = [event["Action"] for event in found if event["Actor"]["ID"] == container]
        return acts[-1:] == ["kill"]

    def stopped_lately(self, containers: Iterable[str], since: float) -> set[str]:
        """Those of the containers, by id, that the engine was told to stop since their last start, as far as it knows.

        Args:
            since: seconds since 1970, by the engine's clock.
        """
        kinds = {"container": [*containers], "type": "container", "event": ["start", "stop"]}
        until = self.now()
        found = self.through_sdk(
            lambda client: list(client.events(f"{since:.6f}", f"{until:.6f}", filters=kinds, decode=True))
        )
        last = {event["Actor"]["ID"]: event["Action"] for event in found}
        return {container for container, action in last.items() if action == "stop"}

    def tagged(self, reference: str, since: float) -> list[str]:
        """The ids of the images that got this tag since then, by the engine's clock, in their order."""
        kinds = {"type": "image", "event": ["tag"]}
        until = self.now()
        found = self.through_sdk(
            lambda client: list(client.events(f"{since:.6f}", f"{until:.6f}", filters=kinds, decode=True))
        )
        named = [(event["Actor"]["ID"], event["Actor"]["Attributes"].get("name", "")) for event in found]
        return [image for image, name in named if full_reference(name) == full_reference(reference)]


def current_engine() -> Engine:
    """The engine that this run talks to."""
    return Engine(resolve())
