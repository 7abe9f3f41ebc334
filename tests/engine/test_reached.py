"""What the docker CLI reaches, `inv` reaches, by the same rules for TLS and proxies."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import PrivateEngine
from projects import inv
from sites import Site, free_port
from versions import make

from tasks.engine import sdk, ssh
from tasks.engine.client import Unreachable
from tasks.engine.endpoint import Endpoint, address, resolve
from tasks.engine.engine import Engine
from tasks.shipping.host import Host

CERTIFICATE = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=engine"]
EXTENSIONS = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=digitalSignature,keyCertSign"]
OWN = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as docker wants it, with one certificate for all purposes."""
    folder = tmp_path_factory.mktemp("certificates")
    keys = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", "req", *CERTIFICATE, *EXTENSIONS, *keys], check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture(scope="module")
def with_tls(certificates: Path) -> Iterator[str]:
    """The address of an engine that asks for a certificate."""
    port = free_port()
    files = [
        f"--tlscacert={certificates}/ca.pem",
        f"--tlscert={certificates}/cert.pem",
        f"--tlskey={certificates}/key.pem",
    ]
    with PrivateEngine(f"--host=tcp://127.0.0.1:{port}", "--tlsverify", *files):
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def plain(private_engine: PrivateEngine) -> Iterator[str]:
    """The private engine's address on a TCP port."""
    server = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # one side may hang up first
            while part := source.recv(65536):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                here = server.accept()[0]
            except OSError:
                return
            there = socket.socket(socket.AF_UNIX)
            there.connect(private_engine.host.removeprefix("unix://"))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def both(host: str, reached: bool, **environment: str) -> None:
    """Ask an engine with the CLI and with `inv`: both reach it, or neither."""
    told: dict[str, Any] = {**dict.fromkeys(OWN, ""), "DOCKER_HOST": host, **environment}
    cli = subprocess.run(
        ["docker", "info", "-f", "{{.ID}}"], env={**os.environ, **told}, capture_output=True, text=True
    )
    assert (cli.returncode == 0 and cli.stdout.strip() != "") == reached, cli
    said = inv("labels", code=2 if reached else 1, **told).stderr
    assert ("There is no version of" in said) == reached, said


def test_an_engine_on_a_port_is_reached_as_the_cli_reaches_it(plain: str, certificates: Path, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    both(plain, True)
    both(plain.removeprefix("tcp://"), True)
    both(plain, True, DOCKER_CERT_PATH=str(certificates))
    both(plain, True, HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere, ALL_PROXY=nowhere, REQUESTS_CA_BUNDLE=BUNDLE)
    both(plain, False, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))


def test_an_engine_with_tls_is_reached_as_the_cli_reaches_it(with_tls: str, certificates: Path, tmp_path: Path) -> None:
    folder = str(certificates)
    both(with_tls, True, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=folder)
    both(with_tls, True, DOCKER_TLS_VERIFY="1", DOCKER_CONFIG=folder, REQUESTS_CA_BUNDLE=BUNDLE, CURL_CA_BUNDLE=BUNDLE)
    both(with_tls, False, DOCKER_CERT_PATH=folder)
    both(with_tls, False, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path))


def context(folder: Path, name: str, *words: str) -> None:
    """Make a docker context, as one types it."""
    typed = ["docker", "--config", str(folder), "context", "create", name, "--docker", ",".join(words)]
    subprocess.run(typed, check=True, capture_output=True)


def test_a_context_with_certificates_is_a_host_to_ship_to(
    site: Site, with_tls: str, certificates: Path, tmp_path: Path
) -> None:
    """It is asked, is sent an image, and is looked at in the end, each over TLS."""
    make(site, "1.0")
    host, authority = f"host={with_tls}", f"ca={certificates}/ca.pem"
    pair = [f"cert={certificates}/cert.pem", f"key={certificates}/key.pem"]
    context(tmp_path, "gpu1", host, authority, *pair)
    context(tmp_path, "careless", host, *pair, "skip-tls-verify=true")
    context(tmp_path, "nobody", host, authority)
    context(tmp_path, "anybody", host, *pair)
    variables: dict[str, Any] = {"DOCKER_CONFIG": str(tmp_path)}
    said = site.inv("ship", "gpu1", "--tag", "1.0", **variables).stdout
    assert "docker --context gpu1 load" in said and "gpu1 has tests/visdom:1.0: " in said
    again = site.inv("ship", "careless", "--tag", "1.0", **variables)
    assert (again.stdout, again.stderr) == ("careless has tests/visdom:1.0 already.\n", "")
    for name, why in (
        ("nobody", "refuses the certificate that it gets, or misses one."),
        ("anybody", "has a certificate that is not trusted here: self-signed certificate."),
    ):
        refused = site.inv("ship", name, "--tag", "1.0", code=1, **variables).stderr
        assert refused == f"The Docker Engine at {with_tls} {why} See: docker context inspect {name}\n"


