"""Vendored libraries from a package index or an address: fetched byte for byte and verified."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from ..host.text import brief, without_credentials
from . import archives
from .job import Job, Refused
from .pins import Pypi, Url

if TYPE_CHECKING:  # requests costs 80 ms: only who fetches pays
    from requests import Response

PYPI = "https://pypi.org/simple"
TIMEOUT = (15, 60)  # seconds to connect, and without a byte


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
    job.tell("asking the index", 0, 0)
    certificates = os.environ.get("PIP_CERT")
    project = canonicalize_name(pin.pypi.partition("==")[0])
    with http_get(f"{job.index}/{project}/", {"Accept": "text/html"}, certificates) as page:
        links = Links(page.url)
        links.feed(body(page))
    found = [url for url in links.found if urldefrag(url).fragment.lower() == f"sha256={pin.sha256}"]
    if not found:
        raise Refused(f"{without_credentials(page.url)} lists no file with the sha256 {pin.sha256}")
    file = unquote(urlsplit(found[0]).path.rpartition("/")[2])
    if not is_named_as_pinned(file, pin):
        raise Refused(f"the file with the pin's sha256 is {brief(file)}, which is not {pin.pypi}")
    (job.folder / "new").mkdir()
    download(urldefrag(found[0]).url, pin.sha256, job.folder / "new" / file, job, certificates)
    archives.normalize(job.folder / "new")
    return job.folder / "new"


def is_named_as_pinned(file: str, pin: Pypi) -> bool:
    """Whether a file's name is that of a wheel or sdist of the pin's project and version."""
    if not re.fullmatch(r"[\w.+!-]+", file):  # `packaging` lets anything stand in a wheel's tags, a slash too
        return False
    project, _, version = pin.pypi.partition("==")
    try:
        name, number = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
        return (name, number) == (canonicalize_name(project), Version(version))
    except ValueError:  # neither, or no version that could be compared
        return False


def archive(pin: Url, job: Job) -> Path:
    """A zip or tar archive, unpacked."""
    file = job.folder / "archive"
    download(pin.url, pin.sha256, file, job)
    job.tell("unpacking", 0, 0)
    archives.unpack(file, job.folder / "new")
    return job.folder / "new"


class Links(HTMLParser):
    """The files on an index page (PEP 503: every anchor is one)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.found = base, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(urljoin(self.base, href))


def http_get(url: str, headers: Mapping[str, str], certificates: str | None = None) -> "Response":
    """An answer over HTTP whose body is still to come.

    Args:
        certificates: a file of those to trust, instead of the usual ones.

    Raises:
        Refused: when there is none, or it is not 200. The sentence holds no password, and no query.
    """
    import requests

    headers = {"Accept-Encoding": "identity", **headers}
    address = without_credentials(url)
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT, verify=certificates)
    except (requests.RequestException, ValueError) as error:
        causes: dict[type[Exception], str] = {
            requests.exceptions.SSLError: "its certificate is not trusted",
            requests.exceptions.ProxyError: "the proxy does not let us through",
            requests.exceptions.ConnectTimeout: "it does not answer",
            requests.exceptions.ReadTimeout: "it does not answer",
            requests.exceptions.ConnectionError: "no connection",
        }
        cause = causes.get(type(error), f"not possible ({type(error).__name__})")
        raise Refused(f"cannot fetch {address}: {cause}") from None
    if answer.status_code != 200:
        raise Refused(f"cannot fetch {address}: the answer is {answer.status_code} {brief(answer.reason)}")
    return answer


def body(page: "Response") -> str:
    """A page's text."""
    import requests

    try:
        return page.text
    except requests.RequestException:
        raise Refused(f"cannot fetch {without_credentials(page.url)}: the connection broke off") from None


def download(url: str, sha256: str, target: Path, job: Job, certificates: str | None = None) -> None:
    """Fetch a file, byte for byte as it is served, and verify it.

    Raises:
        Refused: when it cannot be fetched, or is another file than the pin says.
    """
    from urllib3.exceptions import HTTPError

    digest, done = hashlib.sha256(), 0
    address = without_credentials(url)
    with http_get(url, {}, certificates) as answer, target.open("wb") as file:
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
            raise Refused(f"cannot fetch {address}: the connection broke off after {done} bytes") from None
    if digest.hexdigest() != sha256:
        raise Refused(f"its sha256 is {digest.hexdigest()}, but the pin says {sha256}")
