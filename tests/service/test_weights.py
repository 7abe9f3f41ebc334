"""The server of the pretrained weights."""

import signal
import socket
from pathlib import Path

import pytest
from sites import Site, free_port
from switches import Run, eventually

from tasks.engine.commands import bind

NAME = "tests_weights"


@pytest.fixture
def served(site: Site) -> Site:
    """A site with weights to serve, by busybox's own server."""
    number = free_port()
    site.settings["weights"] = {
        "service": NAME,
        "port": number,
        "image": "tiny:1",
        "command": ["httpd", "-f", "-p", str(number)],
    }
    site.save()
    folder = Path(site.settings["data"]) / "pretrained_models"
    folder.mkdir(parents=True)
    (folder / "resnet.pth").write_text("weights")
    return site


def got(site: Site, path: str) -> str:
    """What the server answers, headers and all; "" when it does not."""
    try:
        with socket.create_connection(("127.0.0.1", site.settings["weights"]["port"]), timeout=2) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError:
        return ""


def test_weights_are_served_read_only_and_start_with_the_engine(served: Site) -> None:
    said = served.inv("weights").stdout
    assert f"{NAME} serves {served.settings['data']}/pretrained_models on port" in said
    eventually(lambda: got(served, "/resnet.pth").endswith("weights"))
    mounts = "{{range .Mounts}}{{.Destination}} {{.RW}}{{end}}"
    template = f"{{{{.HostConfig.RestartPolicy.Name}}}} {mounts} {{{{.HostConfig.ReadonlyRootfs}}}}"
    assert served.docker("inspect", "--format", template, NAME) == "unless-stopped /pretrained_models false true"


def test_a_second_time_changes_nothing_and_another_way_replaces_it(served: Site) -> None:
    served.inv("weights")
    first = served.docker("inspect", "--format", "{{.Id}}", NAME)
    assert "docker" not in served.inv("weights").stdout
    assert served.docker("inspect", "--format", "{{.Id}}", NAME) == first
    served.settings["weights"]["command"][-1:] = [str(served.settings["weights"]["port"]), "-v"]
    served.save()
    served.inv("weights")
    assert served.docker("inspect", "--format", "{{.Id}}", NAME) != first
    served.docker("stop", NAME)
    served.inv("weights")
    assert served.docker("inspect", "--format", "{{.State.Running}}", NAME) == "true"


def test_stop_takes_it_away_and_twice_is_no_failure(served: Site) -> None:
    served.inv("weights")
    assert f"{NAME} is stopped" in served.inv("weights", "--stop").stdout
    assert served.docker("ps", "--all", "--quiet") == ""
    assert f"{NAME} does not run" in served.inv("weights", "--stop").stdout


def test_somebody_elses_container_is_not_touched(served: Site) -> None:
    theirs = served.docker("run", "-d", "--init", "--name", NAME, "tiny:1", "sleep", "1000")
    for flags in ([], ["--stop"]):
        assert "is not one that inv weights made" in served.inv("weights", *flags, code=1).stderr
    assert served.docker("ps", "--no-trunc", "--quiet") == theirs


def test_what_is_missing_is_said_before_anything_is_made(served: Site) -> None:
    folder = Path(served.settings["data"]) / "pretrained_models"
    folder.rename(folder.with_name("elsewhere"))
    assert f"Make it: mkdir -p {folder}" in served.inv("weights", code=1).stderr
    folder.write_text("")
    assert f"{folder} is no folder. See: ls -l {folder}" in served.inv("weights", code=1).stderr
    folder.unlink()
    folder.with_name("elsewhere").rename(folder)
    served.settings["weights"]["image"] = "nobody/has:1"
    served.save()
    assert "There is no image nobody/has:1" in served.inv("weights", code=1).stderr
    assert served.docker("ps", "--all", "--quiet") == ""


def test_a_server_that_ends_leaves_nothing_and_its_words_are_shown(served: Site) -> None:
    served.settings["weights"]["command"] = ["sh", "-c", "echo no such module; exit 1"]
    served.set(settle=1)
    done = served.inv("weights", code=1)
    assert f"{NAME} | no such module" in done.stdout and "cannot serve the weights" in done.stderr
    assert served.docker("ps", "--all", "--quiet") == ""


def test_a_folder_with_any_name_is_served_and_one_that_is_not_there_is_not_made(served: Site) -> None:
    odd = served.folder / 'a, "b"'
    Path(served.settings["data"]).rename(odd)
    served.settings["data"] = str(odd)
    served.save()
    served.inv("weights")
    eventually(lambda: got(served, "/resnet.pth").endswith("weights"))
    elsewhere = served.folder / "elsewhere"  # on an engine's host whose files cannot be looked at
    with pytest.raises(AssertionError, match="bind source path does not exist"):
        served.docker("create", bind(elsewhere, "/x"), "tiny:1")
    assert not elsewhere.exists()


def test_the_former_server_comes_back_when_the_new_one_fails(served: Site) -> None:
    served.inv("weights")
    first = served.docker("inspect", "--format", "{{.Id}}", NAME)
    weights = served.settings["weights"]
    command, number = weights["command"], weights["port"]
    served.set(settle=1)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        for change in ({"command": ["sh", "-c", "exit 1"]}, {"port": taken.getsockname()[1]}):
            weights.update(change)
            served.save()
            assert f"{NAME} serves as before." in served.inv("weights", code=1).stdout
            weights.update(command=command, port=number)
            assert served.docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}") == f"{NAME} {first}"
            eventually(lambda: got(served, "/resnet.pth").endswith("weights"))


def test_a_replacement_that_is_interrupted_or_cut_off(served: Site) -> None:
    served.inv("weights")
    first = served.docker("inspect", "--format", "{{.Id}}", NAME)
    weights = served.settings["weights"]
    weights["command"] = [*weights["command"], "-v"]
    served.set(settle=30)
    run = Run(served, "weights").until("docker start")
    run.signal(signal.SIGTERM).end(130)
    listed = ("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}} {{.State}}")
    assert served.docker(*listed) == f"{NAME} {first} running"
    Run(served, "weights").until("docker start").signal(signal.SIGKILL).end(-signal.SIGKILL)
    served.set(settle=0.01)
    served.inv("weights")
    name, second, state = served.docker(*listed).split()
    assert (name, state) == (NAME, "running") and second != first
    served.docker("pause", NAME)
    served.inv("weights")
    eventually(lambda: got(served, "/resnet.pth").endswith("weights"))
    served.docker("rename", NAME, f"{NAME}.former")
    assert f"{NAME} is stopped" in served.inv("weights", "--stop").stdout
    assert served.docker("ps", "--all", "--quiet") == ""


def test_a_switch_of_the_service_does_not_touch_it(served: Site) -> None:
    served.inv("weights")
    before = served.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", NAME)
    served.inv("frame", "start")
    served.inv("stop")
    assert served.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", NAME) == before


def test_dry_changes_nothing(served: Site) -> None:
    assert f"--name={NAME}" in served.inv("--dry", "weights").stdout
    assert served.docker("ps", "--all", "--quiet") == ""
