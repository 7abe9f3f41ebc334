"""`status`: what runs, and whether it is what it should be."""

import json
import os
import re
import shlex
from contextlib import suppress
from typing import Any

import pytest
from documented import keys
from images import like, load
from invoke import Config, Context
from sites import Site
from switches import eventually, held, leave
from terminals import Terminal
from versions import NO_CHECK, SERVE, make, make_all

from tasks.engine import label
from tasks.engine.client import Client
from tasks.engine.engine import Engine
from tasks.looking import status_shown
from tasks.looking.gpu import at_risk
from tasks.looking.status import report
from tasks.service.service import Service
from tasks.settings.load import load_file

EVIL = "\x1b[31mred\u202e"
LISTS = "GPU 0: Tesla V100 (UUID: GPU-1)\nGPU 1: Tesla V100 (UUID: GPU-2)\n"
# A stand-in for nvidia-smi, of an image whose device is there as long as /tmp/gpu is.
SMI = f"""#!/bin/sh
[ "$1" = -L ] || exit 9
if test -e /tmp/gpu; then echo '{LISTS.strip()}'; exit 0; fi
echo "Failed to initialize NVML: Unknown Error"; exit 255
"""


def said(site: Site, *words: str, code: int = 0, **environment: str) -> dict[str, Any]:
    """The document."""
    done = site.inv("status", "--json", *words, code=code, **environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def runs(site: Site, *words: str, code: int = 0, **environment: str) -> dict[str, Any]:
    """What the document says of the container that serves."""
    found: dict[str, Any] = said(site, *words, code=code, **environment)["running"]
    return found


def shown(site: Site, *words: str, code: int = 0, **environment: str) -> dict[str, str]:
    """The lines for people, by their first word."""
    lines = site.inv("status", *words, code=code, **environment).stdout.splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith(" ")]
    return {pair[0]: pair[-1] for pair in pairs}


def squeezed(text: str) -> str:
    """A table's lines with two blanks between its columns."""
    return re.sub(" {2,}", "  ", text)


def inspected(site: Site) -> Any:
    return site.engine.request("GET", "/containers/tests_service/json")


def differences(site: Site, code: int = 0) -> dict[str, tuple[Any, ...]]:
    found = runs(site, code=code)["drift"]["differences"]
    return {one["option"]: (one["container"], one["recommended"], one["settings"]) for one in found}


@pytest.fixture
def built(own_site: Site) -> Site:
    """A version built from a commit and started, on the present base."""
    site = own_site
    with suppress(AssertionError):
        site.engine.request("DELETE", "/images/tests/base:latest?force=1")
    site.dockerfile.write_text("FROM tests/base:latest\nCOPY . /srv\n")
    site.frame["command"] = ["httpd", "-f", "-p", str(site.port), "-h", "/srv"]
    site.save()
    site.inv("frame", "start", "--no-rehearsal")
    return site


