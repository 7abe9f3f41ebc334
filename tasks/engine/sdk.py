"""The docker SDK's client, which reaches what the docker CLI reaches: its rules for TLS and proxies, and no others.

Left to itself, the SDK takes a folder of certificates for a wish for TLS, and its `requests` reads variables of its
own, such as REQUESTS_CA_BUNDLE, and proxies even for this machine.
Sources: docker/cli (cli/flags/options.go), docker/go-connections (sockets), golang.org/x/net/http/httpproxy.
"""

import ipaddress
import json
import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlsplit

from docker import APIClient
from docker.errors import DockerException
from docker.tls import TLSConfig
from urllib3 import disable_warnings
from urllib3.exceptions import InsecureRequestWarning

from . import ssh
from .endpoint import Endpoint, config_folder, context_files

OLDEST = "1.44"  # an API version that the SDK takes; the engine is then asked for its own


@lru_cache
def sdk_client(endpoint: Endpoint) -> APIClient:
    """The SDK's client for an endpoint; made once."""
    if endpoint.host.startswith("ssh://"):
        return in_its_version(partial(ssh.client, ssh.adapter(endpoint.host)))
    tls = tls_for(endpoint)
    url = endpoint.host.replace("tcp://", "https://") if tls else endpoint.host
    through = proxy(endpoint.host, secure=bool(tls))

    def client(version: str) -> APIClient:
        made = APIClient(base_url=url, tls=tls or False, version=version)
        made.trust_env = False
        made.proxies = {"http": through, "https": through} if through else {}
        return made

    return in_its_version(client)


def in_its_version(make: Callable[[str], APIClient]) -> APIClient:
    """A client that speaks the engine's own version of the API. The SDK would ask for that before it can be set up."""
    said = make(OLDEST).version(api_version=False)
    if "ApiVersion" not in said:
        raise DockerException("what it says is not what an engine says")
    return make(said["ApiVersion"])


def tls_for(endpoint: Endpoint) -> TLSConfig | None:
    """How to talk TLS to an engine; None without it."""
    if endpoint.context:
        meta, folder = context_files(endpoint.context)
        careless = json.loads(meta.read_text())["Endpoints"]["docker"].get("SkipTLSVerify", False)
        return tls_config(folder, verify=not careless)
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not endpoint.host.startswith("tcp://") or not (verify or os.environ.get("DOCKER_TLS")):
        return None
    return tls_config(Path(os.environ.get("DOCKER_CERT_PATH") or config_folder()), verify)


def tls_config(folder: Path, verify: bool) -> TLSConfig:
    """TLS with the certificates of a folder, as far as they are there."""
    found = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    ca, cert, key = (str(path) if path.exists() else None for path in found)
    if not verify:  # so it was asked for, and the CLI does not warn of it either
        disable_warnings(InsecureRequestWarning)
    return TLSConfig(client_cert=(cert, key) if cert and key else None, ca_cert=ca, verify=verify)


def proxy(host: str, secure: bool) -> str:
    """The proxy through which the CLI would talk to `tcp://host:port`; "" for none. None ever leads to this machine."""
    url = urlsplit(host)
    name = url.hostname or ""
    if url.scheme != "tcp" or name == "localhost" or (is_address(name) and ipaddress.ip_address(name).is_loopback):
        return ""
    value = variable("HTTPS_PROXY" if secure else "HTTP_PROXY")
    if not value or any(covers(rule.strip().lower(), name, url.port) for rule in variable("NO_PROXY").split(",")):
        return ""
    return value if "://" in value else f"http://{value}"


def variable(name: str) -> str:
    """A variable in capital or in small letters."""
    return os.environ.get(name) or os.environ.get(name.lower()) or ""


def covers(rule: str, host: str, port: int | None) -> bool:
    """Whether one rule of NO_PROXY (a name, an address or a network, perhaps with a port, or `*`) means a host."""
    if rule == "*":
        return True
    beginning, colon, number = rule.rpartition(":")
    if colon and number.isdigit() and (beginning.endswith("]") or ":" not in beginning):
        if int(number) != port:
            return False
        rule = beginning
    rule = rule.strip("[]")
    if not rule:
        return False
    if is_address(host):
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    rule = rule.removeprefix("*")
    return host.endswith(rule) if rule.startswith(".") else host == rule or host.endswith(f".{rule}")


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
