"""Talking to a Docker Engine: one question over HTTP, through its Unix socket or the docker SDK. Only for reading."""

import json
import re
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from invoke import Exit
from msgspec.json import decode

from .endpoint import Endpoint

if TYPE_CHECKING:
    from docker import APIClient

AT_ONCE, AHEAD = 8, 64  # questions to an engine behind TCP; and how many are asked before an answer is looked at
TIMEOUT = 60.0  # seconds without a byte, as the docker SDK has it
REASONS = (
    *("No such file or directory", "Connection refused", "Permission denied", "Connection aborted"),
    *("No route to host", "Network is unreachable", "Name or service not known", "timed out"),
)
DENIED = "permission denied"
JOIN = "Use sudo, or log in again after: sudo usermod -aG docker $USER"


class Unreachable(Exit):
    """No engine answers, or it answers with a `refusal`; exit code 1."""

    def __init__(self, endpoint: Endpoint, reason: str, refusal: bool = False) -> None:
        self.refusal = refusal
        reason = re.sub(r"^rpc error: code = \w+ desc = ", "", reason)  # of a swarm's manager
        why = short(reason)
        said = (
            f"answers with an error: {reason}" if refusal else f"does not answer: {why}. Type: {way_to_see(endpoint)}"
        )
        if why == DENIED and endpoint.local and not refusal:
            said = f"may not be used by you. {JOIN}"
        elif insecure := by_tls(reason):
            see = f"docker context inspect {endpoint.context}" if endpoint.context else "DOCKER_CERT_PATH"
            said = f"{insecure}. See: {see}"
        super().__init__(f"The Docker Engine at {endpoint.host} {said}", code=1)


def way_to_see(endpoint: Endpoint) -> str:
    """What to type about an engine that does not answer: here it can be started, elsewhere docker and ssh say why."""
    if endpoint.local:
        return "inv engine"
    where = ("--context", endpoint.context) if endpoint.context else ("--host", endpoint.host)
    return shlex.join(("docker", *where, "version"))


