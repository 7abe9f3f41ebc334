"""New connections wait while a switch replaces who listens; whatever becomes of the switch, the port is free again."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from clients import Answer, Clients, another_network, asking, cut_off, refused, silence
from sites import Site
from switches import Run, eventually, go_on, old, only
from versions import LATE, NO_CHECK, SERVE, make_all

from tasks.host import nft
from tasks.host.port import covers

SLOWEST = 5  # seconds besides twice the silence: the client's kernel asks again after 1, 3 and 7 seconds
# Ends at once; listens and ends; listens, and its check never succeeds; never listens; ends again and again.
BAD: dict[str, dict[str, Any]] = {
    "exits": {"script": "exit 3"},
    "dies": {"script": f"({SERVE.replace('exec ', '')}) & sleep 0.5; exit 4", "check": "false"},
    "ill": {"check": "false"},
    "mute": {"script": "sleep 1000"},
    "loops": {"script": "exit 5", "options": ("--network", "host", "--init", "--restart", "always")},
}
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "unchecked": {"check": NO_CHECK},
    "published-1": {"options": ("--init", "--publish", "{port}:{port}")},
    "published-2": {"options": ("--init", "--publish", "{port}:{port}"), "script": f"sleep 0.5; {SERVE}"},
    "local-1": {"options": ("--init", "--publish", "127.0.0.1:{port}:{port}")},
    "local-2": {"options": ("--init", "--publish", "127.0.0.1:{port}:{port}")},
    "deaf": {"script": "sleep 1000", "check": "true"},
    "late": {"script": LATE},
    **BAD,
}
NOT_RENEWED = "the hold was not renewed in time"
START = {"rehearse": False}


# In front of the real programs, docker and nft: counts the commands that change something, and kills the process group,
# or the task alone, before or after one of them. What renews a hold is not counted.
PROGRAM = """#!/bin/sh
case "$(basename "$0") $*" in
  "docker create"*|"docker start"*|"docker stop"*|"docker rename"*|"docker rm"*|"nft add"*|"nft delete"*) ;;
  *) exec {program} "$@" ;;
esac
echo "$(basename "$0") ${{1%% *}}" >> "$COUNT"
[ "$(wc -l < "$COUNT")" = "$POINT" ] || exec {program} "$@"
[ "$WHEN" = before ] || {program} "$@" > /dev/null 2>&1
if [ "$WHOM" = group ]; then kill -9 0; fi
kill -9 "$(cut -d ' ' -f 6 /proc/$$/stat)"  # the leader of the session
sleep 1
"""
UPGRADE = [
    "docker create",
    "nft add",
    "docker stop",
    "docker start",
    "nft delete",
    "docker rename",
    "docker rename",
]


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, Any]:
    """An environment in which these are found first."""
    for name in ("docker", "nft"):
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        (tmp_path / name).write_text(PROGRAM.format(program=program))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "count").touch()
    count = str(tmp_path / "count")
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COUNT": count, "POINT": "0", "WHEN": "", "WHOM": "group"}


def run(*words: str) -> str:
    """A command that must succeed; what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def held(site: Site) -> bool:
    """Whether a table holds connections to the service's port."""
    return any(f"elements = {{ {site.port} expires" in table for table in tables(site))


def tables(site: Site) -> list[str]:
    """The tables that are about the service's port: other workers' tests have some too."""
    found = re.findall(r"^table inet inv_.*?^}", run("nft", "list", "ruleset", "inet"), re.MULTILINE | re.DOTALL)
    return [table for table in found if f"tcp dport {site.port} " in table]


