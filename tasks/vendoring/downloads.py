"""Vendored libraries from a package index or an address: fetched byte for byte and verified."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from . import archives as unpack
from .pins import Pypi, Refused, Url, bare, shown

if TYPE_CHECKING:  # requests costs 80 ms: only who fetches pays
    from requests import Response

PYPI = "https://pypi.org/simple"
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
DISTRIBUTION = re.compile(r"([A-Za-z0-9][\w.+!-]*?)(\.whl|\.zip|\.tgz|\.tar\.\w+)")


@dataclass(frozen=True)
class Job:
    """One library being fetched.

    Attributes:
        desk: a folder to work in, its own.
        index: the package index's URL.
        tell: whom to tell of progress: the step, bytes, of how many (0: unknown).
        stop: set when the person said stop.
    """

    desk: Path
    index: str
    tell: Callable[[str, int, int], None]
    stop: Event


def configured_index() -> str:
    """The index that pip would use, without its extra ones. Pip itself is asked where no variable says it: a second."""
    index = os.environ.get("PIP_INDEX_URL", "")
    if not index:  # `list` and not `get`, which does not read the file that PIP_CONFIG_FILE names
        pip = [sys.executable, "-I", "-m", "pip", "config", "list"]
        rows = subprocess.run(pip, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.splitlines()
        found = [row.partition("=")[2].strip("'\"") for row in rows if row.startswith("global.index-url=")]
        index = found[-1] if found else PYPI
    return index.strip().rstrip("/")


def distribution(pin: Pypi, job: Job) -> Path:
    """The wheel or sdist whose sha256 is the pin's, in a folder of its own, under the name that the index gives it."""
    name = pin.pypi.partition("==")[0]
    job.tell("asking the index", 0, 0)
    with ask(f"{job.index}/{normal(name)}/", {"Accept": "text/html"}, os.environ.get("PIP_CERT")) as page:
        links = Links(page.url)
        links.feed(body(page))
    found = [url for url in links.found if urldefrag(url).fragment.lower() == f"sha256={pin.sha256}"]
    if not found:
        raise Refused(f"{bare(page.url)} lists no file with the sha256 {pin.sha256}")
    file = unquote(urlsplit(found[0]).path.rpartition("/")[2])
    parts = DISTRIBUTION.fullmatch(file)
    stem = "" if not parts else "-".join(file.split("-")[:2]) if parts[2] == ".whl" else parts[1]
    if normal(stem) != normal(pin.pypi.replace("==", "-")):
        raise Refused(f"the file with the pin's sha256 is {shown(file)}, which is not {pin.pypi}")
    (job.desk / "new").mkdir()
    download(urldefrag(found[0]).url, pin.sha256, job.desk / "new" / file, job, os.environ.get("PIP_CERT"))
    unpack.settle(job.desk / "new")
    return job.desk / "new"


def archive(pin: Url, job: Job) -> Path:
    """A zip or tar archive, unpacked."""
    file = job.desk / "archive"
    download(pin.url, pin.sha256, file, job)
    job.tell("unpacking", 0, 0)
    unpack.unpack(file, job.desk / "new")
    return job.desk / "new"


def normal(name: str) -> str:
    """A project's name as indexes write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Links(HTMLParser):
    """The files on an index page (PEP 503: every anchor is one)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.found = base, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(urljoin(self.base, href))


def ask(url: str, headers: Mapping[str, str], trust: str | None = None) -> "Response":
    """An answer over HTTP whose body is still to come.

    Raises:
        Refused: when there is none, or it is not 200. The sentence holds no password, and no query.
    """
    import requests

    try:
        answer = requests.get(url, headers={"Accept-Encoding": "identity", **headers}, stream=True, timeout=TIMEOUT,
                              verify=trust)  # fmt: skip
    except (requests.RequestException, ValueError) as error:
        reasons: dict[type[Exception], str] = {
            requests.exceptions.SSLError: "its certificate is not trusted",
            requests.exceptions.ProxyError: "the proxy does not let us through",
            requests.exceptions.ConnectTimeout: "it does not answer",
            requests.exceptions.ReadTimeout: "it does not answer",
            requests.exceptions.ConnectionError: "no connection",
        }
        why = reasons.get(type(error), f"not possible ({type(error).__name__})")
        raise Refused(f"cannot fetch {bare(url)}: {why}") from None
    if answer.status_code != 200:
        raise Refused(f"cannot fetch {bare(url)}: the answer is {answer.status_code} {shown(answer.reason)}")
    return answer


def body(page: "Response") -> str:
    """A page's text."""
    import requests

    try:
        return page.text
    except requests.RequestException:
        raise Refused(f"cannot fetch {bare(page.url)}: the connection broke off") from None


def download(url: str, sha256: str, target: Path, job: Job, trust: str | None = None) -> None:
    """Fetch a file, byte for byte as it is served, and verify it.

    Raises:
        Refused: when it cannot be fetched, or is another file than the pin says.
    """
    from urllib3.exceptions import HTTPError

    digest, done = hashlib.sha256(), 0
    with ask(url, {}, trust) as answer, target.open("wb") as file:
        length = answer.headers.get("Content-Length", "")
        try:
            for chunk in answer.raw.stream(1 << 16, decode_content=False):
                if job.stop.is_set():
                    raise Refused("stopped")
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                job.tell("downloading", done, int(length) if length.isdecimal() else 0)
        except HTTPError:
            raise Refused(f"cannot fetch {bare(url)}: the connection broke off after {done} bytes") from None
    if digest.hexdigest() != sha256:
        raise Refused(f"its sha256 is {digest.hexdigest()}, but the pin says {sha256}")
