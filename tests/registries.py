"""Registries for tests: Debian's docker-registry on an address of this machine, and gone afterwards."""

import http.client
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sites import free_port

from tasks.host.debian import program

CERTIFICATES = Path("/etc/docker/certs.d")  # where docker looks for a registry's authority
USER, PASSWORD = "ann", "hunter2-secret"


@contextmanager
def registry(address: str = "127.0.0.1", password: bool = False, tls: bool = False) -> Iterator[str]:
    """A registry, for the time of the block.

    Args:
        password: whether it wants USER and PASSWORD.
        tls: whether it has a certificate, by an authority that docker is told of.

    Returns:
        Its host, with the port.
    """
    found = program("docker-registry")
    if found is None:
        raise RuntimeError("No docker-registry on this machine. Type: ./inv test, which installs it.")
    host = f"{address}:{free_port()}"
    folder = Path(tempfile.mkdtemp(prefix="inv-r-"))
    lines = [
        "version: 0.1",
        "log: {accesslog: {disabled: true}, level: error}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}",
        "http:",
        f"  addr: {host}",
    ]
    if tls:
        certificate(folder, address)
        (CERTIFICATES / host).mkdir(parents=True)
        shutil.copy(folder / "cert.pem", CERTIFICATES / host / "ca.crt")
        lines.append(f"  tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}")
    if password:
        words = ["htpasswd", "-i", "-B", "-c", str(folder / "users"), USER]
        subprocess.run(words, input=PASSWORD, text=True, check=True, capture_output=True)
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder}/users}}}}")
    (folder / "config.yml").write_text("\n".join(lines))
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([found, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        for _ in range(1200):
            with suppress(OSError):
                answers(host, tls)
                break
            time.sleep(0.05)
        else:
            raise RuntimeError("The registry does not start:\n" + (folder / "log").read_text()[-2000:])
        yield host
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(CERTIFICATES / host, ignore_errors=True)


def answers(host: str, tls: bool) -> None:
    """Ask it anything; raises OSError while it does not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whether it is there at all
    kind = http.client.HTTPSConnection(host, context=context) if tls else http.client.HTTPConnection(host)
    kind.request("GET", "/v2/")
    kind.getresponse()
    kind.close()


def certificate(folder: Path, address: str) -> None:
    """A certificate for an address that is its own authority."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=inv tests"]
    words += ["-addext", f"subjectAltName=IP:{address}", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run(words, check=True, capture_output=True)