def test_each_line_of_a_version_that_was_built_here(built: Site) -> None:
    site = built
    head = site.git("rev-parse", "HEAD")
    eventually(lambda: site.answer() != "")
    found = said(site)
    now = found["running"]
    assert (found["service"], found["healthy"], found["troubles"]) == ("tests_service", True, [])
    assert found["stopped"] is found["switch"] is found["notice"] is found["weights"] is None
    assert (now["container"], now["state"], now["tag"], now["tag_means"]) == (
        "tests_service",
        "running",
        "0.2.1",
        "this",
    )
    details = inspected(site)
    assert (now["id"], now["image"]) == (details["Id"], details["Image"])
    assert now["since"] == details["State"]["StartedAt"][:19] + "Z" and now["built"].endswith("Z")
    assert "@" in now["started_by"]
    assert (now["health"], now["restarts"]) == (None, 0)
    assert (now["commit"], now["branch"], now["dirty"]) == (head, "main", False)
    base = site.engine.request("GET", "/images/tests/base:latest/json")["Id"]
    assert now["base"] == {"name": "tests/base:latest", "id": base, "name_means": "this"}
    assert now["port"] == {"number": site.port, "answers": True}
    assert now["gpu"] is None and (now["others"], now["also"]) == (0, [])
    source = now["source"]
    assert (source["known"], source["head"], source["subject"]) == (True, head, "index.html: version one")
    assert (source["ahead"], source["behind"], source["commits"]) == (0, 0, [])
    assert now["drift"] == {"recommended": True, "differences": []}
    lines = shown(site)
    assert lines["service"] == "tests_service: 0.2.1, healthy"
    assert lines["commit"] == f"{head[:7]} of main: index.html: version one"
    assert lines["image"] == f"{now['image'][7:19]}, still called 0.2.1"
    assert lines["base"] == f"tests/base:latest {base[7:19]}, the present one"
    assert lines["started"].endswith(f"ago, by {now['started_by']}")
    assert lines["health"] == "no health check, 0 restarts"
    assert lines["port"] == f"{site.port} answers"
    assert lines["source"] == f"{site.source}: HEAD is what runs"
    assert lines["options"] == "as the image recommends and the settings say"
    assert not {"gpu", "switch", "others", "also", "weights", "ended"} & lines.keys()


def test_what_changed_since_it_was_started(built: Site) -> None:
    site = built
    former = site.engine.request("GET", "/images/tests/base:latest/json")["Id"]
    first = site.git("rev-parse", "HEAD")
    for number in range(12):
        site.commit(text=f"commit {number}\n")
    (site.folder / "Dockerfile.base").write_text("ARG PARENT\nFROM ${PARENT}\nRUN echo new > /new\nCOPY vendor /opt\n")
    site.inv("base")
    load(site.engine, {"tests/visdom:0.2.1": like(site.engine, "tiny:1", Labels={label.NAME: "tests/visdom"})})
    for name in ("training", "notebook"):
        site.engine.container(name, runs(site)["image"], ["sleep", "100"])
    now = runs(site)
    assert (now["tag"], now["tag_means"]) == ("0.2.1", "another")
    assert now["base"] == {"name": "tests/base:latest", "id": former, "name_means": "another"}
    assert now["others"] == 2
    assert (now["source"]["ahead"], now["source"]["behind"], len(now["source"]["commits"])) == (12, 0, 10)
    newest = now["source"]["commits"][0]
    assert (newest["id"], newest["subject"]) == (site.git("rev-parse", "HEAD"), "index.html: commit 11")
    text = site.inv("status").stdout
    lines = shown(site)
    assert lines["image"].endswith("and 0.2.1 means another image by now")
    assert lines["base"].endswith("a former one: the name means another image by now")
    assert lines["source"] == f"{site.source}: 12 commits not deployed"
    assert f"{newest['id'][:7]} index.html: commit 11\n" in text and "and 2 more\n" in text
    assert lines["others"] == "2 other containers from this image"
    site.docker("image", "rm", "tests/visdom:0.2.1")
    site.git("checkout", "--quiet", "--orphan", "other")
    site.commit(text="elsewhere\n")
    now = runs(site)
    assert now["tag_means"] == "nothing" and (now["source"]["ahead"], now["source"]["behind"]) == (1, 1)
    assert "1 commit not deployed, 1 commit deployed that HEAD lacks" in shown(site)["source"]
    assert first == now["commit"]
    site.git("clone", "--quiet", "--depth", "1", f"file://{site.source}", str(site.folder / "shallow"))
    site.git("init", "--quiet", str(site.folder / "empty"))
    for name, why, way in (
        ("shallow", "it is a shallow clone", f"git -C {site.folder}/shallow fetch --unshallow"),
        ("empty", "it has no commit yet", None),
    ):
        site.settings["source"] = str(site.folder / name)
        site.save()
        source = runs(site)["source"]
        assert (source["known"], source["fetch"]) == (False, way) and source["why"].endswith(why)
    site.settings["source"] = str(site.folder / "nowhere")
    site.save()
    assert (runs(site)["source"]["known"], runs(site)["source"]["why"]) == (False, "there is no such folder")
    assert shown(site)["source"] == f"{site.folder}/nowhere: there is no such folder"


