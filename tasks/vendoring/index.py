"""Wheels and sdists: found on the indexes that pip is configured with, by the pin's sha256 or by their names."""

import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec
from msgspec import Struct
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ..host.text import brief, without_credentials
from . import archives
from .downloads import download, local, page
from .job import Job, Refused
from .pins import Pypi

# What pip can install. PEP 625 knows .tar.gz alone; projects of before have no other file than one of these.
SDISTS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar", ".zip")


class Found(Struct, frozen=True):
    """The files for a pin.

    Attributes:
        exact: those whose sha256 the index says to be the pin's.
        named: those that are named as pinned, and of which the index says no sha256.
        reasons: why a place has none, as the ends of sentences.
    """

    exact: list[str]
    named: list[str]
    reasons: list[str]


def distribution(pin: Pypi, job: Job) -> Path:
    """The wheel or sdist whose sha256 is the pin's, in a folder of its own, under the name that the index gives it."""
    job.tell("asking the index", 0, 0)
    found = look(pin, job)
    if found.exact and not is_named_as_pinned(file_of(found.exact[0]), pin):
        raise Refused(f"the file with the pin's sha256 is {brief(file_of(found.exact[0]))}, which is not {pin.pypi}")
    new = job.folder / "new"
    new.mkdir()
    reasons = []
    for url in found.exact[:1] or found.named:
        target = new / file_of(url)
        try:
            download(urldefrag(url).url, pin.sha256, target, job, job.pip)
            archives.normalize(new)
            return new
        except Refused as error:
            target.unlink(missing_ok=True)
            if job.stop.is_set():
                raise
            reasons.append(f"{target.name}: {error}" if len(found.named) > 1 else str(error))
    raise Refused("; ".join(reasons + ([] if found.exact else found.reasons)))


def look(pin: Pypi, job: Job) -> Found:
    """Ask one place after the other, until one says that it has the very file.

    Raises:
        Refused: when it is not known where to ask.
    """
    if job.pip.trouble:
        raise Refused(job.pip.trouble)
    found = Found([], [], [])
    for url in places(pin, job):
        try:
            links = list(files(url, job))
        except Refused as error:
            found.reasons.append(str(error))
            continue
        found.exact.extend(link for link in links if sha256_of(link) == pin.sha256)
        if found.exact:
            break
        named = [link for link in links if not sha256_of(link) and is_named_as_pinned(file_of(link), pin)]
        found.named.extend(link for link in named if link not in found.named)
        if not named:
            found.reasons.append(f"{without_credentials(url)} lists no file with the sha256 {pin.sha256}")
    if not (found.exact or found.named or found.reasons):
        found.reasons.append("pip is configured with no index (no-index)")
    return found


def places(pin: Pypi, job: Job) -> Iterator[str]:
    """The addresses of the pages that may list a pin's files: on the indexes by project, and pip's find-links."""
    project = canonicalize_name(pin.pypi.partition("==")[0])
    yield from (f"{addressed(index)}/{project}/" for index in job.pip.indexes)
    yield from map(addressed, job.pip.links)


def addressed(place: str) -> str:
    """The address of what pip is told of by its address or its path."""
    return place if "://" in place else Path(place).expanduser().resolve().as_uri()


def files(url: str, job: Job) -> Iterator[str]:
    """The addresses of the files that a page lists, or a folder holds, or of the one file that is named itself.

    Raises:
        Refused: when there is no such page, or it is no list of files.
    """
    folder = local(url)
    if file_of(url).lower().endswith((".whl", *SDISTS)):
        yield url
        return
    if folder and folder.is_dir():
        yield from sorted(path.as_uri() for path in folder.iterdir() if path.is_file())
        if not (folder / "index.html").is_file():
            return
        url = (folder / "index.html").as_uri()
    address, text, kind = page(url, job)
    found = links_in(address, text)
    if not found and text.strip():
        raise Refused(f"{without_credentials(address)} lists no file; what came is {kind}")
    # A server has no say over files of this machine; a page of this machine may well name a server's.
    schemes = ("http", "https", *(["file"] if folder else []))
    user, at, host = urlsplit(address).netloc.rpartition("@")
    for link in found:
        if urlsplit(link).scheme in schemes:
            yield link.replace(f"://{host}/", f"://{user}@{host}/", 1) if at else link  # as pip: one login for the host


def links_in(address: str, text: str) -> list[str]:
    """The addresses of the files that an index page lists, with what it says of their sha256."""
    links = Links(address)
    if text.lstrip().startswith("{"):
        with suppress(msgspec.MsgspecError):
            for file in msgspec.json.decode(text, type=Listing).files:
                links.add(f"{file.url}#sha256={file.hashes.get('sha256', '')}")
        return links.found
    links.feed(text)
    return links.found


def sha256_of(link: str) -> str:
    """The sha256 that an index says of a file; "" where it says none. Other words may stand beside it, as for pip."""
    found = re.search(r"(?:^|&)sha256=([^&]*)", urldefrag(link).fragment, re.IGNORECASE)
    return found[1].lower() if found else ""


def file_of(url: str) -> str:
    """The name of the file that an address ends in."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def is_named_as_pinned(file: str, pin: Pypi) -> bool:
    """Whether a file's name is that of a wheel or sdist of the pin's project and version, in whatever spelling."""
    if not re.fullmatch(r"[A-Za-z0-9_.+!-]+", file):  # `packaging` lets anything stand in a wheel's tags, a slash too
        return False
    project, _, version = pin.pypi.partition("==")
    wanted = canonicalize_name(project), version
    if file.endswith(".whl"):
        try:
            name, number = parse_wheel_filename(file)[:2]
        except ValueError:
            return False
        return (name, True) == (wanted[0], same(str(number), version))
    ending = next((ending for ending in SDISTS if file.lower().endswith(ending)), "")
    stem = file.removesuffix(file[-len(ending) :]) if ending else ""
    dashes = [match.start() for match in re.finditer("-", stem)]
    return any(canonicalize_name(stem[:at]) == wanted[0] and same(stem[at + 1 :], version) for at in dashes)


def same(one: str, other: str) -> bool:
    """Whether two versions are equal, whatever their spelling."""
    try:
        return Version(one) == Version(other)
    except ValueError:
        return one == other


class Links(HTMLParser):
    """The files on an index page (PEP 503: every anchor is one)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.found = base, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = next((value for name, value in attrs if name == "href"), None)  # the first counts, as in a browser
        if tag == "base" and href:
            with suppress(ValueError):
                self.base = urljoin(self.base, href.strip())
        if tag == "a" and href:
            self.add(href)

    def add(self, href: str) -> None:
        """Take a link, if it is one."""
        with suppress(ValueError):
            self.found.append(urljoin(self.base, href.strip()))


class Listed(Struct, frozen=True):
    """A file in an index's answer in JSON (PEP 691)."""

    url: str
    hashes: dict[str, str] = {}


class Listing(Struct, frozen=True):
    """An index's answer in JSON, as far as it is read here."""

    files: list[Listed]
