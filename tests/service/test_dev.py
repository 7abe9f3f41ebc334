"""`inv dev`: the source mounted over the installed one, beside the service."""

import re
import socket

import pytest
from sites import Site, free_port
from switches import eventually
from terminals import Terminal

from tasks.engine.records import HealthCheck
from tasks.recommended.command import parse
from tasks.service.another_port import moved, still_named

DEV = "tests_service-dev"


@pytest.fixture
def serving(site: Site) -> Site:
    """A site whose service runs, and whose image has the source in /srv."""
    site.frame["installed"] = "/srv"
    site.save()
    site.inv("frame", "start")
    return site


def answer(port: int) -> str:
    """What is served at / of a port; "" when nothing answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode().partition("\r\n\r\n")[2].strip()
    except OSError:
        return ""


def test_a_change_shows_without_a_build_and_the_service_is_left_alone(serving: Site) -> None:
    service, port = serving.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service"), free_port()
    said = serving.inv("dev", "--port", str(port)).stdout
    assert f"0.2.1 runs as {DEV} on port {port}, with {serving.source} at /srv." in said
    eventually(lambda: answer(port) == "version one")
    (serving.source / "index.html").write_text("not committed\n")
    assert answer(port) == "not committed" and serving.answer() == "version one"
    assert serving.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "tests_service") == service
    assert serving.docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", DEV) == "no"


def test_nothing_takes_it_for_the_service(serving: Site) -> None:
    serving.inv("dev", "--port", str(free_port()))
    before = serving.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", DEV)
    serving.commit(text="version two\n")
    serving.inv("frame", "start")
    assert "before: 0.2.2" in serving.inv("rollback").stdout
    serving.inv("stop")
    assert serving.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", DEV) == before
    assert serving.running() == {DEV: "tests/visdom:0.2.1"} or list(serving.running()) == [DEV]


def test_a_source_whose_name_is_no_volumes(serving: Site) -> None:
    odd = serving.folder / 'a:ro, "b"'
    serving.source.rename(odd)
    serving.settings["source"] = str(odd)
    serving.save()
    port = free_port()
    serving.inv("dev", "--port", str(port))
    eventually(lambda: answer(port) == "version one")


def test_a_port_inside_a_longer_word_is_not_said_to_be_another(serving: Site) -> None:
    script = f"exec httpd -f -p {serving.port} -h /srv"
    serving.frame["command"] = ["sh", "-c", script]
    serving.save()
    serving.inv("frame", "--force")
    serving.inv("stop")
    said = serving.inv("dev", "--port", str(free_port())).stdout
    assert f"runs as {DEV}, with" in said
    assert f"Warning: its command still names port {serving.port}, the service's: {script}" in said


def test_again_replaces_it_and_stop_takes_it_away(serving: Site) -> None:
    port = str(free_port())
    serving.inv("dev", "--port", port)
    first = serving.docker("inspect", "--format", "{{.Id}}", DEV)
    serving.inv("dev", "--port", port)
    assert serving.docker("inspect", "--format", "{{.Id}}", DEV) != first
    assert f"{DEV} is stopped" in serving.inv("dev", "--stop").stdout
    assert f"{DEV} does not run" in serving.inv("dev", "--stop").stdout
    assert list(serving.running()) == ["tests_service"]


def test_what_cannot_be_is_said_before_anything_is_made(serving: Site) -> None:
    theirs = serving.docker("run", "-d", "--init", "--name", DEV, "tiny:1", "sleep", "1000")
    assert "is not one that inv dev made" in serving.inv("dev", code=1).stderr
    assert "is not one that inv dev made" in serving.inv("dev", "--stop", code=1).stderr
    assert theirs in serving.docker("ps", "--no-trunc", "--quiet")
    assert "needs another port" in serving.inv("dev", "--port", str(serving.port), code=2).stderr
    assert "needs another port" in serving.inv("dev", "--port", "70000", code=2).stderr
    assert "There is no version nope" in serving.inv("dev", "--tag", "nope", code=2).stderr
    assert "needs a terminal" in serving.inv("dev", "--shell", code=2).stderr
    del serving.frame["installed"]
    serving.save()
    before = serving.settings["source"]
    serving.settings["source"] = "/nowhere"
    serving.save()
    assert serving.inv("dev", code=1).stderr == "There is no source /nowhere. It is the setting stack.source.\n"
    serving.settings["source"] = before
    serving.save()
    refused = serving.inv("dev", code=1).stderr
    assert "where the source is installed" in refused and "Set stack.frames.visdom.installed." in refused


def test_one_that_ends_is_taken_away_and_its_words_are_shown(serving: Site) -> None:
    serving.frame["command"] = ["sh", "/srv/run.sh"]
    serving.save()
    serving.commit("run.sh", "exec httpd -f -p $PORT -h /srv\n")
    serving.inv("frame")
    (serving.source / "run.sh").write_text("echo no such module; exit 1\n")
    serving.set(settle=1)
    done = serving.inv("dev", "--tag", "0.2.2", "--port", str(free_port()), code=1)
    assert "What the build put into /srv, such as node_modules, is hidden by the source." in done.stderr
    assert f"{DEV} | no such module" in done.stdout and f"{DEV} ended" in done.stderr
    assert list(serving.running()) == ["tests_service"]


def test_a_shell_in_the_terminal_sees_the_source_and_leaves_nothing(serving: Site) -> None:
    (serving.source / "index.html").write_text("not committed\n")
    with Terminal(serving, "dev", "--shell", "--port", str(free_port())) as terminal:
        terminal.until("# ")
        terminal.press("cat /srv/index.html\r")
        terminal.until("not committed")
        terminal.press("exit 7\r")
        assert terminal.ended() == 7
    assert serving.docker("ps", "--all", "--quiet", "--filter", f"name={DEV}") == ""


@pytest.mark.parametrize(
    ("options", "words", "expected"),
    [
        ("--network host", "serve --port 80", "--network=host --env=PORT=81 serve --port 81"),
        ("--network host -e PORT=80 -e A=8080", "x", "--network=host --env=PORT=81 --env=A=8080 --env=PORT=81 x"),
        ("--network host", "serve --bind=0.0.0.0:80", "--network=host --env=PORT=81 serve --bind=0.0.0.0:81"),
        ("-p 80:8000", "serve 80", "--publish=81:8000 serve 80"),
        (
            "--network host --health-cmd 'curl -f http://x:80/80a' --health-retries 3",
            "x",
            "--network=host --health-cmd=curl -f http://x:81/80a --health-retries=3 --env=PORT=81 x",
        ),
        ("-p 80:80 --health-cmd 'curl localhost:80'", "x", "--publish=81:80 --health-cmd=curl localhost:80 x"),
        (
            "--network host -e U=http://localhost:80/a -e V=http://x:80/a",
            "x 127.0.0.1:80/ 127.0.0.1:8080",
            "--network=host --env=U=http://localhost:81/a --env=V=http://x:80/a --env=PORT=81 "
            "x 127.0.0.1:81/ 127.0.0.1:8080",
        ),
        ("-p 127.0.0.1:80:8000/tcp -p 90:9000", "x", "--publish=127.0.0.1:81:8000/tcp --publish=9000 x"),
        ("-p 127.0.0.1:90:9000", "x", "--publish=127.0.0.1::9000 x"),
        ("-p 8000", "x", "--publish=8000 x"),
    ],
)
def test_the_port_is_moved_wherever_the_command_says_it(options: str, words: str, expected: str) -> None:
    command = moved(parse(f"docker run -d --name a_b {options} a/b:1 {words}", "a/b:1"), 80, 81)
    assert " ".join([*command.arguments(), *command.command]) == expected


@pytest.mark.parametrize(
    ("options", "check", "expected"),
    [
        ("--network host", "curl localhost:80", "--network=host --env=PORT=81 --no-healthcheck"),
        ("--network host --health-retries 3", "curl localhost:80", "--network=host --env=PORT=81 --no-healthcheck"),
        ("--network host", "curl localhost:$PORT", "--network=host --env=PORT=81"),
        ("--network host --health-cmd true", "curl localhost:80", "--network=host --health-cmd=true --env=PORT=81"),
        ("-p 80:80", "curl localhost:80", "--publish=81:80"),
    ],
)
def test_an_images_own_check_of_the_services_port_is_not_run(options: str, check: str, expected: str) -> None:
    command = parse(f"docker run -d --name a_b {options} a/b:1", "a/b:1")
    assert " ".join(moved(command, 80, 81, HealthCheck(("/bin/sh", "-c", check))).arguments()) == expected


def test_what_could_not_be_moved_is_told_without_its_value() -> None:
    command = parse("docker run -d --name a_b --network host -e DB=me:secret@x:80/db a/b:1 x", "a/b:1")
    assert still_named(moved(command, 80, 81), 80) == "--env DB"
    assert still_named(parse("docker run -d --name a_b -p 80:80 a/b:1 serve 80", "a/b:1"), 80) == ""


def test_the_next_port_is_none_of_another_frames_and_free(serving: Site) -> None:
    first = serving.port
    with socket.socket() as held:
        serving.settings["frames"]["other"] = {**serving.frame, "image": "a/b", "service": "other", "port": first + 1}
        serving.settings["weights"] = {"port": first + 2}
        serving.save()
        held.bind(("0.0.0.0", first + 3))
        held.listen()
        said = serving.inv("dev", "--name", "visdom").stdout
    found = re.search(rf"runs as {DEV} on port (\d+)", said)
    assert found and int(found[1]) >= first + 4
    again = serving.inv("dev", "--name", "visdom").stdout  # its own container holds none of them
    assert re.search(rf"runs as {DEV} on port (\d+)", again)
    for number, whose in ((first + 1, "of the frame other"), (first + 2, "of the weights' server")):
        refused = serving.inv("dev", "--name", "visdom", "--port", str(number), code=2).stderr
        assert refused == f"Port {number} is that {whose}. Type --port with another one.\n"
    assert serving.inv("--dry", "dev", "--name", "visdom", "--stop").stdout.startswith("docker stop ")
    assert "is stopped" not in serving.inv("--dry", "dev", "--name", "visdom", "--stop").stdout
