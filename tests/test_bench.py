"""`bench`: that its table says what was measured."""

import os
import re
import subprocess
import sys

import pytest
from bench import measuring, run
from bench.measuring import Row
from projects import inv
from rich.console import Console

from tasks.settings.model import ROOT


def test_sides_take_turns_after_a_run_that_does_not_count() -> None:
    turns: list[str] = []

    def side(name: str, seconds: float) -> measuring.Side:
        def once() -> float:
            turns.append(name)
            return seconds + len(turns)

        return once

    old, new = measuring.interleaved(side("old", 0), side("new", 100), runs=2)
    assert turns == ["old", "new"] * 3
    assert (old, new) == ((3, 5), (104, 106))
    turns.clear()
    assert measuring.interleaved(side("old", 0), side("new", 0), runs=1, warm_up=False) == ((1,), (2,))


def test_a_ratio_is_that_of_the_medians() -> None:
    row = Row("name", "script", "inv", (1.0, 2.0, 90.0), (0.1, 3.0, 4.0), goal=1.5)
    assert row.ratio == 1.5 and row.met
    assert not Row("name", "script", "inv", (2.0,), (3.1,), goal=1.5).met


def test_a_side_that_fails_is_no_result() -> None:
    folder = ROOT / "tests"
    assert 0.2 <= measuring.timed(["sh", "-c", "sleep 0.2; echo done"], "done", folder) < 5
    assert measuring.timed(["sh", "-c", "read word; echo $word; exit 3"], "word", folder, answer="word\n", code=3) > 0
    for command in ("echo done; exit 1", "echo something else"):
        with pytest.raises(SystemExit, match="cannot be measured"):
            measuring.timed(["sh", "-c", command], "done", folder)


def test_rows_are_chosen_by_words() -> None:
    assert run.chosen("") == set(run.NAMES)
    assert run.chosen("list, start with 1000") == {"list", "start with 1000 versions"}
    assert run.chosen("nonsense") == set()


def test_plain_table_is_aligned_and_has_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Row("a", "script", "inv", (0.5,), (1.0,), goal=3),
        Row("long name", "s", "inv frame", (10.0,), (1.5,), goal=0.1),
    ]
    run.show(Console(force_terminal=False), rows)
    assert capsys.readouterr().out.splitlines() == [
        "row        old     new        runs  old, s  new, s  new/old  goal   met",
        "a          script  inv        1     0.500   1.000   2.000    ≤ 3    yes",
        "long name  s       inv frame  1     10.000  1.500   0.150    ≤ 0.1  NO",
    ]


@pytest.mark.slow
def test_inv_bench_prints_the_row_that_was_asked_for() -> None:
    typed = inv("--dry", "bench", "--rows", "list").stdout.split()
    assert typed[0] == sys.executable and typed[1].endswith("/tests/bench/run.py") and typed[2:] == ["list"]
    code = "from bench import listing, run; listing.RUNS = 5; run.main('list')"  # 15 are for those who measure
    path = f"{ROOT}:{ROOT}/tests"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"list  .* (\d+) +(\d+\.\d+) +(\d+\.\d+) +(\d+\.\d+) +≤ 1\.1 +(yes|NO)", last)
    assert found, done.stdout
    runs, old, new, ratio = int(found[1]), *map(float, found.groups()[1:4])
    assert runs == 5 and old > 0.02 and ratio == pytest.approx(new / old, rel=0.02)
    assert (found[5] == "yes") == (ratio <= 1.1)
    command = [sys.executable, "-I", str(ROOT / "tasks/program/program.py"), "bench", "--rows", "nonsense"]
    wrong = subprocess.run(command, capture_output=True, text=True)
    assert wrong.returncode == 1 and "There is no row called so" in wrong.stderr + wrong.stdout
