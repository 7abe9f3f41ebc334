"""Docker Engine 26.1 of Debian 13, beside this machine's own: with the classic image store, or with containerd's."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from engines import PrivateEngine

from tasks.host.files import locked

CACHE = Path("~/.cache/cauchycv").expanduser()
PACKAGES = "docker.io,docker-cli,docker-buildx,ca-certificates,iptables"
# A Debian 13 as the root of what runs this, and of what that starts. Its folder is bound on itself, because only a
# mount can become a root; the engine's own folder keeps its path.
INTO = """
root=$1 folder=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc" && mount --rbind /sys "$root/sys" && mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run" && mount -t tmpfs tmpfs "$root/tmp"
[ -d "$root$folder" ] || { mkdir -p "$root$folder" && mount --rbind "$folder" "$root$folder"; }
cd "$root" && mkdir run/old && pivot_root . run/old && umount --lazy /run/old && exec "$@"
"""


def root() -> Path:
    """A Debian 13 with a Docker Engine, made once (a minute, 450 MB) and kept in the cache."""
    made = CACHE / "trixie-engine"
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "lock", "Another worker makes a Debian 13."):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as part:
                words = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", "trixie", f"{part}/root"]
                done = subprocess.run(["mmdebstrap", *words], capture_output=True, text=True)
                assert done.returncode == 0, f"mmdebstrap could not make a Debian 13: {done.stderr[-2000:]}"
                shutil.move(f"{part}/root", made)
    return made


class NewerEngine(PrivateEngine):
    """A private engine of that version. `containerd`: with containerd's image store instead of the classic one.

    The rest is as for a `PrivateEngine`.
    """

    def __init__(self, *arguments: str, containerd: bool = False, alone: bool = False, hostname: str = "") -> None:
        self.containerd = containerd
        self.root = root()
        super().__init__(*arguments, alone=alone, hostname=hostname)

    def within(self, dockerd: list[str]) -> list[str]:
        config = self.folder / "daemon.json"
        config.write_text(json.dumps({"features": {"containerd-snapshotter": self.containerd}}))
        return ["sh", "-ec", INTO, "sh", str(self.root), str(self.folder), *dockerd, f"--config-file={config}"]
