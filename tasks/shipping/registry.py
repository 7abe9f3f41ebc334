"""What a registry holds, asked as docker would ask: with the login of `docker login`, and TLS as the engine has it.

The docker CLI brings and sends images, but does not list them, so the tags are asked for over the registry's HTTP API.
Sources: https://distribution.github.io/distribution/spec/api/, …/spec/auth/token/ and …/spec/auth/oauth/; docker/docker
(registry/config.go), for registries on this machine's own addresses and those that the engine trusts without TLS.
"""

import ipaddress
import json
import re
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
from invoke import Exit
from msgspec import Struct

from ..engine.engine import Engine
from ..engine.names import full_reference, valid_tag
from ..host.text import brief
from .login import Login, login_of

TIMEOUT, WHOLE = 20, 60  # seconds to connect, and without a byte; and for all of an answer
PAGES, LARGEST = 1000, 16 << 20  # at most: pages of a list, and bytes of one
CERTIFICATES = Path("/etc/docker/certs.d")
DEBIAN_S = Path("/etc/ssl/certs/ca-certificates.crt")
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Remote(Struct, frozen=True):
    """A repository in a registry.

    `name` is what docker calls it, with the registry's host; `trusted_plain` are the networks and hosts that the engine
    reaches without TLS.
    """

    name: str
    trusted_plain: tuple[str, ...] = ()

    @classmethod
    def of(cls, engine: Engine, name: str) -> "Remote":
        """As an engine reaches it."""
        return cls(name, trusted_plain(engine.get("info") or {}))

    @property
    def host(self) -> str:
        """The registry's host, with its port if it has one of its own."""
        return full_reference(self.name)[0].partition("/")[0]

    @property
    def path(self) -> str:
        """The repository, as the registry itself calls it."""
        return full_reference(self.name)[0].partition("/")[2]

    @property
    def may_be_plain(self) -> bool:
        """Whether docker talks to it over plain HTTP too: on this machine, or where the engine's settings say so."""
        if self.host in self.trusted_plain:
            return True
        name = urlsplit(f"//{self.host}").hostname or ""
        try:
            address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
        except ValueError:
            return False
        return any(address in ipaddress.ip_network(one, strict=False) for one in self.trusted_plain if "/" in one)


def trusted_plain(said: dict[str, Any]) -> tuple[str, ...]:
    """The networks and hosts that an engine reaches without TLS, from `GET /info`; it always trusts its own machine."""
    config = said.get("RegistryConfig") or {}
    hosts = [name for name, index in (config.get("IndexConfigs") or {}).items() if not index.get("Secure", True)]
    return ("127.0.0.0/8", "::1/128", *(config.get("InsecureRegistryCIDRs") or ()), *hosts)


def tags(remote: Remote) -> list[str]:
    """The tags of a repository, in no order; [] where the registry does not know it.

    Raises:
        Exit: with code 1 when the registry cannot be asked, or refuses.
    """
    way = way_to(remote)
    found: list[str] = []
    url = f"{way.address}/v2/{remote.path}/tags/list?n=1000"
    for _ in range(PAGES):
        answer = authorized(way, url)
        if answer.status == 404:
            return []
        found += [tag for tag in said_tags(remote, answer) if valid_tag(tag)]
        if not answer.next_page:
            return list(dict.fromkeys(found))
        url = answer.next_page
    raise Exit(f"The registry {remote.host} has no end of tags of {remote.path}.", code=1)


def must_answer(remote: Remote) -> None:
    """Raises Exit with code 1 when nobody answers at a registry's address."""
    way = way_to(remote)
    ask(way, f"{way.address}/v2/")


class Way(Struct, frozen=True):
    """How a registry is asked: `address` is its beginning of a URL, `verify` what `requests` takes for its TLS."""

    remote: Remote
    address: str
    verify: str | bool


class Answer(Struct, frozen=True):
    """What a registry said; `next_page` is the address of the rest of a list, "" for none."""

    status: int
    reason: str
    challenge: str
    body: bytes
    next_page: str


def way_to(remote: Remote) -> Way:
    """The way to a registry: TLS, or plain HTTP where docker would take that too."""
    host = "registry-1.docker.io" if remote.host == "docker.io" else remote.host
    if not remote.may_be_plain:
        own = CERTIFICATES / remote.host / "ca.crt"
        return Way(remote, f"https://{host}", str(own) if own.is_file() else authorities())
    secure = Way(remote, f"https://{host}", False)
    try:
        ask(secure, f"{secure.address}/v2/")
    except Exit:
        return Way(remote, f"http://{host}", False)
    return secure


