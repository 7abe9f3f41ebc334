"""A GPU that a container really loses: its runtime granted a device behind the engine's back, and that is taken away.

The engine says that systemd makes its control groups, as where `systemctl daemon-reload` is the cause.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import PrivateEngine
from sites import Site
from versions import NO_CHECK, SERVE, make

DEVICES = Path("/sys/fs/cgroup/devices")
LISTS = "GPU 0: Tesla V100 (UUID: GPU-1)"
# As NVIDIA's own, in an image: it opens the device anew.
SMI = f"""#!/bin/sh
if (: < /dev/nvidiactl) 2> /dev/null; then echo '{LISTS}'; exit 0; fi
echo 'Failed to initialize NVML: Unknown Error'; exit 255
"""
# A runtime that does as NVIDIA's: once runc has made the container, it grants a device (/dev/fuse under another name)
# that is not in what the engine was told. There may be no systemd here, so runc makes the control group itself.
RUNTIME = r"""#!/bin/sh
set -- "$@" --end
while [ "$1" != --end ]; do
  case $1 in create | --bundle | --pid-file) last=$1 ;; *) last= ;; esac
  case $before in --bundle) bundle=$1 ;; --pid-file) file=$1 ;; esac
  [ "$1" != create ] || create=yes
  before=$last
  [ "$1" = --systemd-cgroup ] || set -- "$@" "$1"
  shift
done
shift
[ -n "$create" ] || exec runc "$@"
sed -i 's|"cgroupsPath":"[^":]*:[^":]*:\([^"]*\)"|"cgroupsPath":"/GROUP/\1"|' "$bundle/config.json"
runc "$@" || exit
pid=$(cat "$file")
group=$(sed -n 's/^[0-9]*:devices://p' "/proc/$pid/cgroup")
echo 'c 10:229 rw' > "/sys/fs/cgroup/devices$group/devices.allow"
mknod -m 666 "/proc/$pid/root/dev/nvidiactl" c 10 229
"""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[PrivateEngine]:
    """An engine that asks for control groups by systemd, with such a runtime."""
    if not DEVICES.is_dir():
        pytest.skip(
            "only control groups of version 1 can be granted a device by a shell; NVIDIA's library does it by BPF"
        )
    runtime = tmp_path / "nvidia-behind"
    driver = ("--exec-opt=native.cgroupdriver=systemd", "--cgroup-parent=inv.slice")
    with PrivateEngine(*driver, f"--add-runtime=nvidia-behind={runtime}") as engine:
        runtime.write_text(RUNTIME.replace("GROUP", engine.folder.name))
        runtime.chmod(0o755)
        yield engine


@pytest.fixture
def running(systemd: PrivateEngine, tmp_path: Path) -> Site:
    """A version that `inv` started by that runtime, with an nvidia-smi in it; the host has one of its own."""
    site = Site(systemd, systemd.busybox(), tmp_path)
    for place in ("bin", "image"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "nvidia-smi").write_text(SMI if place == "image" else f"#!/bin/sh\necho '{LISTS}'\n")
        (tmp_path / place / "nvidia-smi").chmod(0o755)
    (tmp_path / "image/Dockerfile").write_text("FROM tiny:1\nCOPY nvidia-smi /bin/\n")
    systemd.docker("build", "--quiet", "--tag", "tiny:1", str(tmp_path / "image"))
    options = ["--network", "host", "--init", "--runtime", "nvidia-behind"]
    site.frame["run_options"] = options
    site.save()
    make(site, "1.0", script=SERVE, check=NO_CHECK, options=options)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    return site


def status(site: Site, *words: str, code: int = 0) -> str:
    return site.inv("status", *words, code=code, PATH=f"{site.folder}/bin:{os.environ['PATH']}").stdout


def gpu(site: Site, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(status(site, "--json", code=code))["running"]["gpu"]
    return found


def line(site: Site, code: int = 0) -> str:
    return next(one for one in status(site, code=code).splitlines() if one.startswith("gpu "))


def taken_away(site: Site) -> None:
    """Do to the service's devices what systemd does at `daemon-reload`: only those that it was told of are allowed."""
    key = site.engine.request("GET", "/containers/tests_service/json")["Id"]
    (DEVICES / site.engine.folder.name / key / "devices.deny").write_text("c 10:229 rwm")


def test_a_gpu_that_is_at_risk_is_lost_and_comes_back_with_a_restart(running: Site) -> None:
    site = running
    risk = "at risk: the next systemctl daemon-reload on its host may take it away"
    assert site.engine.request("GET", "/info")["CgroupDriver"] == "systemd"
    assert gpu(site) == {"state": "fine", "why": "it sees 1", "seen": 1, "at_risk": True}
    assert line(site).split(maxsplit=1)[1] == f"fine: it sees 1; {risk}"
    site.docker("update", "--cpu-shares", "512", "tests_service")  # runc 1.1 leaves the devices alone then
    assert gpu(site)["state"] == "fine"
    taken_away(site)
    why = "nvidia-smi says in it: Failed to initialize NVML: Unknown Error; the host's own sees 1"
    assert gpu(site, code=1) == {"state": "lost", "why": why, "seen": 0, "at_risk": False}
    assert line(site, code=1).split(maxsplit=1)[1] == f"lost: {why}; type: docker restart tests_service"
    site.docker("restart", "--time", "0", "tests_service")
    assert gpu(site)["at_risk"] and line(site).split()[1] == "fine:"


def test_the_device_alone_tells_it_too(running: Site) -> None:
    site = running
    site.docker("exec", "tests_service", "rm", "/bin/nvidia-smi")
    assert gpu(site) == {"state": "fine", "why": "/dev/nvidiactl can be opened", "seen": None, "at_risk": True}
    taken_away(site)
    why = "/dev/nvidiactl cannot be opened any more"
    assert gpu(site, code=1) == {"state": "lost", "why": why, "seen": None, "at_risk": False}
