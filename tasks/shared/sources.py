"""Where vendored libraries come from: a package index, an address, a git repository. Everything is verified here."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from . import unpack
from .vendored import Git, Pin, Pypi, Refused, Url, bare, shown

if TYPE_CHECKING:  # requests costs 80 ms: only who fetches pays
    from requests import Response

PYPI = "https://pypi.org/simple"
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
DISTRIBUTION = re.compile(r"(?P<name>[A-Za-z0-9][\w.+!-]*?)-(?P<version>\d[\w.+!]*)(-[\w.+!-]+)?\.(whl|zip|tgz|tar\.\w+)")
# A repository must not run anything here or read this machine's files; a progress of nothing for a minute is a failure.
GIT = ["git"]
for setting in (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "core.autocrlf=false", "gc.auto=0",
    "maintenance.auto=false", "advice.detachedHead=false", "http.lowSpeedLimit=1", "http.lowSpeedTime=60",
):  # fmt: skip
    GIT += ["-c", setting]
GIT_FORGET = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE",
              "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_ASKPASS", "SSH_ASKPASS")  # fmt: skip


class Job(NamedTuple):
    """One library being fetched: a folder to work in, whom to tell of progress (step, bytes, of how many), when to stop."""

    desk: Path
    index: str
    tell: Callable[[str, int, int], None]
    stop: Event


def get(pin: Pin, job: Job) -> Path:
    """Fetch what a pin says into the job's folder and verify it; returns the folder that may be put in place.

    Raises:
        Refused: with the reason, as the end of a sentence.
    """
    match pin:
        case Pypi():
            return distribution(pin, job)
        case Url():
            archive = job.desk / "archive"
            download(pin.url, pin.sha256, archive, job)
            job.tell("unpacking", 0, 0)
            unpack.unpack(archive, job.desk / "new")
            return job.desk / "new"
        case Git():
            return commit(pin, job)


# --- a package index ---


def configured_index() -> str:
    """The index that pip would use (not its extra ones). Takes a second, where no variable says it: pip itself is asked."""
    index = os.environ.get("PIP_INDEX_URL", "")
    if not index:
        pip = [sys.executable, "-I", "-m", "pip", "config", "get", "global.index-url"]
        index = subprocess.run(pip, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return (index.strip() or PYPI).rstrip("/")


def distribution(pin: Pypi, job: Job) -> Path:
    """The wheel or sdist whose sha256 is the pin's, in a folder of its own, under the name that the index gives it."""
    name, _, version = pin.pypi.partition("==")
    job.tell("asking the index", 0, 0)
    page = ask(f"{job.index}/{normal(name)}/", {"Accept": "text/html"}, os.environ.get("PIP_CERT"))
    links = Links(page.url)
    links.feed(page.text)
    found = [url for url in links.found if urldefrag(url).fragment.lower() == f"sha256={pin.sha256}"]
    if not found:
        raise Refused(f"{bare(page.url)} lists no file with the sha256 {pin.sha256}")
    file = unquote(urlsplit(found[0]).path.rpartition("/")[2])
    parts = DISTRIBUTION.fullmatch(file)
    if not parts or normal(parts["name"]) != normal(name) or normal(parts["version"]) != normal(version):
        raise Refused(f"the file with the pin's sha256 is {shown(file)}, which is not {pin.pypi}")
    (job.desk / "new").mkdir()
    download(urldefrag(found[0]).url, pin.sha256, job.desk / "new" / file, job, os.environ.get("PIP_CERT"))
    unpack.settle(job.desk / "new")
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


# --- an address ---


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
        why = {
            requests.exceptions.SSLError: "its certificate is not trusted",
            requests.exceptions.ProxyError: "the proxy does not let us through",
            requests.exceptions.ConnectTimeout: "it does not answer",
            requests.exceptions.ReadTimeout: "it does not answer",
            requests.exceptions.ConnectionError: "no connection",
        }.get(type(error), f"not possible ({type(error).__name__})")
        raise Refused(f"cannot fetch {bare(url)}: {why}") from None
    if answer.status_code != 200:
        raise Refused(f"cannot fetch {bare(url)}: the answer is {answer.status_code} {shown(answer.reason)}")
    return answer


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


# --- a git repository ---


