"""Where the Docker Engine is, by the same rules as the docker CLI: variables, contexts, the default socket."""

import json
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from invoke import Exit
from msgspec import Struct

DEFAULT = "unix:///var/run/docker.sock"
EXAMPLE = "One looks like ssh://user@host:22."


class Endpoint(Struct, frozen=True):
    """Where the engine is. `context` is set when only docker's context knows how to get there (TLS)."""

    host: str
    context: str = ""

    def environment(self) -> dict[str, str | None]:
        """For the docker CLI, so that it talks to the same engine as the SDK."""
        if self.context:
            return {"DOCKER_CONTEXT": self.context, "DOCKER_HOST": None}
        return {"DOCKER_HOST": self.host, "DOCKER_CONTEXT": None}

    @property
    def local(self) -> bool:
        """Whether the engine's file system and ports are this machine's."""
        return self.host.startswith("unix://")

    @property
    def socket(self) -> str:
        """The path of the engine's Unix socket; "" if it has none."""
        return self.host.removeprefix("unix://") if self.local else ""


def resolve() -> Endpoint:
    """The endpoint that the docker CLI would use: `DOCKER_HOST`, else `DOCKER_CONTEXT`, else the current context.

    Source: https://docs.docker.com/engine/manage-resources/contexts/. The SDK's `from_env` knows only the first.

    Raises:
        Exit: with code 2 for a context that does not exist.
    """
    if host := os.environ.get("DOCKER_HOST"):
        return Endpoint(address(host, "DOCKER_HOST"))
    return of_context(os.environ.get("DOCKER_CONTEXT") or current_context())


def named(host: str) -> Endpoint:
    """The endpoint that somebody names: a docker context, or an address such as `ssh://user@host`.

    Raises:
        Exit: with code 2 for a context that does not exist, or an address that is none.
    """
    if "@" in host and "://" not in host:  # a context's name has no @
        raise Exit(f"{host} is no docker context. As an address, type: ssh://{host}", code=2)
    return Endpoint(address(host, "HOST")) if "://" in host else of_context(host)


def of_context(name: str) -> Endpoint:
    """The endpoint of a docker context.

    Raises:
        Exit: with code 2 for one that does not exist or cannot be read.
    """
    if name == "default":  # docker's own, which has no file: the variable goes before the socket in it
        return Endpoint(address(os.environ.get("DOCKER_HOST") or DEFAULT, "DOCKER_HOST"))
    meta, tls = context_files(name)
    try:
        host = json.loads(meta.read_text())["Endpoints"]["docker"]["Host"]
    except FileNotFoundError:
        raise Exit(f"There is no docker context {name}. See: docker context ls", code=2) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Exit(f"The docker context {name} cannot be read: {type(error).__name__}: {error}.", code=2) from None
    return Endpoint(address(str(host), f"the docker context {name}"), name if tls.is_dir() else "")


def address(host: str, source: str) -> str:
    """An engine's address in full, once it is sure that it can be taken apart.

    Raises:
        Exit: with code 2 when it cannot.
    """
    written, host = host, host.strip() if "://" in host else f"tcp://{host.strip()}"
    try:
        url = urlsplit(host)
        port = url.port
    except ValueError:
        said = f"{source} names {written!r}, which is no address."
        raise Exit(f"{said} {EXAMPLE}", code=2) from None
    if url.scheme == "ssh" and url.password is not None:
        raise Exit(f"{source} holds a password, which docker does not take. {EXAMPLE} Let ssh use a key.", code=2)
    if url.scheme == "ssh" and not url.hostname:
        raise Exit(f"{source} names {written!r}, in which there is no host. {EXAMPLE}", code=2)
    if host == "unix://":
        return DEFAULT
    if url.scheme == "tcp" and not (port and url.hostname):  # what the CLI fills in
        secure = os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_TLS")
        name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or "localhost"
        return f"tcp://{name}:{port or (2376 if secure else 2375)}{url.path}"
    return host


def config_folder() -> Path:
    """Where the docker CLI keeps its settings."""
    try:
        return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    except RuntimeError:  # no HOME, and a user id without a name: as the CLI has it
        return Path(".docker")


def context_files(name: str) -> tuple[Path, Path]:
    """A docker context's file and the folder of its certificates, which need not exist.

    Read here, because the SDK finds contexts only beside a config.json, which the CLI writes later or never.
    Source: https://github.com/docker/cli/blob/master/cli/context/store/doc.go
    """
    import hashlib

    store, key = config_folder() / "contexts", hashlib.sha256(name.encode()).hexdigest()
    return store / "meta" / key / "meta.json", store / "tls" / key / "docker"


def contexts() -> list[str]:
    """The names of docker's contexts, but the one that is always there."""
    found = []
    for meta in (config_folder() / "contexts" / "meta").glob("*/meta.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            found.append(str(json.loads(meta.read_text())["Name"]))
    return sorted(found)


def current_context() -> str:
    """The context that `docker context use` chose."""
    try:
        return str(json.loads((config_folder() / "config.json").read_text()).get("currentContext") or "default")
    except (OSError, ValueError, AttributeError):
        return "default"
