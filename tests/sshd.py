"""A real SSH server in front of an engine."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from engines import PrivateEngine
from projects import without
from sites import free_port
from switches import eventually

from tasks.host.debian import program


class Sshd:
    """A real SSH server on a free port of this host, with keys of its own, behind which `docker` means one engine."""

    def __init__(self, folder: Path, engine: PrivateEngine, shared: bool) -> None:
        assert program("sshd"), "sshd is missing; ./inv test installs openssh-server"
        self.folder = folder
        self.port = free_port()
        self.host = f"ssh://root@127.0.0.1:{self.port}"
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it
        (folder / "sshd.conf").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPermitRootLogin yes\nMaxStartups 100\n"
            f"SetEnv DOCKER_HOST={engine.host} PATH={os.environ['PATH']}\n"
        )
        (folder / "ssh.conf").write_text(
            f"IdentityFile {folder}/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n"
            "LogLevel ERROR\nBatchMode yes\n"
        )
        if shared:  # one connection for all, as the docker manual recommends; it ends by itself
            with open(folder / "ssh.conf", "a") as file:
                file.write(f"ControlMaster auto\nControlPath {tempfile.gettempdir()}/inv-%C\nControlPersist 5\n")
        (folder / "bin").mkdir()
        wrapper = folder / "bin/ssh"  # ssh takes the home folder from /etc/passwd, so its settings come with -F
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh.conf "$@"\n')
        wrapper.chmod(0o755)
        self.environment = {"DOCKER_HOST": self.host, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self.start()

    def start(self) -> None:
        bashrc = Path("~root/.bashrc").expanduser()  # bash reads it for each command, and it may take long or talk
        alone = without(str(bashrc) if bashrc.exists() else None)
        words = [*alone, program("sshd") or "sshd", "-D", "-e", "-f", str(self.folder / "sshd.conf")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        eventually(lambda: self.ssh("true") == 0)

    def ssh(self, command: str) -> int:
        words = ["ssh", "-p", str(self.port), "root@127.0.0.1", command]
        return subprocess.run(words, env={**os.environ, **self.environment}, capture_output=True).returncode

    def kill(self) -> None:
        """End the server and every connection to it."""
        for process in (psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