def test_of_a_source_that_is_a_folder_only_its_own_commits_count(own_site: Site) -> None:
    site = own_site
    site.commit("web/index.html", "web one\n")
    site.settings["source"] = str(site.source / "web")
    site.save()
    site.inv("frame", "start", "--no-rehearsal")
    site.commit("payment/main.py", "pay = 1\n")
    source = runs(site)["source"]
    assert (source["ahead"], source["behind"], source["commits"]) == (0, 0, [])
    assert shown(site)["source"] == f"{site.source}/web: what runs is as in HEAD, in this folder"
    done = json.loads(site.inv("changes", "--json").stdout)
    assert done["commits"] == done["dropped"] == []
    site.git("checkout", "--quiet", "-b", "topic", "HEAD~1")
    mine = site.commit("web/index.html", "web two\n")
    site.git("checkout", "--quiet", "main")
    site.git("merge", "--quiet", "--no-edit", "topic")
    source = runs(site)["source"]
    assert source["ahead"] == 1 and [one["id"] for one in source["commits"]] == [mine]
    done = json.loads(site.inv("changes", "--json").stdout)
    assert [one["subject"] for one in done["commits"]] == ["web/index.html: web two"]
    site.inv("frame")
    assert site.label("tests/visdom:0.2.5", label.REVISION) == site.git("rev-parse", "HEAD")


def test_options_that_differ_by_name_and_value(site: Site) -> None:
    (site.folder / "data").mkdir()
    secrets = site.folder / "service.env"
    secrets.write_text("DATABASE=postgres://me:hidden-a@db\nMODE=hidden-b\n")
    site.set(env_files=[str(secrets)])
    files = ["--env-file", str(secrets)]
    options = [
        "--network",
        "host",
        "--init",
        "--shm-size=1g",
        "--env",
        "API_TOKEN=hidden-c",
        "--env",
        "LEVEL=1",
        *files,
    ]
    site.frame["run_options"] = options
    command = ["sh", "-c", SERVE.format(port=site.port)]
    site.frame["command"] = command
    site.save()
    make(site, "1.0", options=options)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    assert differences(site) == {}
    site.docker("rm", "--force", "tests_service")
    by_hand = ["--network", "host", "--shm-size=2g", "--env", "API_TOKEN=hidden-d", "--env", "LEVEL=2", *files]
    more = ["--restart", "always", "--volume", f"{site.folder}/data:/data:ro", "--ulimit", "nofile=999"]
    site.docker("run", "--detach", "--name", "tests_service", *by_hand, *more, "tests/visdom:1.0", *command)
    secrets.write_text("DATABASE=postgres://me:hidden-e@db\nMODE=hidden-b\n")
    site.frame["run_options"] = [*options, "--pids-limit", "100"]
    site.frame["command"] = [*command, "--token=hidden-f"]
    site.save()
    eventually(lambda: site.answer() == "1.0")
    hidden = "(hidden)"
    served = shlex.join(command)
    assert differences(site) == {
        "--init": (None, "given", "given"),
        "--shm-size": ("2g", "1g", "1g"),
        "--env API_TOKEN": (hidden, hidden, hidden),
        "--env LEVEL": ("2", "1", "1"),
        "--env DATABASE": (hidden, hidden, hidden),
        "--restart": ("always", "no", "no"),
        "--volume /data": (f"{site.folder}/data:ro", None, None),
        "--ulimit nofile": ("999", None, None),
        "--pids-limit": (None, None, "100"),
        "command": (served, served, f"{served} '--token={hidden}'"),
    }
    verdicts = {
        one["option"]: (one["differs_from_recommended"], one["differs_from_settings"], one["secret"])
        for one in runs(site)["drift"]["differences"]
    }
    assert verdicts["--pids-limit"] == (False, True, False) and verdicts["--env API_TOKEN"] == (True, True, True)
    done = site.inv("status")
    assert "hidden-" not in done.stdout + site.inv("status", "--json").stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["--shm-size", "2g", "1g", "1g"] in rows
    assert ["--env", "API_TOKEN", hidden, "another", "value", "another", "value"] in rows
    assert ["--pids-limit", "-", "the", "same", "100"] in rows
    site.frame["run_options"] += ["--env", "SECRET_KEY=hidden-g"]
    site.save()
    assert "--env SECRET_KEY  -  the same  set, not shown" in squeezed(site.inv("status").stdout)
    site.frame["run_options"] = site.frame["run_options"][:-2]
    site.save()
    assert shown(site)["options"] == "10 options differ, see below"
    assert shown(site)["started"].endswith("by hand")