class Client:
    """The way to one engine. `environment` is what the docker CLI needs to talk to the same one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.environment = endpoint.environment()

    def get(self, *path: str, **query: object) -> Any:
        """Ask the engine's API (https://docs.docker.com/reference/api/engine/), in the engine's own version of it.

        Args:
            path: its parts, each of which is quoted.
            query: its parameters; `filters` as a dictionary of lists.

        Returns:
            What JSON says: an object, or a list of objects; None when the engine has no such thing.

        Raises:
            Unreachable: when no engine answers or it refuses.
        """
        values = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in query.items()}
        target = "/".join(("", *(quote(part, safe="/:@") for part in path)))
        if values:
            target += "?" + urlencode(values)
        status, body = self.fetch(target)
        if path[-1] == "history" and body.strip() == b"null":  # an image in containerd's store may have none
            return []
        return self.read(status, body)

    def get_each(self, targets: Sequence[str]) -> Iterator[Any]:
        """Ask several questions, each as `get` does: what to get is quoted as in a URL. Behind SSH that takes one way.

        Raises:
            Unreachable: when no engine answers or it refuses.
        """
        if self.endpoint.socket:
            yield from (self.read(*self.fetch(target)) for target in targets)
            return
        if not self.endpoint.host.startswith("ssh://"):  # each waits for the way there and back
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(AT_ONCE) as pool:
                for first in range(0, len(targets), AHEAD):
                    answers = pool.map(self.fetch, targets[first : first + AHEAD])
                    yield from (self.read(*answer) for answer in answers)
            return
        from . import ssh

        try:
            for status, body in ssh.answers(self.endpoint.host, targets, TIMEOUT):
                yield self.read(status, body)
        except OSError as error:
            raise Unreachable(self.endpoint, first_line(error)) from None

    def read(self, status: int, body: bytes) -> Any:
        """What an answer says, as `get` returns it.

        Raises:
            Unreachable: when it is a refusal, or no engine's.
        """
        if status == 404 or 300 <= status < 400:  # a redirect: to a name that holds `..`
            return None
        try:
            said = decode(body)
        except ValueError:
            said = None  # cut off, or no engine
        if status >= 400:
            reason = said.get("message") if isinstance(said, dict) else ""
            raise Unreachable(self.endpoint, first_line(reason or f"HTTP status {status}"), refusal=True)
        rows = said if isinstance(said, list) else [said]
        if not all(isinstance(row, dict) for row in rows):
            raise Unreachable(self.endpoint, "what it says is not what an engine says")
        return said

    def fetch(self, target: str) -> tuple[int, bytes]:
        """One question over HTTP, and no redirect followed: the status and the body of the answer.

        An engine behind a Unix socket is asked without the SDK: that takes longer to import than `start` takes in all
        when there is nothing to do.
        """
        if self.endpoint.socket:
            try:
                return over_socket(self.endpoint.socket, target)
            except OSError as error:
                raise Unreachable(self.endpoint, first_line(error)) from None

        def over_sdk(client: "APIClient") -> tuple[int, bytes]:
            answer = client.get(client.base_url + target, timeout=client.timeout, allow_redirects=False)
            return answer.status_code, answer.content

        found: tuple[int, bytes] = self.through_sdk(over_sdk)
        return found

    def through_sdk(self, question: Callable[["APIClient"], Any]) -> Any:
        """Ask the engine through the docker SDK; None when it has no such thing.

        Raises:
            Unreachable: when no engine answers or it refuses.
        """
        from docker.errors import DockerException, NotFound
        from docker.utils.socket import SocketError
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        from .sdk import sdk_client

        try:
            return question(sdk_client(self.endpoint))
        except NotFound:
            return None
        except (DockerException, RequestException, SocketError, HTTPError, OSError) as error:  # the SDK wraps only some
            refusal = getattr(error, "explanation", None)  # it answered, but with an error of its own
            raise Unreachable(self.endpoint, first_line(refusal or error), bool(refusal)) from None


def over_socket(path: str, target: str) -> tuple[int, bytes]:
    """Ask a server behind a Unix socket one question.

    In HTTP/1.0, where an answer ends with its connection: nothing is sent in chunks.

    Args:
        path: of the socket.
        target: what to get, quoted as in a URL.

    Returns:
        The status, such as 200, and the body.

    Raises:
        OSError: when nobody answers, or not in HTTP.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(path)
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        return answer_on(connection)


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """The answer to a question that was asked on a connection: as `over_socket` returns it.

    Raises:
        OSError: when nobody answers, or not in HTTP.
    """
    with connection.makefile("rb") as answer:
        protocol, status, *_ = [*answer.readline().split(), b"", b""]
        if not (protocol.startswith(b"HTTP/") and status.isdigit()):
            raise ConnectionError("Connection aborted")
        while answer.readline().strip():  # the headers; then comes an empty line
            pass
        return int(status), answer.read()


def short(reason: str) -> str:
    """The telling end of the SDK's nested messages."""
    for marker in REASONS:
        if marker.lower() in reason.lower():
            return marker.lower()
    return reason.rstrip(".")


def by_tls(reason: str) -> str:
    """What is wrong between the certificates of both sides, from OpenSSL's words; "" where it is anything else.

    An engine that misses the certificate of a client says that it is a bad one, or that it is required.
    """
    found = re.search(r"\[SSL: (\w+)\] ([^(]*)", reason)
    if not found:
        return ""
    if found[1] == "CERTIFICATE_VERIFY_FAILED":
        return f"has a certificate that is not trusted here: {found[2].rpartition(': ')[2].strip()}"
    if "ALERT" in found[1] and ("CERTIFICATE" in found[1] or "UNKNOWN_CA" in found[1]):
        return "refuses the certificate that it gets, or misses one"
    return f"cannot be talked to by TLS: {found[2].strip()}"


def first_line(reason: object) -> str:
    """The first line of a message, or what kind of error it is."""
    return (str(reason).splitlines() or [type(reason).__name__])[0]
