"""Running git for a pin: it asks nobody, runs nothing of the repository, and ends."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from ..host.git_environment import OF_ANOTHER_REPOSITORY
from ..host.text import brief, without_credentials
from .job import Job, Refused
from .limits import require_room
from .pins import Git

# A repository must not run anything here or read this machine's files; a progress of nothing for a minute is a failure.
# What is written is what was committed, on every machine: line endings, links, and attributes of the repository alone.
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.eol": "lf",
    "core.symlinks": "true",
    "core.ignoreCase": "false",
    "core.precomposeUnicode": "false",
    "init.templateDir": "",
    "init.defaultObjectFormat": "sha1",  # a pin's rev is one
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
LFS = {"process": "git-lfs filter-process", "smudge": "git-lfs smudge -- %f", "required": "true"}
NO_FILTER = {"process": "", "smudge": "", "required": "false"}
# Says in git's own way what a pin's URL holds: arguments can be read by everyone on a machine, the environment cannot.
LOGIN = '!f() { test "$1" != get || printf "username=%s\\npassword=%s\\n" "$INV_GIT_USER" "$INV_GIT_PASSWORD"; }; f'
UNTOLD = "Could not read from remote repository"  # git, when ssh has said why
# Programs that would ask a person, and what would change the files.
NOT_PASSED = ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_TEMPLATE_DIR", "GIT_LFS_SKIP_SMUDGE", "GIT_DEFAULT_HASH")
WRITING = ("checkout", "submodule")
SILENCE = 60  # seconds in which neither git nor what it started did anything


def git(pin: Git, job: Job, *argv: str, within: str = "") -> str:
    """Run git in the job's folder, hidden; returns its output.

    Not through `shell`: several run at once, and each must end when the task is stopped, while `c.run` belongs to one
    command at a time and to the terminal.

    Args:
        within: a folder of the checkout with a repository of its own; "" for the checkout itself.

    Raises:
        Refused: with git's own reason; when it is silent for a minute, or the disk has no more room.
    """
    tree = job.folder / "git" / within
    settings = [*SETTINGS.items(), *login(pin), *(filters(job) if argv[0] in WRITING else ())]
    try:
        process = subprocess.Popen(
            ["git", *(word for key, value in settings for word in ("-c", f"{key}={value}")), *argv],
            cwd=tree if tree.is_dir() else job.folder,
            env=git_environment(pin),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Refused("there is no git here; install it: apt-get install git") from None
    try:
        out, err = watched(process, job, argv[0])
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # with its ssh
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
    if process.returncode:
        raise Refused(f"git {argv[0]} failed: {complaint(err, pin)}")
    return out


def watched(process: "subprocess.Popen[str]", job: Job, what: str) -> tuple[str, str]:
    """What a git says, once it has ended; a Refused when it is to be ended."""
    before, since = -1.0, time.monotonic()
    while True:
        try:
            return process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            if job.stop.is_set():
                raise Refused("stopped") from None
            require_room(job.folder, 1)
            if (now := activity(process.pid)) != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                raise Refused(f"git {what} was given up: nothing has come for {SILENCE} s") from None


def activity(pid: int) -> float:
    """A number that grows as long as a process, or one that it started, reads, writes or computes."""
    import psutil

    total = 0.0
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.Error, AttributeError):  # macOS counts no bytes
                total += sum(process.cpu_times()[:2])
                total += process.io_counters().read_chars + process.io_counters().write_chars
    return total


def address(pin: Git) -> str:
    """A pin's URL as git gets it: without the user and password of https, which `login` hands over."""
    url = urlsplit(pin.git)
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl() if url.scheme == "https" else pin.git


def login(pin: Git) -> Iterator[tuple[str, str]]:
    """The settings with which git asks for the user and password of the pin's URL, for its host alone."""
    url = urlsplit(pin.git)
    if url.scheme != "https" or "@" not in url.netloc:
        return
    key = f"credential.https://{url.netloc.rpartition('@')[2]}"
    if url.password is not None:
        yield f"{key}.helper", ""  # the person's own helpers are neither asked nor told
    yield f"{key}.helper", LOGIN


def filters(job: Job) -> Iterator[tuple[str, str]]:
    """The settings that leave of the person's own filters only git-lfs, which gets what was committed."""
    asked = ["git", "config", "--name-only", "--get-regexp", r"^filter\."]
    known = subprocess.run(asked, capture_output=True, encoding="utf-8", errors="replace", cwd=job.folder).stdout
    names = {row.removeprefix("filter.").rpartition(".")[0] for row in known.splitlines()}
    has_lfs = shutil.which("git-lfs") is not None
    for name in sorted(names | {"lfs"}):
        values = ({} if "lfs" in names else LFS) if name == "lfs" and has_lfs else NO_FILTER
        yield from ((f"filter.{name}.{key}", value) for key, value in values.items())


def complaint(err: str, pin: Git) -> str:
    """The line in which git says why it failed, without the password that it may repeat."""
    lines = [line for line in err.splitlines() if line.strip()] or ["it said nothing"]
    worst = [line for word in ("fatal:", "error:") for line in lines if line.startswith(word) and UNTOLD not in line]
    said = (worst or lines)[0].replace(pin.git, without_credentials(pin.git))
    return brief(re.sub(r"//[^/\s@]*@", "//", said).strip(" ."))


def git_environment(pin: Git) -> dict[str, str]:
    """This process's environment, for a git that asks nobody and speaks only the protocols that a pin may name.

    Files of this machine are open only to a pin that is itself one: a repository from elsewhere could name them as its
    submodules (CVE-2022-39253).
    """
    env = {key: value for key, value in os.environ.items() if key not in (*OF_ANOTHER_REPOSITORY, *NOT_PASSED)}
    if "GIT_SSH" not in env or "GIT_SSH_COMMAND" in env:
        options = "-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15"
        env["GIT_SSH_COMMAND"] = f"{env.get('GIT_SSH_COMMAND') or own_ssh() or 'ssh'} {options}"
    url = urlsplit(pin.git)
    if url.scheme == "https" and "@" in url.netloc:
        env |= {"INV_GIT_USER": unquote(url.username or ""), "INV_GIT_PASSWORD": unquote(url.password or "")}
        if url.password is None:  # the person's own helpers may know the password of this user
            count = int(env.get("GIT_CONFIG_COUNT") or 0)
            env |= {
                "GIT_CONFIG_COUNT": str(count + 1),
                f"GIT_CONFIG_KEY_{count}": f"credential.https://{url.netloc.rpartition('@')[2]}.username",
                f"GIT_CONFIG_VALUE_{count}": env["INV_GIT_USER"],
            }
    protocols = "https:ssh:file" if pin.git.startswith("file:") else "https:ssh"
    return env | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
    }


def own_ssh() -> str:
    """The ssh command of the person's git configuration, which the variable would otherwise hide."""
    asked = subprocess.run(["git", "config", "--get", "core.sshCommand"], capture_output=True, text=True, cwd="/")
    return asked.stdout.strip()
