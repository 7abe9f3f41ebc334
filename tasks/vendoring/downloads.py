"""Vendored libraries from an address: fetched byte for byte, verified, and given up when they would not end."""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ..host.text import brief, size, without_credentials
from . import archives
from .job import Job, Refused
from .limits import Allowance, require_room
from .pins import Url
from .pip_settings import PipSettings

if TYPE_CHECKING:  # requests costs 80 ms: only who fetches pays
    from requests import Response, Session

TIMEOUT = (15, 60)  # seconds to connect, and without a byte
SLOWEST = 60_000  # bytes that must come in the second of these times
UNANNOUNCED = 8 << 30  # bytes at most of what has no Content-Length
LARGEST_PAGE = 64 << 20
BUSY = (500, 502, 503, 520, 524, 527)  # the answers after which pip asks again too
PAGE = "text/html, application/vnd.pypi.simple.v1+json;q=0.5"
FIRST_WORDS = 60  # characters of what came instead of an archive


def archive(pin: Url, job: Job) -> Path:
    """A zip or tar archive, unpacked; a wheel as the file that it is."""
    name = unquote(urlsplit(pin.url).path.rpartition("/")[2])
    if re.fullmatch(r"[A-Za-z0-9_.+!]+(-[A-Za-z0-9_.+!]+){4,5}\.whl", name):
        (job.folder / "new").mkdir()
        download(pin.url, pin.sha256, job.folder / "new" / name, job)
        archives.normalize(job.folder / "new")
    else:
        file = job.folder / "archive"
        download(pin.url, pin.sha256, file, job)
        job.tell("unpacking", 0, 0)
        archives.unpack(file, job.folder / "new")
    return job.folder / "new"


def local(url: str) -> Path | None:
    """The path that a file URL names."""
    return Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else None


@contextmanager
def http_get(url: str, headers: Mapping[str, str], pip: PipSettings | None) -> "Iterator[Response]":
    """An answer over HTTP whose body is still to come.

    Args:
        pip: its settings, when it would be the one who asks.

    Raises:
        Refused: when there is none, or it is not 200. The sentence holds no password, and no query.
    """
    import requests

    address = without_credentials(url)
    options = trust(url, pip) if pip else {}
    try:
        headers = {"Accept-Encoding": "identity", **headers}
        answer = session().get(url, headers=headers, stream=True, timeout=TIMEOUT, **options)  # type: ignore[arg-type]
    except (requests.RequestException, ValueError, OSError) as error:
        causes: dict[type[Exception], str] = {
            requests.exceptions.SSLError: "its certificate is not trusted",
            requests.exceptions.ProxyError: "the proxy does not let us through",
            requests.exceptions.ConnectTimeout: "it does not answer",
            requests.exceptions.ReadTimeout: "it does not answer",
            requests.exceptions.ConnectionError: "no connection",
            OSError: f"no certificates can be read from {pip.certificates if pip else ''}",
        }
        cause = causes.get(type(error), f"not possible ({type(error).__name__})")
        raise Refused(f"cannot fetch {address}: {cause}") from None
    with answer:
        if answer.status_code != 200:
            raise Refused(f"cannot fetch {address}: the answer is {answer.status_code} {brief(answer.reason)}")
        yield answer


def session() -> "Session":
    """A client that asks again, within 3 s, where a server says that it cannot just now."""
    import requests
    from urllib3 import Retry

    again = Retry(
        total=None,
        connect=0,
        read=False,
        redirect=0,
        other=0,
        status=3,
        status_forcelist=BUSY,
        backoff_factor=0.5,
        respect_retry_after_header=False,  # it may say an hour
        raise_on_status=False,
    )
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, requests.adapters.HTTPAdapter(max_retries=again))
    return made