def seen(answers: list[Answer]) -> list[str]:
    """The versions that clients saw, in their order."""
    said = [one.said for one in answers if one.said]
    return [version for place, version in enumerate(said) if place == 0 or said[place - 1] != version]


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "2.0"), ("published-1", "published-2"), ("published-1", "2.0"), ("2.0", "published-1")]
)
def test_an_upgrade_refuses_nobody(versions: Site, one: str, other: str) -> None:
    """Clients on this host, by IPv4 and IPv6 and by another address of it, and clients on another."""
    versions.inv("start", "--tag", one)
    with another_network() as (address, inside):
        places: list[tuple[str, list[str]]] = [("127.0.0.1", []), (address, []), (address, inside)]
        if not one.startswith("published"):
            places.append(("::1", []))
        clients = [Clients(versions.port, 2, place, words) for place, words in places]
        said = versions.inv("start", "--tag", other).stdout
        assert not tables(versions)
        answers = sorted(answer for client in clients for answer in client.end())
    assert not refused(answers), (said, refused(answers))
    assert said.rstrip().endswith(" ms, new connections waited.")
    assert set(seen(answers)) == {one, other}
    assert max(answer.seconds for answer in answers) < 2 * silence(said) + SLOWEST


def test_back_and_forth_under_clients(versions: Site) -> None:
    versions.inv("start", "--tag", "1.0")
    switches = [("start", "--tag", "2.0"), ("rollback",), ("start", "--tag", "1.0", "--force")]
    switches.append(("start", "--tag", "unchecked"))
    with asking(versions.port, 8) as answers:
        said = [versions.inv(*words).stdout for words in switches]
    if NOT_RENEWED not in str(said):  # as on a machine that stood still for seconds
        assert not refused(answers), (said, refused(answers))
    saw = seen(answers)  # a version that ran for less than a client's second may have answered nobody
    assert saw[0] == "1.0" and saw[-1] == "unchecked" and set(saw) <= {"1.0", "2.0", "unchecked"}
    assert len(cut_off(answers)) <= 4 * 8


@pytest.mark.parametrize("tag", BAD)
def test_clients_of_a_bad_version_wait_for_the_old_one(versions: Site, tag: str) -> None:
    versions.set(timeout=4)
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 4) as answers:
        said = versions.inv("start", "--tag", tag, code=1).stderr
    assert "1.0 runs as before" in said
    if tag == "mute":  # its check waits as clients do, which is no fault of the check
        assert f"mute did not become healthy within 4 s: it does not listen on port {versions.port}. 1.0 runs" in said
    assert {one.said for one in answers if one.said} <= {"1.0", tag}
    assert not tables(versions)
    # A version that has listened has let its clients in; when it ends, its port is closed until that is noticed.
    late = [one for one in refused(answers) if tag != "dies"]
    assert not late, late
    only(versions, "1.0")


def test_clients_wait_for_an_old_version_that_comes_back_at_the_second_attempt(versions: Site, tmp_path: Path) -> None:
    """As on a full disk: nothing can be started while the candidate is there."""
    docker, seen_held = shutil.which("docker"), tmp_path / "held"
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\n[ "$1" = start ] && {docker} inspect tests_service.next > /dev/null 2>&1 && exit 1\n'
        f'[ "$1" = start ] && nft list ruleset > {seen_held}\nexec {docker} "$@"\n'
    )
    (tmp_path / "docker").chmod(0o755)
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 4) as answers:
        told = versions.inv("start", "--tag", "2.0", code=1, PATH=f"{tmp_path}:{os.environ['PATH']}").stderr
    assert "2.0 cannot be started. 1.0 runs as before." in told
    assert f"elements = {{ {versions.port} expires" in seen_held.read_text()
    assert not refused(answers) and seen(answers) == ["1.0"]
    assert not tables(versions)
    only(versions, "1.0")


def test_the_wait_for_a_version_is_told_of_before_its_check_waits_too(versions: Site) -> None:
    versions.set(settle=0.0001)  # the check is run at once, as on a slow machine, and may take 30 s
    versions.inv("start", "--tag", "1.0")
    run = Run(versions, "start", "--tag", "mute").until("starting")
    assert "1.0 runs as before." in run.signal(signal.SIGINT).end(130)
    found = re.search(r"tests_service\.next: starting, ([0-9.]+) s", run.said)
    assert found and float(found[1]) < 20


def test_a_version_that_never_listens_may_be_healthy_all_the_same(versions: Site) -> None:
    versions.inv("start", "--tag", "1.0")
    assert "deaf runs as tests_service; before: 1.0" in versions.inv("start", "--tag", "deaf").stdout
    assert not tables(versions)