def test_without_a_home_folder_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 424242)
    assert resolve().host == "unix:///var/run/docker.sock"


FAR = "tcp://engine.example.com:2375"


@pytest.mark.parametrize(
    ("host", "no_proxy", "through"),
    [
        (FAR, "", "http://proxy:1"),
        (FAR, "other.com,*.org, .engine.example.com,engine.example.com:1", "http://proxy:1"),
        *((FAR, rule, "") for rule in ("*", "example.com", ".example.com", "x, EXAMPLE.com", "example.com:2375")),
        ("tcp://10.1.2.3:2375", "10.1.2.4,10.2.0.0/16,.3", "http://proxy:1"),
        *(("tcp://10.1.2.3:2375", rule, "") for rule in ("10.1.2.3", "10.1.0.0/16", "10.1.2.3:2375")),
        ("tcp://[fd00::1]:2375", "fd00::/8", ""),
        *((f"tcp://{name}:2375", "", "") for name in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]")),
    ],
)
def test_a_proxy_is_used_where_the_cli_uses_it(
    host: str, no_proxy: str, through: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "proxy:1")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert sdk.proxy(host, secure=False) == through and sdk.proxy(host, secure=True) == ""


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("unix://", "unix:///var/run/docker.sock"),
        ("tcp://", "tcp://localhost:2375"),
        ("tcp://engine", "tcp://engine:2375"),
        ("engine:1", "tcp://engine:1"),
        (":1", "tcp://localhost:1"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("unix:///run/x.sock", "unix:///run/x.sock"),
        ("ssh://me@engine", "ssh://me@engine"),
    ],
)
def test_what_an_address_leaves_out(written: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    assert address(written, "DOCKER_HOST") == host
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert address("tcp://engine", "DOCKER_HOST") == "tcp://engine:2376"


def test_the_default_context_is_where_docker_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert Host.of("default").where == ("--host", "unix:///var/run/docker.sock")
    monkeypatch.setenv("DOCKER_HOST", "tcp://gpu1:2375")
    assert Host.of("default").where == ("--host", "tcp://gpu1:2375")


def test_files_are_the_engines_only_where_its_containers_are_in_its_folder(
    private_engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket may lead to another machine, whose engine has its folder where this one's has."""
    image = private_engine.busybox()

    def shares(folder: Path) -> bool:
        engine = Engine(Endpoint(private_engine.host))
        get = engine.get

        def elsewhere(*path: str, **query: object) -> Any:
            found = get(*path, **query)
            return {**found, "DockerRootDir": str(folder)} if path == ("info",) else found

        monkeypatch.setattr(engine, "get", elsewhere)
        return engine.shares_files

    there, another = private_engine.folder / "data", tmp_path / "docker"
    (another / "containers" / "0123456789ab").mkdir(parents=True)
    private_engine.remove_containers()
    assert shares(there) and not shares(tmp_path / "nowhere")
    private_engine.container("one", image, ["true"], start=False)
    assert shares(there) and not shares(another)
    private_engine.remove_containers()


ANSWERS_LATE = r"""
import sys
while sys.stdin.readline() != "GET /3 HTTP/1.1\r\n": pass
sys.stdout.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}')
sys.stdout.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"b"\r\n4\r\n: 2}\r\n0\r\n\r\n')
sys.stdout.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}')
"""


def test_behind_ssh_no_question_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "dial", lambda host: [sys.executable, "-ISc", ANSWERS_LATE])
    engine = Engine(Endpoint("ssh://gpu1"))
    assert [*engine.get_each(["/1", "/2", "/3"])] == [{"a": 1}, {"b": 2}, None]
    with pytest.raises(Unreachable, match="Connection aborted"):
        [*engine.get_each(["/1", "/2", "/3", "/4"])]
