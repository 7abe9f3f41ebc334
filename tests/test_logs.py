"""`logs` and `shell`: into a service's container."""

import shlex
import subprocess
import time

import pytest
from invoke import Config, Context
from projects import ended
from sites import Site
from switches import Run, eventually, leave
from terminals import ENTER, Terminal
from versions import SERVE, make

from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.engine.records import ContainerRow
from tasks.looking import logs
from tasks.service.service import Service
from tasks.settings.load import load_file

SPEAK = "echo \"says $VERSION\"; echo 'loud' >&2; " + SERVE


@pytest.fixture
def two(site: Site) -> Site:
    """Two versions that say which they are; the first ran before, the second runs."""
    for tag in ("1.0", "2.0"):
        make(site, tag, script=SPEAK)
        site.inv("start", "--tag", tag, "--no-rehearsal")
    return site


def logged(site: Site, *words: str) -> tuple[str, str]:
    done = site.inv("logs", *words)
    return done.stdout, done.stderr


def test_the_log_of_the_version_that_runs_or_ran(two: Site) -> None:
    site = two
    assert logged(site) == ("says 2.0\n", "loud\n"), "in a pipe, each stream as it was written"
    assert logged(site, "--previous") == logged(site, "--tag", "1.0") == ("says 1.0\n", "loud\n")
    assert logged(site, "--tag", "2.0")[0] == site.inv("dlg").stdout == "says 2.0\n"
    site.docker("exec", "tests_service", "sh", "-c", "for i in 1 2 3; do echo $i; done > /proc/1/fd/1")
    eventually(lambda: logged(site)[0].endswith("3\n"))
    assert logged(site, "--tail", "2")[0] == "2\n3\n" and logged(site, "--tail", "all")[0].count("\n") == 4
    assert logged(site, "--since", "1h")[0].count("\n") == 4
    assert logged(site, "--since", "2019-08-30T14:46:20Z")[0].count("\n") == 4
    assert logged(site, "--since", str(time.time() + 1000)) == ("", "")


