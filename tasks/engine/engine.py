"""What the Docker Engine holds: images, containers, events. Only read: nothing is changed here."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from invoke import Exit
from msgspec import Struct

from . import unix
from .endpoint import Endpoint, context_files, resolve

if TYPE_CHECKING:
    from docker import APIClient

DENIED = "permission denied"
JOIN = "Use sudo, or type: sudo usermod -aG docker $USER, and log in again."


class Image(Struct, frozen=True):
    """An image: `created` in seconds since 1970, `size` in bytes, `reference` is `repository:tag` or the id."""

    id: str
    reference: str
    labels: dict[str, str]
    created: float
    size: int

    @property
    def tag(self) -> str:
        return self.reference.rpartition(":")[2]


class Container(Struct, frozen=True):
    """A container: `image` is the id of the image it was made from, `state` is docker's (running, exited, …)."""

    id: str
    name: str
    image: str
    state: str
    labels: dict[str, str]

    @property
    def running(self) -> bool:
        return self.state in ("running", "restarting", "paused")


class Unreachable(Exit):
    """No engine answers, or it refuses; exit code 1."""

    def __init__(self, endpoint: Endpoint, reason: str, refusal: bool = False) -> None:
        why = short(reason)
        said = f"answers with an error: {reason}" if refusal else f"does not answer: {why}. Type: inv engine"
        if why == DENIED and endpoint.local and not refusal:
            said = f"may not be used by you. {JOIN}"
        super().__init__(f"The Docker Engine at {endpoint.host} {said}", code=1)


class Engine:
    """One Docker Engine, for reading."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.environment = endpoint.environment()

    def get(self, *path: str, **query: object) -> Any:
        """Ask the engine's API (https://docs.docker.com/reference/api/engine/), in the engine's own version of it.

        An engine behind a Unix socket is asked without the SDK: that takes longer to import than `start` takes in all
        when there is nothing to do.

        Args:
            path: its parts, each of which is quoted.
            query: its parameters; `filters` as a dictionary of lists.

        Returns:
            What JSON says; None when the engine has no such thing.

        Raises:
            Unreachable: when no engine answers or it refuses.
        """
        values = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in query.items()}
        target = "/".join(("", *(quote(part, safe="/:@") for part in path)))
        if values:
            target += "?" + urlencode(values)
        status, body = self.fetch(target)
        if status == 404 or 300 <= status < 400:  # a redirect: to a name that holds `..`
            return None
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None  # cut off, or no engine
        if status >= 400:
            reason = said.get("message") if isinstance(said, dict) else ""
            raise Unreachable(self.endpoint, first_line(reason or f"HTTP status {status}"), refusal=True)
        rows = said if isinstance(said, list) else [said]
        if not all(isinstance(row, dict) for row in rows):
            raise Unreachable(self.endpoint, "what it says is not what an engine says")
        return said

    def fetch(self, target: str) -> tuple[int, bytes]:
        """One question over HTTP, and no redirect followed: the status and the body of the answer."""
        if self.endpoint.socket:
            try:
                return unix.get(self.endpoint.socket, target)
            except OSError as error:
                raise Unreachable(self.endpoint, first_line(error)) from None

        def through_sdk(client: "APIClient") -> tuple[int, bytes]:
            answer = client.get(client.base_url + target, timeout=client.timeout, allow_redirects=False)
            return answer.status_code, answer.content

        found: tuple[int, bytes] = self.ask(through_sdk)
        return found

    def ask(self, question: Callable[["APIClient"], Any]) -> Any:
        """Ask the engine through the docker SDK; None when it has no such thing.

        Raises:
            Unreachable: when no engine answers or it refuses.
        """
        from docker.errors import DockerException, NotFound
        from docker.utils.socket import SocketError
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        try:
            return question(connect(self.endpoint))
        except NotFound:
            return None
        except (DockerException, RequestException, SocketError, HTTPError, OSError) as error:  # the SDK wraps only some
            refusal = getattr(error, "explanation", None)  # it answered, but with an error of its own
            raise Unreachable(self.endpoint, first_line(refusal or error), bool(refusal)) from None

    def image(self, reference: str) -> Image | None:
        """An image by reference or id."""
        found = self.get("images", reference, "json")
        if not found:
            return None
        created = moment(found["Created"]) if found.get("Created") else 0.0
        names = found.get("RepoTags") or []
        name = reference if reference in names or not names else names[0]
        return Image(found["Id"], name, found["Config"].get("Labels") or {}, created, found["Size"])

    def image_details(self, reference: str) -> dict[str, Any]:
        """All that `docker image inspect` says; {} for no such image."""
        return self.get("images", reference, "json") or {}

    def layers(self, reference: str) -> list[str]:
        """The layers of an image from the lowest up, each by the hash of its content; [] for no such image."""
        return list(self.image_details(reference).get("RootFS", {}).get("Layers") or ())

    def images(self, name: str) -> list[Image]:
        """The images whose name label is `name`, one row for each of their tags in that repository, newest first.

        A child image inherits the label but has another repository; one that lost its tag has none: neither is here.
        """
        rows = self.labelled(name)
        found = [
            Image(row["Id"], reference, row["Labels"] or {}, row["Created"], row["Size"])
            for row in rows
            for reference in row.get("RepoTags") or ()
            if reference.rpartition(":")[0] == name
        ]
        return sorted(found, key=lambda image: (image.created, image.reference), reverse=True)

    def labelled(self, name: str, between: bool = False) -> list[dict[str, Any]]:
        """Docker's rows for every image that carries this name label, tagged or not.

        Args:
            between: those without a tag that others were made from too.
        """
        label = {"label": [f"org.label-schema.name={name}"]}
        return list(self.get("images", "json", filters=label, all=int(between)) or ())

    def image_ids(self) -> list[str]:
        """The id of every image, tagged or not."""
        return list(dict.fromkeys(row["Id"] for row in self.get("images", "json") or ()))

    def containers(self) -> list[Container]:
        """Every container, running or not."""
        rows = self.get("containers", "json", all=1) or ()
        return [
            Container(row["Id"], (row["Names"] or ["/"])[0][1:], row["ImageID"], row["State"], row["Labels"] or {})
            for row in rows
        ]

    def container(self, name: str) -> dict[str, Any]:
        """All that `docker inspect` says of a container; {} for no such container."""
        return self.get("containers", name, "json") or {}

    def log(self, name: str, lines: int) -> list[str]:
        """The last lines that a container wrote; [] where there are none, as of a container that is being removed."""
        from docker.errors import APIError

        def logs(client: "APIClient") -> bytes:
            try:
                return bytes(client.logs(name, tail=lines))
            except APIError:
                return b""

        output = self.ask(logs)
        return list(output.decode(errors="replace").splitlines())

    def restarts_by_itself(self, name: str) -> bool:
        """Whether the engine would start a container again after a reboot although it was stopped by hand.

        Source: https://docs.docker.com/engine/containers/start-containers-automatically/
        """
        policy = self.container(name).get("HostConfig", {}).get("RestartPolicy", {}).get("Name", "")
        return policy in ("always", "on-failure")

    def age(self, container: dict[str, Any]) -> float:
        """Seconds since a container was created, by the engine's own clock."""
        return self.now() - moment(container["Created"])

    def now(self) -> float:
        """The engine's own clock, in seconds since 1970."""
        return moment(self.get("info")["SystemTime"])

    def told_to_stop(self, container: str, since: float) -> bool:
        """Whether the last thing the engine did to a container was to send it a signal, as `docker stop` does first.

        Args:
            since: by the engine's clock; what was before does not count.
        """
        kinds = {"container": container, "type": "container", "event": ["kill", "start", "die"]}
        until = self.now()
        found = self.ask(lambda client: list(client.events(f"{since:.6f}", f"{until:.6f}", filters=kinds, decode=True)))
        return bool(found) and found[-1]["Action"] == "kill"