def test_an_image_that_recommends_nothing_and_hostile_labels(site: Site) -> None:
    make(site, "1.0", label="rm -rf /")
    configuration = like(site.engine, "tests/visdom:1.0")
    configuration["config"]["Labels"] |= {
        label.REVISION: EVIL,
        label.BRANCH: EVIL,
        label.BASE: EVIL,
        label.VERSION: EVIL,
    }
    load(site.engine, {"tests/visdom:1.0": configuration})
    site.docker(
        "run", "--detach", "--network", "host", "--init", "--name", "tests_service", "tests/visdom:1.0", "sleep", "9"
    )
    found = said(site, code=1)
    assert found["running"]["drift"]["recommended"] is False
    assert found["running"]["source"]["why"] == "the commit that runs is not in it"
    assert found["running"]["base"] is None, "what its label says is no image's id"
    (command,) = found["running"]["drift"]["differences"]
    assert (command["option"], command["container"], command["differs_from_recommended"]) == (
        "command",
        "sleep 9",
        None,
    )
    text = site.inv("status", code=1).stdout
    assert "\x1b" not in text and "\u202e" not in text and "?[31mred?" in text


def test_exit_codes_and_troubles(site: Site) -> None:
    assert said(site, code=3)["running"] is None
    nothing = f"tests_service: nothing runs. Type: inv -f {site.file}"
    assert shown(site, code=3)["service"] == f"{nothing} frame"
    make(site, "1.0", options=("--network", "host", "--init", "--health-interval", "1s"))
    assert shown(site, code=3)["service"] == f"{nothing} start"
    site.engine.container("tests_service", "tests/visdom:1.0", ["true"], start=False)
    assert shown(site, code=3)["ended"] == "tests_service: 1.0, never ran"
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    found = said(site)
    assert (found["healthy"], found["running"]["health"]) == (True, "healthy")
    source = found["running"]["source"]
    assert (source["known"], source["why"]) == (False, "the commit that runs is not in it")
    assert source["fetch"] is None and shown(site)["source"].endswith("is not in it")  # it was cloned from nowhere
    site.git("remote", "add", "origin", "https://example.com/x.git")
    source = said(site)["running"]["source"]
    assert source["fetch"] == f"git -C {site.source} fetch origin {b'1.0'.hex().ljust(40, '0')}"
    assert shown(site)["source"].endswith(f"is not in it; type: {source['fetch']}")
    site.docker("exec", "tests_service", "rm", "/tmp/index.html")
    eventually(
        lambda: (
            site.engine.request("GET", "/containers/tests_service/json")["State"]["Health"]["Status"] == "unhealthy"
        ),
        60,
    )
    assert said(site, code=1)["troubles"] == ["its health check says unhealthy"]
    site.docker("exec", "tests_service", "sh", "-c", "echo > /tmp/index.html")
    assert said(site)["running"]["health"] == "healthy", "asked anew: docker looks only now and then"
    site.docker("pause", "tests_service")
    assert said(site, code=1)["troubles"][0] == "it is paused"
    site.docker("unpause", "tests_service")
    site.docker("stop", "tests_service")
    found = said(site, code=3)
    assert found["running"] is None and found["stopped"]["tag"] == "1.0"
    assert found["stopped"]["exit_code"] != 0 and found["stopped"]["finished"].endswith("Z")
    assert shown(site, code=3)["ended"].startswith("tests_service: 1.0, exit code ")
    assert "There is no frame nope." in site.inv("status", "--name", "nope", code=2).stderr


