"""Vendored libraries out of git repositories: one commit's files, verified, with nothing of the repository run here."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from ..host.git_environment import OF_ANOTHER_REPOSITORY
from ..host.text import brief, without_credentials
from . import archives
from .job import Job, Refused
from .pins import Git

# A repository must not run anything here or read this machine's files; a progress of nothing for a minute is a failure.
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.autocrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
GIT = ["git", *(word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}"))]
UNTOLD = "Could not read from remote repository"  # git, when ssh has said why
ASKING = ("GIT_ASKPASS", "SSH_ASKPASS")  # programs that would ask a person


def commit(pin: Git, job: Job) -> Path:
    """A commit's files with those of its submodules, or one folder of them; verified, without any .git."""
    tree = job.folder / "git"
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
        raise Refused(f"{without_credentials(pin.git)} has no usable commit {pin.rev} ({error})") from None
    got = git(pin, job, "rev-parse", "HEAD").strip()
    if got != pin.rev:
        raise Refused(f"what was fetched is the commit {got}, but the pin says {pin.rev}")
    submodules(pin, job)
    for above, folders, files in os.walk(tree):
        if ".git" in folders:
            folders.remove(".git")
            shutil.rmtree(Path(above, ".git"))
        if ".git" in files:  # a submodule's is a file
            Path(above, ".git").unlink()
    return subfolder(tree, pin)


def submodules(pin: Git, job: Job) -> None:
    """Fetch the submodules of what is checked out, and theirs."""
    if not (job.folder / "git" / ".gitmodules").is_file():
        return
    job.tell("fetching submodules", 0, 0)
    update = ("submodule", "--quiet", "update", "--init", "--recursive", "--checkout")
    try:
        git(pin, job, *update, "--depth=1")
    except Refused:  # as above; what the shallow try left behind would be in the way
        git(pin, job, "submodule", "--quiet", "deinit", "--force", "--all")
        shutil.rmtree(job.folder / "git" / ".git" / "modules", ignore_errors=True)
        git(pin, job, *update)


def subfolder(tree: Path, pin: Git) -> Path:
    """The part of a checked-out tree that the pin wants, checked."""
    part = tree.joinpath(pin.path.strip("/"))
    if part.resolve() != tree.resolve().joinpath(pin.path.strip("/")) or not part.is_dir():
        raise Refused(f"there is no folder {pin.path} in commit {pin.rev}")
    archives.normalize(part)
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
    short = " (a commit id has 40 digits)" if re.fullmatch(r"[0-9a-fA-F]{4,39}", to) else ""
    raise Refused(f"{without_credentials(pin.git)} has no branch or tag {brief(to or pin.branch or 'HEAD')}{short}")


def git(pin: Git, job: Job, *argv: str) -> str:
    """Run git in the job's folder, hidden; returns its output.

    Not through `shell`: several run at once, and each must end when the task is stopped, while `c.run` belongs to one
    command at a time and to the terminal.

    Raises:
        Refused: with git's own reason.
    """
    tree = job.folder / "git"
    try:
        process = subprocess.Popen(
            [*GIT, *argv],
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
    while True:
        try:
            out, err = process.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if job.stop.is_set():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)  # with its ssh
    if process.returncode:
        raise Refused(f"git {argv[0]} failed: {complaint(err, pin)}")
    return out


def complaint(err: str, pin: Git) -> str:
    """The line in which git says why it failed, without the password that it may repeat."""
    lines = [line for line in err.splitlines() if line.strip()] or ["it said nothing"]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:")) and UNTOLD not in line]
    said = (fatal or lines)[0].replace(pin.git, without_credentials(pin.git))
    return brief(re.sub(r"//[^/\s@]*@", "//", said).strip(" ."))


def git_environment(pin: Git) -> dict[str, str]:
    """This process's environment, for a git that asks nobody and speaks only the protocols that a pin may name.

    Files of this machine are open only to a pin that is itself one: a repository from elsewhere could name them as its
    submodules (CVE-2022-39253).
    """
    env = {key: value for key, value in os.environ.items() if key not in (*OF_ANOTHER_REPOSITORY, *ASKING)}
    if "GIT_SSH" not in env or "GIT_SSH_COMMAND" in env:
        options = "-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15"
        env["GIT_SSH_COMMAND"] = f"{env.get('GIT_SSH_COMMAND') or own_ssh() or 'ssh'} {options}"
    protocols = "https:ssh:file" if pin.git.startswith("file:") else "https:ssh"
    return env | {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": protocols, "LC_ALL": "C"}


def own_ssh() -> str:
    """The ssh command of the person's git configuration, which the variable would otherwise hide."""
    asked = subprocess.run(["git", "config", "--get", "core.sshCommand"], capture_output=True, text=True, cwd="/")
    return asked.stdout.strip()