@lru_cache
def connect(endpoint: Endpoint) -> "APIClient":
    """The SDK's client for an endpoint; made once."""
    from docker import APIClient
    from docker.tls import TLSConfig
    from docker.utils import kwargs_from_env

    if endpoint.context:
        meta, folder = context_files(endpoint.context)
        careless = json.loads(meta.read_text())["Endpoints"]["docker"].get("SkipTLSVerify", False)
        ca, cert, key = (
            str(path) if (path := folder / name).exists() else None for name in ("ca.pem", "cert.pem", "key.pem")
        )
        tls = TLSConfig(client_cert=(cert, key) if cert and key else None, ca_cert=ca, verify=not careless)
        return APIClient(base_url=endpoint.host.replace("tcp://", "https://"), tls=tls, version="auto")
    if endpoint.host.startswith("ssh://"):
        from . import ssh

        return ssh.client(endpoint.host)
    tls = kwargs_from_env().get("tls", False) if endpoint.host.startswith("tcp://") else False
    return APIClient(base_url=endpoint.host, tls=tls, version="auto")


def engine() -> Engine:
    """The engine that this run talks to."""
    return Engine(resolve())


def moment(text: str) -> float:
    """The engine's RFC 3339 times, such as 2019-08-30T14:46:20.123456789Z, in seconds since 1970."""
    head, fraction, zone = re.fullmatch(r"([^.Z+]+?)(\.\d+)?(Z|[+-]\d\d:\d\d)", text).groups()  # type: ignore[union-attr]
    return datetime.fromisoformat(head + zone.replace("Z", "+00:00")).timestamp() + float(fraction or 0)


def short(reason: str) -> str:
    """The telling end of the SDK's nested messages."""
    for marker in ("No such file or directory", "Connection refused", "Permission denied", "Connection aborted"):
        if marker.lower() in reason.lower():
            return marker.lower()
    return reason.rstrip(".")


def first_line(reason: object) -> str:
    """The first line of a message, or what kind of error it is."""
    return (str(reason).splitlines() or [type(reason).__name__])[0]
