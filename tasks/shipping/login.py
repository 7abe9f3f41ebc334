"""The login to a registry that `docker login` keeps."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from ..engine.endpoint import config_folder


class Login(Struct, frozen=True):
    """What `docker login` keeps for a registry: a user and a password, or a `token` that others are given for."""

    user: str = ""
    password: str = ""
    token: str = ""

    @property
    def basic(self) -> dict[str, Any]:
        """For `ask`: the user and the password."""
        return {"auth": (self.user, self.password)} if self.user else {}


def login_of(host: str) -> Login:
    """What `docker login` keeps for a registry, in its file or with its helper; none of all where it keeps nothing."""
    from docker import auth
    from docker.errors import DockerException

    try:
        found = auth.load_config(str(Path(config_folder(), "config.json"))).resolve_authconfig(host)
    except (DockerException, ValueError, LookupError, TypeError):  # the helper that the file names is not here, or odd
        return Login()
    said = {key.lower(): str(value or "") for key, value in (found or {}).items()}  # a helper's words are capitalized
    return Login(said.get("username", ""), said.get("password", ""), said.get("identitytoken", ""))