def test_a_port_that_does_not_answer_and_restarts(site: Site) -> None:
    make(site, "1.0", check=NO_CHECK)
    script = "test -e /tmp/again && exec sleep 100; touch /tmp/again; exit 7"
    site.engine.container(
        "tests_service", "tests/visdom:1.0", ["sh", "-c", script], {"RestartPolicy": {"Name": "always"}}
    )
    eventually(lambda: site.engine.request("GET", "/containers/tests_service/json")["RestartCount"] == 1)
    eventually(lambda: said(site, code=1)["running"]["state"] == "running")
    found = said(site, code=1)
    assert found["troubles"] == [f"port {site.port} does not answer"]
    assert (found["running"]["restarts"], found["running"]["port"]["answers"]) == (1, False)
    assert shown(site, code=1)["health"] == "no health check, 1 restart"
    site.frame["port"] = None
    site.save()
    assert said(site)["running"]["port"] is None


def test_an_unfinished_switch(site: Site) -> None:
    make(site, "1.0")
    make(site, "2.0")
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    leave(site, "2.0", [held(site)])
    found = said(site)
    assert found["switch"]["by"] == "ann@elsewhere" and found["switch"]["to"] == "2.0"
    assert found["switch"]["cut_off"] is False and found["switch"]["since"].endswith("Z")
    assert found["running"]["tag"] == "1.0"
    assert shown(site)["switch"].startswith("ann@elsewhere is switching to 2.0 since ")
    site.docker("rm", "--force", "tests_service.next")
    leave(site, "2.0", [held(site)], limit=0)
    assert said(site)["switch"]["cut_off"] is True
    assert "was cut off. To recover, type: inv" in shown(site)["switch"]


def test_a_container_in_a_network_of_its_own_and_an_image_that_lost_its_tag(site: Site) -> None:
    site.docker("network", "create", "tests_net")
    try:
        site.frame["run_options"] = ["--network", "tests_net", "--init", "--publish", f"127.0.0.1:{site.port}:80"]
        site.frame["command"] = ["httpd", "-f", "-p", "80", "-h", "/"]
        site.save()
        make(site, "1.0", check=NO_CHECK)
        configuration = like(site.engine, "tests/visdom:1.0")
        words = site.frame["run_options"], ["tests/visdom:1.0", *site.frame["command"]]
        command = shlex.join(["docker", "run", "-d", "--name", "tests_service", *words[0], *words[1]])
        configuration["config"]["Labels"][label.COMMAND] = command
        load(site.engine, {"tests/visdom:1.0": configuration})
        site.inv("start", "--tag", "1.0", "--no-rehearsal")
        assert differences(site) == {}, "the name that a switch gives it in its network is none"
        assert runs(site)["port"] == {"number": site.port, "answers": True}
        site.docker("image", "rm", "--force", "tests/visdom:1.0")
        now = runs(site)
        assert (now["tag"], now["tag_means"], now["base"]) == ("1.0", "nothing", None)
        assert differences(site) == {}
        assert shown(site)["image"].endswith("and no image is called 1.0 any more")
    finally:
        site.docker("rm", "--force", "tests_service", check=False)
        site.docker("network", "rm", "tests_net")


def test_a_stranger_that_has_the_services_name(site: Site) -> None:
    site.engine.container("tests_service", "tiny:1", ["sleep", "100"])
    found = said(site, code=3)
    assert found["running"] is found["stopped"] is None
    assert found["notice"].startswith("The container tests_service is not a version of tests/visdom")