# With its group it leaves nothing that goes on; alone, a command that is under way does. Before the table is made, and
# after it was deleted, it leaves what test_killed.py is about.
@pytest.mark.parametrize(("point", "whom"), [*((at, "group") for at in (2, 3, 4, 5)), (3, "task"), (4, "task")])
def test_killed_at_any_point_the_port_is_free_and_nothing_is_left(
    versions: Site, programs: dict[str, Any], point: int, whom: str
) -> None:
    versions.inv("start", "--tag", "1.0")
    programs |= {"POINT": str(point), "WHEN": "after", "WHOM": whom}
    Run(versions, "start", "--tag", "2.0", **programs).end(-signal.SIGKILL)
    assert held(versions) == (point <= UPGRADE.index("nft delete"))
    if (point, whom) == (2, "group"):  # the kernel's part is the same at each
        eventually(lambda: not held(versions), every=0.5)
    assert "2.0 runs as tests_service" in versions.inv("start", "--tag", "2.0", "--force").stdout
    assert not tables(versions)
    only(versions, "2.0")


def test_every_point_is_known(versions: Site, programs: dict[str, Any]) -> None:
    versions.inv("start", "--tag", "1.0")
    versions.inv("start", "--tag", "2.0", **programs)
    assert Path(programs["COUNT"]).read_text().splitlines() == UPGRADE


def test_a_table_whose_candidate_was_removed_too_goes_with_the_next_switch(
    versions: Site, programs: dict[str, Any]
) -> None:
    versions.inv("start", "--tag", "1.0")
    programs |= {"POINT": str(UPGRADE.index("nft add") + 1), "WHEN": "after"}
    Run(versions, "start", "--tag", "2.0", **programs).end(-signal.SIGKILL)
    versions.docker("rm", "tests_service.next")
    eventually(lambda: not held(versions), every=0.5)
    assert tables(versions)
    versions.inv("start", "--tag", "2.0")
    assert not tables(versions)


@pytest.mark.parametrize("by_hand", [False, True])
def test_recovery_holds_too(versions: Site, programs: dict[str, Any], by_hand: bool) -> None:
    if by_hand:
        old(versions)
    else:
        versions.inv("start", "--tag", "1.0")
    programs |= {"POINT": str(UPGRADE.index("docker stop") + 1), "WHEN": "after"}
    with asking(versions.port, 4) as answers:
        Run(versions, "start", "--tag", "2.0", **programs).end(-signal.SIGKILL)
        said = versions.inv("rollback", code=2).stdout
    assert "nft 'add table" in said and "1.0 runs as before." in said
    assert not refused(answers) and seen(answers) == ["1.0"]
    assert not tables(versions)


def test_a_switch_that_is_stopped_holds_no_longer_than_its_elements_last(versions: Site) -> None:
    make_all(versions, {"slow": {"script": f"sleep 3; {SERVE}"}})
    versions.inv("start", "--tag", "1.0")
    run = Run(versions, "start", "--tag", "slow").until("docker start")
    assert held(versions)
    run.signal(signal.SIGSTOP)
    eventually(lambda: not held(versions), every=0.5)
    run.signal(signal.SIGCONT)
    said = run.end(0)
    assert "slow runs as tests_service" in said
    assert said.rstrip().endswith(f"not all new connections waited: {NOT_RENEWED}.")
    assert not tables(versions)


def test_a_hold_lasts_as_long_as_a_version_takes(versions: Site) -> None:
    """Longer than an element of the set."""
    make_all(versions, {"slow": {"script": f"sleep 6; {SERVE}"}})
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 2) as answers:
        said = versions.inv("start", "--tag", "slow").stdout
    assert not refused(answers) and seen(answers) == ["1.0", "slow"]
    assert said.count("nft ") == 2  # what renews it is not shown


def test_the_rules_of_others_stay_as_they_are(versions: Site) -> None:
    name = f"other{os.getpid()}"
    rules = f"table inet {name} {{ chain in {{ type filter hook input priority 0; tcp dport 9 drop; }}; }}"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        before = run("nft", "list", "table", "inet", name)
        for tag in ("1.0", "2.0"):
            versions.inv("start", "--tag", tag)
        assert run("nft", "list", "table", "inet", name) == before
    finally:
        run("nft", "delete", "table", "inet", name)


