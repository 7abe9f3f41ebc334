"""An argument that may be several words."""

import pytest
from projects import inv
from sites import ROOT

from tasks.program.several import joined


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("ship a b c", "ship a,b,c"),
        ("ship a b --tag 1 c --start", "ship a,b,c --tag 1 --start"),
        ("ship --tag 1 a b", "ship --tag 1 a,b"),
        ("ship --tag=1 a b", "ship --tag=1 a,b"),
        ("ship --tag a b c", "ship --tag a b,c"),
        ("frame ship a b start --tag 1", "frame ship a,b start --tag 1"),
        ("ship start a start", "ship start,a start"),
        ("ship a b ship c d", "ship a,b ship c,d"),
        ("ship a -f site.yaml b", "ship a,b -f site.yaml"),
        ("start --tag a", "start --tag a"),
        ("ship a -- b c", "ship a -- b c"),
        ("bundle - --since 1", "bundle - --since 1"),
        ("nonsense a b", "nonsense a b"),
        ("ship", "ship"),
        ("ship --tag --help a", "ship --tag --help a"),
        ("", ""),
    ],
)
def test_words_become_one_until_the_next_task(typed: str, read: str) -> None:
    from tasks.program.config import StackConfig
    from tasks.program.invoking import StackProgram

    program = StackProgram("1", config_class=StackConfig)
    program.create_config()
    program.parse_core(["inv", "--search-root", str(ROOT)])
    program.parse_collection()
    contexts = {str(context.name): context for context in program.collection.to_contexts()}
    assert joined(typed.split(), contexts, program.initial_context) == read.split()


def test_both_spellings_mean_the_same() -> None:
    told = [inv("ship", *hosts, code=2).stderr for hosts in (("nope", "other"), ("nope,other",))]
    assert told == ["There is no docker context nope. See: docker context ls\n"] * 2


@pytest.mark.parametrize(
    ("typed", "task"), [("ship --help", "ship"), ("ship a --help", "ship"), ("frame bundle --help", "bundle")]
)
def test_help_may_stand_behind_a_task_that_takes_an_argument(typed: str, task: str) -> None:
    assert f"inv [--core-opts] {task} " in inv(*typed.split()).stdout


@pytest.mark.parametrize(("task", "what"), [("ship", "HOSTS"), ("bundle", "FILE")])
def test_a_missing_argument_is_named(task: str, what: str) -> None:
    assert inv(task, code=2).stderr == f"{task} needs {what} behind it. Type: inv --help {task}\n"
