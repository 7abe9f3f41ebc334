"""`history`: which version ran when, who started it, how it ended."""

import json
from typing import Any

import pytest
from documented import keys
from sites import Site
from switches import eventually, leave
from terminals import Terminal
from versions import make


def runs(site: Site) -> list[dict[str, Any]]:
    """What `history --json` says of each run."""
    found = json.loads(site.inv("history", "--json").stdout)
    assert set(found) == keys("history") and found["service"] == "tests_service"
    return list(found["runs"])


def test_every_way_to_begin_and_to_end(site: Site) -> None:
    assert site.inv("history").stdout == "No container of tests_service is here.\n"
    assert runs(site) == []
    for tag in ("1.0", "2.0", "3.0"):
        make(site, tag)
    make(site, "crash", script="sleep 1; exit 7", check="")
    site.docker("run", "--detach", "--network", "host", "--name", "tests_service", "tests/visdom:1.0", "sleep", "60")
    for tag in ("2.0", "crash"):
        site.inv("start", "--tag", tag, "--no-rehearsal")
    eventually(lambda: not site.running())
    site.inv("start", "--tag", "3.0")
    site.docker("create", "--name", "training", "tests/visdom:1.0", "true")
    leave(site, "1.0", [])
    three, crash, two, one = runs(site)
    assert [run["tag"] for run in (three, crash, two, one)] == ["3.0", "crash", "2.0", "1.0"]
    assert (three["state"], three["container"], three["ended"], three["end"]) == (
        "running",
        "tests_service",
        None,
        None,
    )
    me = three["by"]
    assert "@" in me and two["by"] == me and one["by"] is None
    assert two["end"]["replaced_by"] == "crash" and two["end"]["by"] == me
    assert one["end"]["replaced_by"] == "2.0" and one["container"] == "tests_service.1.0"
    assert (crash["end"]["exit_code"], crash["end"]["replaced_by"], crash["end"]["by"]) == (7, None, None)
    assert crash["end"]["stopped"] is None and one["end"]["stopped"] and two["end"]["stopped"]
    assert crash["created"] <= crash["started"] <= crash["ended"] <= three["started"]
    assert three["commit"] == b"3.0".hex().ljust(40, "0") and three["restarts"] == 0
    assert set(three) == keys("history", "runs[]") and set(two["end"]) == keys("history", "runs[].end")
    heads, *rows = [line.split() for line in site.inv("history").stdout.splitlines() if line.strip()]
    assert " ".join(heads) == "version commit from to started by ended container"
    day, minute = three["created"][:16].split("T")
    assert rows[0] == ["3.0", "332e300", day, minute, me, "running", "tests_service"]
    assert " ".join(rows[1]).endswith("exit code 7 tests_service.crash")
    assert f"replaced by crash ({me}) tests_service.2.0" in " ".join(rows[2])
    assert "by hand" in " ".join(rows[3])


def test_a_rollback_is_a_run_of_its_own(site: Site) -> None:
    for tag in ("1.0", "2.0"):
        make(site, tag)
        site.inv("start", "--tag", tag, "--no-rehearsal")
    site.inv("rollback")
    found = runs(site)
    assert [(run["tag"], run["end"] and run["end"]["replaced_by"]) for run in found][:2] == [
        ("1.0", None),
        ("2.0", "1.0"),
    ]
    site.inv("stop")
    end = runs(site)[0]["end"]
    assert (end["replaced_by"], end["by"], end["stopped"]) == (None, None, True)
    assert f"stopped (exit code {end['exit_code']}) tests_service" in " ".join(site.inv("history").stdout.split())
    with Terminal(site, "history") as terminal:
        assert terminal.ended() == 0
    assert "ended" in terminal.shown and max(map(len, terminal.shown.splitlines())) <= 100


@pytest.mark.parametrize(("policy", "stopped"), [("unless-stopped", True), ("no", None)])
def test_what_docker_would_start_again_was_stopped_although_the_engine_forgot_it(
    site: Site, policy: str, stopped: bool | None
) -> None:
    make(site, "1.0")
    site.engine.container("tests_service", "tests/visdom:1.0", ["sleep", "1000"], {"RestartPolicy": {"Name": policy}})
    site.docker("stop", "--time", "0", "tests_service")
    assert [run["end"]["stopped"] for run in runs(site)] == [True]
    site.engine.kill()
    site.engine.start()
    assert [run["end"]["stopped"] for run in runs(site)] == [stopped]