def trust(url: str, pip: PipSettings) -> dict[str, object]:
    """What pip's settings mean for `requests`."""
    trusted = {urlsplit(url).hostname, urlsplit(url).netloc.rpartition("@")[2]} & set(pip.trusted)
    if trusted:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    proxies = {"http": pip.proxy, "https": pip.proxy} if pip.proxy else None
    verify = False if trusted else pip.certificates or None
    return {"verify": verify, "proxies": proxies, "cert": pip.own_certificate or None}


def chunks(answer: "Response", job: Job, decode: bool = False) -> Iterator[bytes]:
    """A body's bytes as they arrive.

    Raises:
        Refused: when the line breaks, is silent for a minute or as good as that; when the person said stop.
    """
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    done, mark, since = 0, 0, time.monotonic()
    address = without_credentials(answer.url)
    try:
        while chunk := answer.raw.read1(1 << 16, decode_content=decode):
            if job.stop.is_set():
                raise Refused("stopped")
            yield chunk
            done += len(chunk)
            if (now := time.monotonic()) - since > TIMEOUT[1]:
                if done - mark < SLOWEST:
                    raise Refused(f"cannot fetch {address}: too slow, {done} bytes have come and hardly any more do")
                mark, since = done, now
    except ReadTimeoutError:
        raise Refused(f"cannot fetch {address}: after {done} bytes it is silent, for {TIMEOUT[1]} s") from None
    except (HTTPError, OSError):
        raise Refused(f"cannot fetch {address}: the connection broke off after {done} bytes") from None


def page(url: str, job: Job) -> tuple[str, str, str]:
    """A page: its address in the end, its text, and what it is, in a few words.

    Raises:
        Refused: when it cannot be had, or does not end.
    """
    if path := local(url):
        try:
            text = (path / "index.html" if path.is_dir() else path).read_text("utf-8", "replace")
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}") from None
        return url, text, "a file of this machine"
    content = bytearray()
    with http_get(url, {"Accept": PAGE}, job.pip) as answer:
        for chunk in chunks(answer, job, decode=True):
            content += chunk
            if len(content) > LARGEST_PAGE:
                raise Refused(f"{without_credentials(url)} is no list of files: it is larger than {size(LARGEST_PAGE)}")
        return answer.url, content.decode("utf-8", "replace"), what_came(answer, bytes(content[:4096]))


def what_came(answer: "Response", beginning: bytes) -> str:
    """What an answer is, from its own words: a login page is text, and is no archive."""
    kind = brief(answer.headers.get("Content-Type", "of no type"), 60)
    text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", beginning.decode("utf-8", "replace"))
    words = " ".join(text.split())
    return f"{kind}: “{brief(words, FIRST_WORDS)}”" if words and "\0" not in words and "�" not in words else kind


def download(url: str, sha256: str, target: Path, job: Job, pip: PipSettings | None = None) -> None:
    """Fetch a file, byte for byte as it is served, and verify it.

    Raises:
        Refused: when it cannot be fetched, does not end, or is another file than the pin says.
    """
    if path := local(url):
        verify(hash_of(path), sha256, "")
        import shutil

        require_room(target.parent, path.stat().st_size)
        shutil.copyfile(path, target)
        return
    digest, beginning = hashlib.sha256(), b""
    with http_get(url, {}, pip) as answer, target.open("wb") as file:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else 0
        require_room(target.parent, total)
        beyond = f"{without_credentials(url)} does not end: more than {size(total or UNANNOUNCED)} came"
        allowance = Allowance(target.parent, total or UNANNOUNCED, beyond)
        for chunk in chunks(answer, job):
            allowance.take(len(chunk))
            file.write(chunk)
            digest.update(chunk)
            beginning = beginning or chunk[:4096]
            job.tell("downloading", allowance.taken, total)
        verify(digest.hexdigest(), sha256, what_came(answer, beginning))


def hash_of(path: Path) -> str:
    """The sha256 of a file of this machine."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None


def verify(found: str, wanted: str, came: str) -> None:
    """Raise Refused when a file is another one than the pin says."""
    if found != wanted:
        raise Refused(f"its sha256 is {found}, but the pin says {wanted}" + (f"; what came is {came}" if came else ""))