def test_the_containers_are_asked_for_once(two: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, asked, rows = load_file(Context(Config()), two.file), list[Engine](), Engine.containers

    def counted(engine: Engine) -> list[ContainerRow]:
        asked.append(engine)
        return rows(engine)

    monkeypatch.setattr(Engine, "containers", counted)
    engine = Engine(Endpoint(two.engine.host))
    service = Service(Context(Config()), engine, settings, settings.frames["visdom"])
    assert logs.of(service, True, "").name == "tests_service.1.0" and len(asked) == 1


def test_what_is_wrong_or_missing_is_said(site: Site) -> None:
    assert f"tests_service does not run. Type: inv -f {site.file} frame" in site.inv("logs", code=3).stderr
    make(site, "1.0", script=SPEAK)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")

    def refused(*words: str) -> str:
        done = site.inv("logs", *words, code=2)
        assert done.stdout == ""
        return done.stderr.strip()

    assert refused("--tag", "9") == "No container of tests_service here ran 9. Type --tag with one of: 1.0."
    assert refused("--tag", "\x1b[31m").startswith("No container of tests_service here ran ?[31m.")
    assert refused("--previous").startswith("No container of an earlier version of tests_service is kept.")
    assert refused("--previous", "--tag", "1.0") == "Type either --previous or --tag TAG."
    assert refused("--follow", "--no-follow") == "Type either --follow or --no-follow."
    assert refused("--tail", "some").startswith("--tail is a number of lines")
    for since in ("soon", "2019-13-01", "1 h", "2562048h", "9" * 30):
        assert refused(f"--since={since}").startswith("--since is a time such as ")
    site.docker("stop", "tests_service")
    done = site.inv("logs", code=3)
    assert done.stdout == "says 1.0\n" and "tests_service does not run: this was its log." in done.stderr
    assert site.inv("logs", "--tag", "1.0").stdout == "says 1.0\n"


def test_a_log_is_followed(two: Site) -> None:
    run = Run(two, "logs", "--follow").until("says 2.0")
    two.docker("exec", "tests_service", "sh", "-c", "echo more > /proc/1/fd/1")
    run.until("more")
    two.docker("stop", "tests_service")
    run.end(0)


def test_a_log_cannot_steer_a_terminal(site: Site) -> None:
    lines = "echo one; printf 'bar 1%%\\rbar 2%%\\r\\n'; printf '\\033[32mgreen\\033[0m\\033]0;owned\\007\\n'; "
    make(site, "1.0", script=lines + SERVE)
    site.inv("start", "--tag", "1.0", "--no-rehearsal")
    with Terminal(site, "logs", "--no-follow") as terminal:
        assert terminal.ended() == 0
        assert "\x1b]0" not in terminal.raw and "\x07" not in terminal.raw
        assert terminal.shown.splitlines() == ["one", "bar 2%", "green?]0;owned?"]
    with Terminal(site, "logs") as terminal:
        terminal.until("green")
        site.docker("exec", "tests_service", "sh", "-c", "echo more > /proc/1/fd/1")
        terminal.until("more")
        terminal.press("\x03")
        assert terminal.ended() == 130


def test_a_command_in_the_service_and_its_exit_code(two: Site) -> None:
    site = two
    assert site.inv("shell", "--command", 'echo "it is $VERSION"; echo bad >&2').stdout == "it is 2.0\n"
    assert site.inv("dsh", "--command", "exit 7", code=7).stdout == ""
    printed = site.inv("--dry", "shell", "--command", "touch /tmp/x").stdout
    assert printed.startswith("docker exec --interactive ") and printed.endswith(" sh -c 'touch /tmp/x'\n")
    assert site.inv("shell", "--command", "test -e /tmp/x", code=1).stderr == ""
    refused = site.inv("shell", code=2).stderr.strip()
    assert refused == f"A shell needs a terminal. To run one command, type: inv -f {site.file} shell --command COMMAND"
    piped = subprocess.run(
        site.command("shell", "--command", "cat"), input=b"\x00\xff", env=site.environment, capture_output=True
    )
    assert (piped.returncode, piped.stdout) == (0, b"\x00\xff"), piped.stderr
    site.docker("stop", "tests_service")
    assert site.inv("shell", "--command", "true", code=3).stderr.startswith("tests_service does not run. Type: inv")


def test_streams_that_are_closed_hold_nothing_and_end_nothing(two: Site) -> None:
    def typed(words: str, code: int) -> tuple[str, str]:
        program = shlex.join(two.command())
        done = subprocess.run(["bash", "-c", f"{program} {words}"], env=two.environment, capture_output=True, text=True)
        return ended(done, code).stdout, done.stderr

    assert typed("logs >&-", 0) == ("", "loud\n")
    assert typed("logs 2>&-", 0) == ("says 2.0\n", "")
    assert typed("shell --command 'cat; echo $VERSION' <&-", 0) == ("2.0\n", "")
    assert typed("shell --command 'echo $VERSION; exit 3' >&- 2>&-", 3) == ("", "")
    for words in ("shell", "dev --shell", "start"):
        assert typed(f"{words} <&- >&-", 2)[0] == ""
    assert typed("no-such-task 2>&-", 2) == ("", "")


def test_a_client_that_cannot_be_run(two: Site) -> None:
    client = two.folder / "bin/docker"
    client.parent.mkdir()
    client.touch()
    for mode, why in ((0o644, "Permission denied"), (0o755, "Exec format error")):
        client.chmod(mode)
        for words in (["logs"], ["shell", "--command", "true"]):
            assert two.inv(*words, code=1, PATH=str(client.parent)).stderr == f"docker cannot be run: {why}.\n"


def test_a_shell_on_a_terminal(two: Site) -> None:
    with Terminal(two, "shell") as terminal:
        terminal.until("#")
        terminal.press("echo $((40 + 2))-$VERSION", ENTER)
        terminal.until("42-2.0")
        terminal.press("exit 5", ENTER)
        assert terminal.ended() == 5


def test_it_is_the_service_that_is_meant_and_no_training(two: Site) -> None:
    two.docker("rm", "--force", "tests_service")
    two.engine.container("training", "tests/visdom:2.0", ["sh", "-c", "echo mine; sleep 100"])
    leave(two, "1.0", [])
    done = two.inv("logs", code=3)
    assert done.stdout == "" and done.stderr.strip() == ("tests_service does not run. Type --tag with one of: 1.0.")
    assert two.inv("shell", "--command", "true", code=3).stdout == ""