def test_a_table_that_somebody_removes_is_made_anew_and_told_of(versions: Site) -> None:
    """As whoever loads a ruleset of his own does, which begins with `flush ruleset`."""
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 2) as answers:
        switch = Run(versions, "start", "--tag", "late").until("starting")
        (table,) = tables(versions)
        run("nft", "delete", "table", "inet", table.split()[2])
        eventually(lambda: held(versions), every=0.2)
        again = time.monotonic()
        go_on(versions)
        said = switch.end(0)
    assert "not all new connections waited: somebody removed the table of nft meanwhile." in said
    assert not [one for one in refused(answers) if one.begun > again]
    assert not tables(versions)


def test_a_table_that_is_gone_at_the_end_is_told_of(versions: Site) -> None:
    versions.inv("start", "--tag", "1.0")
    switch = Run(versions, "start", "--tag", "late").until("starting").signal(signal.SIGSTOP)  # it renews nothing
    run("nft", "delete", "table", "inet", tables(versions)[0].split()[2])
    go_on(versions)
    eventually(lambda: versions.answer() == "late")
    said = switch.signal(signal.SIGCONT).end(0)
    assert "not all new connections waited: somebody removed" in said and "Warning" not in said


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        ("flush*", ""),
        ("flush*|'add table'*'delete table'*", NOT_RENEWED),
    ],
)
def test_a_renewal_that_fails_is_made_good_or_told_of(versions: Site, tmp_path: Path, failing: str, told: str) -> None:
    program = shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin")
    (tmp_path / "nft").write_text(f'#!/bin/sh\ncase "$*" in {failing}) exit 1 ;; esac\nexec {program} "$@"\n')
    (tmp_path / "nft").chmod(0o755)
    make_all(versions, {"slow": {"script": f"sleep 7; {SERVE}"}})
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 2) as answers:
        said = versions.inv("start", "--tag", "slow", PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    assert bool(refused(answers)) == bool(told)
    what = f"not all new connections waited: {told}." if told else " ms, new connections waited."
    assert said.rstrip().endswith(what)
    assert not tables(versions)


@pytest.mark.parametrize("published", [False, True])
def test_who_listens_on_the_loopback_first_lets_nobody_in_yet(versions: Site, published: bool) -> None:
    """Where the old version was reached from outside; the loopback of a container's own network is nobody's."""
    first = SERVE.replace("exec ", "").replace("-p {port}", "-p 127.0.0.1:{port}")
    script = f"{first} & sleep 1; kill $!; wait; {SERVE}"
    options = ("--init", "--publish", "{port}:{port}") if published else ("--init", "--network", "host")
    make_all(versions, {"inward": {"script": script, "options": options}})
    versions.set(settle=2)
    versions.inv("start", "--tag", "published-1" if published else "1.0")
    with another_network() as (address, inside), asking(versions.port, 4, address, inside) as answers:
        said = versions.inv("start", "--tag", "inward").stdout
    assert said.rstrip().endswith(" ms, new connections waited.")
    assert not refused(answers) and not cut_off(answers)
    assert seen(answers)[-1] == "inward"


def test_a_version_that_listens_at_fewer_addresses_is_let_in_all_the_same(versions: Site) -> None:
    make_all(versions, {"inward": {"script": SERVE.replace("-p {port}", "-p 127.0.0.1:{port}")}})
    versions.set(settle=1)
    versions.inv("start", "--tag", "1.0")
    with asking(versions.port, 2) as answers:
        assert "inward runs as tests_service" in versions.inv("start", "--tag", "inward").stdout
    assert not refused(answers) and seen(answers) == ["1.0", "inward"]


@pytest.mark.parametrize(
    ("have", "needed", "all_reached"),
    [
        (["0.0.0.0"], ["0.0.0.0"], True),
        (["::"], ["0.0.0.0", "127.0.0.1", "::1"], True),
        (["0.0.0.0"], ["::"], True),  # one socket took both; who is reached by IPv4 alone may mean it
        (["0.0.0.0"], ["::", "0.0.0.0"], False),  # two did, and the second is still to come
        (["127.0.0.1"], ["0.0.0.0"], False),
        (["0.0.0.0"], ["::1"], False),
        (["10.0.0.1"], [], True),
    ],
)
def test_which_listeners_are_reached_as_others_were(have: list[str], needed: list[str], all_reached: bool) -> None:
    assert covers(have, needed) is all_reached


def test_thousands_of_ports_fit_into_one_command() -> None:
    """The kernel takes 128 KiB as one word of a command."""
    ports = [(address, number) for number in range(40000, 43000) for address in ("", "127.0.0.1")]
    words = nft.check("inv_test", ports)
    subprocess.run(["sh", "-c", shlex.join(words)], check=True)


def test_two_services_hold_their_own_ports_at_a_time(versions: Site, tmp_path: Path) -> None:
    other = Site(versions.engine, "tiny:1", tmp_path)
    other.frame.update(image="tests/other", service="tests_other")
    other.set(**START)
    sites = (versions, other)
    for site in sites:
        make_all(site, {"1.0": {}, "late": {"script": LATE}})
        site.inv("start", "--tag", "1.0")
    with asking(versions.port, 2) as answers, asking(other.port, 2) as others:
        runs = [Run(site, "start", "--tag", "late").until("starting") for site in sites]
        assert [held(site) for site in sites] == [True, True]
        for site, switch in zip(sites, runs, strict=True):
            go_on(site, f"{site.frame['service']}.next")
            assert "late runs as " in switch.end(0)
    for found in (answers, others):
        assert not refused(found) and seen(found) == ["1.0", "late"]
    assert not tables(versions) and not tables(other)


def test_an_engine_that_ends_in_the_middle_holds_nobody(versions: Site) -> None:
    versions.inv("start", "--tag", "1.0")
    run = Run(versions, "start", "--tag", "late").until("docker start")
    versions.engine.kill()
    run.end(1)
    assert not held(versions)
    versions.engine.start()
    versions.inv("start", "--tag", "2.0")
    assert not tables(versions)
    only(versions, "2.0")


def test_what_nobody_listens_on_is_not_held(versions: Site) -> None:
    options = {"udp": ("--init", "--publish", "{port}:{port}/udp"), "alone": ("--network", "none", "--init")}
    make_all(versions, {tag: {"options": words} for tag, words in options.items()})
    for first, second in (("udp", "alone"), ("alone", "1.0"), ("deaf", "2.0"), ("2.0", "udp")):
        versions.inv("start", "--tag", first)
        said = versions.inv("start", "--tag", second).stdout
        assert "nft" not in said and "wait" not in said, said


def test_it_can_be_turned_off(versions: Site) -> None:
    versions.set(hold=False)
    versions.inv("start", "--tag", "1.0")
    said = versions.inv("start", "--tag", "2.0").stdout
    assert "nft" not in said and said.rstrip().endswith(" ms.")
    assert "nft" not in versions.inv("--dry", "start", "--tag", "1.0").stdout


def test_a_kernel_that_refuses_is_told_of_in_the_last_line(versions: Site, tmp_path: Path) -> None:
    (tmp_path / "nft").write_text(
        "#!/bin/sh\necho 'Error: Could not process rule: Operation not supported' >&2\nexit 1\n"
    )
    (tmp_path / "nft").chmod(0o755)
    versions.inv("start", "--tag", "1.0")
    said = versions.inv("start", "--tag", "2.0", PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    assert "nft" not in said.rpartition("\n2.0 runs as")[0]
    why = "new connections did not wait: nft refuses: Error: Could not process rule: Operation not supported."
    assert said.rstrip().endswith(why)


# An answer takes two seconds.
ANSWER = """'read line; read line; sleep 2; printf "HTTP/1.0 200 OK\\r\\n\\r\\n$VERSION"'"""
LONG = f"exec nc -ll -p {{port}} -e sh -c {ANSWER}"


def test_open_connections_may_end_first(versions: Site) -> None:
    make_all(versions, {"long": {"script": LONG, "check": NO_CHECK}})
    versions.set(drain=10)
    versions.inv("start", "--tag", "long")
    with asking(versions.port, 1) as answers:
        versions.inv("start", "--tag", "2.0")
    assert not cut_off(answers)
    assert seen(answers) == ["long", "2.0"]