def test_the_server_of_the_weights_is_shown(site: Site) -> None:
    labels = ["--label", f"{label.WEIGHTS}=made"]
    site.docker("run", "--detach", "--network", "host", "--name", "cauchy_weights", *labels, "tiny:1", "sleep", "9")
    assert said(site, code=3)["weights"] == {"container": "cauchy_weights", "state": "running", "port": 28889}
    assert shown(site, code=3)["weights"] == "cauchy_weights: running, port 28889"


def test_a_gpu_is_at_risk_where_its_devices_were_granted_behind_the_engines_back() -> None:
    assert at_risk({("runtime", ""): "nvidia"}, "systemd")
    assert not at_risk({("runtime", ""): "nvidia"}, "cgroupfs")
    assert not at_risk({("runtime", ""): "nvidia", ("device", "/dev/nvidia0"): "/dev/nvidia0"}, "systemd")
    assert at_risk({("gpus", ""): "all"}, "systemd") and not at_risk({("gpus", ""): "cdi=nvidia.com/gpu=0"}, "systemd")


@pytest.fixture
def gpu(site: Site) -> Site:
    """A version that runs by the nvidia runtime; no nvidia-smi is in it, nor a device. The host has one of its own."""
    make(site, "1.0", check=NO_CHECK)
    command = ["sh", "-c", SERVE.format(port=site.port)]
    site.engine.container("tests_service", "tests/visdom:1.0", command, {"Runtime": "nvidia"})
    eventually(lambda: site.answer() == "1.0")
    (site.folder / "bin").mkdir(exist_ok=True)
    host = site.folder / "bin/nvidia-smi"
    host.write_text(f"#!/bin/sh\nprintf '%s' '{LISTS}'\n")
    host.chmod(0o755)
    return site


def into(site: Site, smi: str) -> None:
    """Put an nvidia-smi into the container."""
    path = site.folder / "smi"
    path.write_text(smi)
    path.chmod(0o755)
    site.docker("cp", str(path), "tests_service:/bin/nvidia-smi")


def state(site: Site, code: int = 0, host: bool = True) -> tuple[str, str, Any]:
    path = f"{site.folder / 'bin'}:{os.environ['PATH']}" if host else os.environ["PATH"]
    found = runs(site, code=code, PATH=path)["gpu"]
    return found["state"], found["why"], found["seen"]