def commit(pin: Git, job: Job) -> Path:
    """A commit's files with those of its submodules, or one folder of them; verified, without any .git."""
    tree = job.desk / "git"
    tree.mkdir()
    git(pin, job, "init", "--quiet", "--template=", str(tree))
    git(pin, job, "remote", "add", "origin", pin.git)  # by name, so that relative URLs of submodules are understood
    job.tell("fetching", 0, 0)
    try:
        git(pin, job, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", pin.rev)
    except Refused:  # not every server hands out a commit by its id: take all, and find it there
        git(pin, job, "fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/all/*", "+refs/tags/*:refs/tags/*")
    try:
        git(pin, job, "checkout", "--quiet", "--detach", pin.rev)
    except Refused as error:
        raise Refused(f"{bare(pin.git)} has no usable commit {pin.rev} ({error})") from None
    got = git(pin, job, "rev-parse", "HEAD").strip()
    if got != pin.rev:
        raise Refused(f"what was fetched is the commit {got}, but the pin says {pin.rev}")
    submodules(pin, job)
    for above, folders, files in os.walk(tree):
        if ".git" in folders:
            folders.remove(".git")
            shutil.rmtree(os.path.join(above, ".git"))
        if ".git" in files:  # a submodule's is a file
            os.unlink(os.path.join(above, ".git"))
    return subfolder(tree, pin)


def submodules(pin: Git, job: Job) -> None:
    """Fetch the submodules of what is checked out, and theirs."""
    if not (job.desk / "git" / ".gitmodules").is_file():
        return
    job.tell("fetching submodules", 0, 0)
    update = ("submodule", "--quiet", "update", "--init", "--recursive", "--checkout")
    try:
        git(pin, job, *update, "--depth=1")
    except Refused:  # as above; what the shallow try left behind would be in the way
        git(pin, job, "submodule", "--quiet", "deinit", "--force", "--all")
        shutil.rmtree(job.desk / "git" / ".git" / "modules", ignore_errors=True)
        git(pin, job, *update)


def subfolder(tree: Path, pin: Git) -> Path:
    """The part of a checked-out tree that the pin wants, checked."""
    part = tree.joinpath(pin.path.strip("/"))
    if part.resolve() != tree.resolve().joinpath(pin.path.strip("/")) or not part.is_dir():
        raise Refused(f"there is no folder {pin.path} in commit {pin.rev}")
    unpack.settle(part)
    return part


def newest(pin: Git, to: str, job: Job) -> str:
    """The commit that a pin would move to: `to` (a commit id, branch or tag), or the newest of the pin's branch.

    Raises:
        Refused: when the repository cannot be asked, or has no such branch or tag.
    """
    if re.fullmatch(r"[0-9a-fA-F]{40}", to):
        return to.lower()
    wanted = [f"refs/tags/{to}^{{}}", f"refs/tags/{to}", f"refs/heads/{to}"] if to else ["HEAD"]
    if pin.branch and not to:
        wanted = [f"refs/heads/{pin.branch}"]
    answer = git(pin, job, "ls-remote", "--quiet", pin.git, *wanted)
    found = {ref: rev for rev, _, ref in (row.partition("\t") for row in answer.splitlines())}
    for ref in wanted:
        if ref in found:
            return found[ref]
    raise Refused(f"{bare(pin.git)} has no branch or tag {shown(to or pin.branch or 'HEAD')}")


def git(pin: Git, job: Job, *argv: str) -> str:
    """Run git in the job's folder, hidden; returns its output.

    Not through `shell`: several run at once, and each must end when the task is stopped, while `c.run` belongs to one
    command at a time and to the terminal.

    Raises:
        Refused: with git's own reason.
    """
    tree = job.desk / "git"
    try:
        process = subprocess.Popen([*GIT, *argv], cwd=tree if tree.is_dir() else job.desk, env=git_environment(pin),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   encoding="utf-8", errors="replace")  # fmt: skip
    except FileNotFoundError:
        raise Refused("there is no git here; install it: apt-get install git") from None
    while True:
        try:
            out, err = process.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if job.stop.is_set():
                process.terminate()
    if process.returncode:
        lines = [line for line in err.splitlines() if line.startswith(("fatal:", "error:"))] or err.splitlines() or [""]
        why = re.sub(r"//[^/\s@]*@", "//", lines[0].replace(pin.git, bare(pin.git)))  # git may repeat a password
        raise Refused(f"git {argv[0]} failed: {shown(why)}")
    return out


def git_environment(pin: Git) -> dict[str, str]:
    """This process's environment, for a git that asks nobody and speaks only the protocols that a pin may name.

    Files of this machine are open only to a pin that is itself one: a repository from elsewhere could name them as its
    submodules (CVE-2022-39253).
    """
    env = {key: value for key, value in os.environ.items() if key not in GIT_FORGET}
    if "GIT_SSH" not in env or "GIT_SSH_COMMAND" in env:
        options = "-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15"
        env["GIT_SSH_COMMAND"] = f"{env.get('GIT_SSH_COMMAND', 'ssh')} {options}"
    protocols = "https:ssh:file" if pin.git.startswith("file:") else "https:ssh"
    return env | {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": protocols, "LC_ALL": "C"}