def authorities() -> str | bool:
    """The file of this machine's certificate authorities, which docker goes by too; else those of `requests`."""
    return ssl.get_default_verify_paths().cafile or (str(DEBIAN_S) if DEBIAN_S.is_file() else True)


def authorized(way: Way, url: str) -> Answer:
    """An answer of the registry, after a login if it wants one.

    Raises:
        Exit: with code 1 when there is none, or it is neither "here it is" nor "there is no such thing".
    """
    remote, answer = way.remote, ask(way, url)
    if answer.status == 401:
        scheme, _, rest = answer.challenge.partition(" ")
        login = login_of(remote.host)
        if scheme.lower() == "bearer":
            token = token_from(way, dict(CHALLENGE.findall(rest)), login)
            answer = ask(way, url, headers={"Authorization": f"Bearer {token}"})
        elif login.user:
            answer = ask(way, url, **login.basic)
    if answer.status in (401, 403):
        raise Exit(f"{remote.host} refuses to list {remote.path}. Type: docker login {remote.host}", code=1)
    if answer.status not in (200, 404):
        raise Exit(f"The registry {remote.host} answers with {answer.status} {brief(answer.reason)}.", code=1)
    return answer


def token_from(way: Way, wanted: dict[str, str], login: Login) -> str:
    """A token of the service that a registry names, for this login or for anybody.

    A login is sent over TLS only, or where the registry itself is talked to without.

    Raises:
        Exit: with code 1 when there is none.
    """
    host, realm = way.remote.host, wanted.get("realm", "")
    if not realm.lower().startswith("https://") and not way.remote.may_be_plain:
        raise Exit(f"The registry {host} wants a login without TLS, at {brief(realm)}.", code=1)
    asked: dict[str, str] = {key: value for key, value in wanted.items() if key in ("service", "scope")}
    if login.token:
        asked |= {"grant_type": "refresh_token", "client_id": "docker", "refresh_token": login.token}
        answer = ask(way, realm, "POST", data=asked)
    else:
        answer = ask(way, realm, params=asked, **login.basic)
    try:
        said = json.loads(answer.body) if answer.status == 200 else {}
        return str(said.get("token") or said["access_token"])
    except (ValueError, KeyError, AttributeError, RecursionError):
        raise Exit(f"The registry {host} gives no token. Type: docker login {host}", code=1) from None


def ask(way: Way, url: str, method: str = "GET", **options: Any) -> Answer:
    """Ask, and read the answer, which may not be without end.

    Raises:
        Exit: with code 1 when none comes.
    """
    import requests
    from urllib3 import disable_warnings
    from urllib3.exceptions import HTTPError

    disable_warnings()  # of TLS that is not verified: docker does not either, on this machine's own addresses
    options.setdefault("auth", lambda request: request)  # else `requests` looks into ~/.netrc
    why = "does not answer"
    try:
        with requests.request(method, url, timeout=TIMEOUT, stream=True, verify=way.verify, **options) as answer:
            body = b""
            until = time.monotonic() + WHOLE
            while part := answer.raw.read1(1 << 16, decode_content=True):
                body += part
                if len(body) > LARGEST or time.monotonic() > until:
                    raise ValueError
            rest = answer.links.get("next", {}).get("url") or ""
            following = urljoin(answer.url, rest) if rest else ""
            here = urlsplit(following).netloc == urlsplit(answer.url).netloc
            challenge = answer.headers.get("WWW-Authenticate", "")
            return Answer(answer.status_code, answer.reason or "", challenge, body, following if here else "")
    except requests.exceptions.SSLError:
        why = (
            f"has a certificate that is not trusted here. Its authority goes to {CERTIFICATES / way.remote.host}/ca.crt"
        )
    except (requests.RequestException, HTTPError, ValueError, OSError):
        pass
    raise Exit(f"The registry {way.remote.host} {why}.", code=1)


class Tags(Struct, frozen=True):
    """What a registry says of a repository."""

    tags: tuple[str, ...] | None


def said_tags(remote: Remote, answer: Answer) -> list[str]:
    """The tags that an answer names.

    Raises:
        Exit: with code 1 when it is no registry's answer.
    """
    try:
        return list(msgspec.json.decode(answer.body, type=Tags).tags or ())
    except (msgspec.MsgspecError, RecursionError):
        raise Exit(f"What answers at {remote.host} is no registry.", code=1) from None