def test_a_gpu_whose_device_vanishes_is_lost(gpu: Site) -> None:
    site = gpu
    into(site, SMI)
    site.docker("exec", "tests_service", "touch", "/tmp/gpu")
    assert state(site) == ("fine", "it sees 2", 2)
    assert shown(site)["gpu"] == "fine: it sees 2"
    site.docker("exec", "tests_service", "rm", "/tmp/gpu")
    why = "nvidia-smi says in it: Failed to initialize NVML: Unknown Error"
    assert state(site, code=1) == ("lost", f"{why}; the host's own sees 2", 0)
    assert state(site, code=1, host=False) == ("lost", why, 0)
    assert said(site, code=1)["troubles"] == [f"it has lost its GPU ({why})"]
    assert shown(site, code=1)["gpu"] == f"lost: {why}; type: docker restart tests_service"
    into(site, SMI.replace("Unknown Error", "Driver Not Loaded"))
    (site.folder / "bin/nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert state(site)[0] == "unknown" and state(site)[1].endswith("; the host's own sees none either")
    assert state(site, host=False)[1].endswith("; the host's own cannot be asked")
    assert shown(site)["gpu"].startswith("cannot be told: ")


def test_a_gpu_without_nvidia_smi_is_asked_by_its_device(gpu: Site) -> None:
    site = gpu
    assert state(site) == ("never had", "neither nvidia-smi nor /dev/nvidiactl is in it", None)
    site.docker("exec", "tests_service", "busybox", "mknod", "/dev/nvidiactl", "c", "1", "3")
    assert state(site) == ("fine", "/dev/nvidiactl can be opened", None)
    site.docker("exec", "tests_service", "rm", "/dev/nvidiactl")
    site.docker("exec", "tests_service", "busybox", "mknod", "/dev/nvidiactl", "c", "195", "255")
    assert state(site, code=1) == ("lost", "/dev/nvidiactl cannot be opened any more", None)
    into(site, SMI.replace("Unknown Error", "Driver Not Loaded"))
    assert state(site, code=1)[0] == "lost"
    site.docker("exec", "tests_service", "rm", "/dev/nvidiactl")
    assert state(site)[0] == "never had"
    site.docker("exec", "tests_service", "rm", "/bin/nvidia-smi", "/bin/sh")
    assert state(site)[0] == "unknown"


def test_the_number_of_questions_does_not_grow(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetch = Client.fetch

    def counted(self: Client, target: str) -> tuple[int, bytes]:
        asked.append(target)
        return fetch(self, target)

    def questions() -> list[str]:
        asked.clear()
        c = Context(Config(overrides={"run": {"in_stream": False}}))
        chosen = load_file(c, site.file)
        found = report(Service(c, Engine(site.engine.api.endpoint), chosen, chosen.frames["visdom"]))
        assert found.running and found.running.tag == "1.0"
        return [re.sub("[0-9a-f]{64}", "ID", target) for target in asked]

    monkeypatch.setattr(Client, "fetch", counted)
    make(site, "1.0", check=NO_CHECK)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    eventually(lambda: site.answer() == "1.0")
    few = questions()
    make_all(site, {f"2.{number}": {} for number in range(30)})
    for number in range(10):
        site.engine.container(f"train{number}", f"tests/visdom:2.{number}", ["true"], start=False)
        site.engine.container(f"note{number}", "tests/visdom:1.0", ["true"], start=False)
    assert questions() == few


def test_ages_are_by_the_engines_own_clock(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It wrote down when a container was started, and this machine's may be another one's."""
    make(site, "1.0", check=NO_CHECK)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    chosen = load_file(Context(Config()), site.file)
    c = Context(Config(overrides={"run": {"in_stream": False}, "stack_settings": chosen}))
    service = Service.of(c)
    now = service.engine.now()
    monkeypatch.setattr(Engine, "now", lambda self: now + 7260)
    status_shown.show(service, report(service))
    assert " UTC, 2 hours ago, by " in capsys.readouterr().out
    site.docker("stop", "tests_service")
    status_shown.show(service, report(service))
    assert "exit code 143, 2 hours ago" in capsys.readouterr().out


def test_at_eighty_columns_on_a_terminal(built: Site) -> None:
    with Terminal(built, "status") as terminal:
        assert terminal.ended() == 0
        assert "tests_service: 0.2.1, healthy" in terminal.shown and "\x1b[32m" in terminal.raw
    with Terminal(built, "status", NO_COLOR="1", COLUMNS="80") as terminal:
        assert terminal.ended() == 0
        assert "\x1b[32m" not in terminal.raw and max(map(len, terminal.shown.splitlines())) <= 80


def test_the_shape_is_the_documented_one(gpu: Site) -> None:
    site = gpu
    leave(site, "1.0", [held(site)])
    found = said(site)
    now = found["running"]
    for place, record in {
        "": found,
        "running": now,
        "running.port": now["port"],
        "running.gpu": now["gpu"],
        "running.source": now["source"],
        "running.drift": now["drift"],
        "running.drift.differences[]": now["drift"]["differences"][0],
        "switch": found["switch"],
    }.items():
        assert set(record) == keys("status", place), place
    assert keys("status", "running.source.commits[]") == {"id", "date", "author", "subject"}
    assert keys("status", "running.base") == {"name", "id", "name_means"}
    assert keys("status", "weights") == {"container", "state", "port"}
    site.docker("rm", "--force", "tests_service.next")
    site.docker("stop", "tests_service")
    assert set(said(site, code=3)["stopped"]) == keys("status", "stopped")
