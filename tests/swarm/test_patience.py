"""A swarm that does not answer for a while: what a real one does in a moment that no test can choose."""

from types import SimpleNamespace
from typing import Any

import pytest
from invoke import Exit

from tasks.engine.client import Client, Unreachable
from tasks.engine.endpoint import Endpoint
from tasks.swarm import patience
from tasks.swarm.patience import Patient

NOWHERE = Endpoint("unix:///nowhere")
LEADERLESS = Unreachable(NOWHERE, "rpc error: code = Unknown desc = The swarm does not have a leader.", refusal=True)
MANAGES = {"Swarm": {"ControlAvailable": True, "LocalNodeState": "active"}}
WORKS = {"Swarm": {"ControlAvailable": False, "LocalNodeState": "active"}}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What the engine answers to each question, one after another, and the last again and again."""
    answers: dict[str, list[Any]] = {"info": [MANAGES]}

    def get(self: Client, *path: str, **query: object) -> Any:
        found = answers[path[0]]
        said = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(Client, "get", get)
    monkeypatch.setattr(patience, "LOOK", 0.01)
    monkeypatch.setattr(patience, "CHOOSING", 0.2)
    monkeypatch.setattr(patience, "DEMOTED", 0.05)
    return answers


def test_it_is_asked_until_there_is_another_leader(
    says: dict[str, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    says["nodes"] = [LEADERLESS, LEADERLESS, ["n1"]]
    assert Patient(NOWHERE).get("nodes") == ["n1"]
    waiting, again = capsys.readouterr().out.splitlines()
    assert waiting.startswith("The swarm does not answer. Waiting") and again == "The swarm answers again."


@pytest.mark.parametrize(
    ("about", "why"),
    [(MANAGES, "answers with an error: The swarm does not have a leader"), (WORKS, "manages no swarm any more")],
)
def test_it_is_given_up_with_what_goes_on_and_what_to_type(
    says: dict[str, list[Any]], about: dict[str, Any], why: str
) -> None:
    says.update(nodes=[LEADERLESS], info=[about])
    engine = Patient(NOWHERE)
    engine.others = ("10.99.0.2",)
    fleet: Any = SimpleNamespace(
        service=SimpleNamespace(engine=engine),
        way=lambda *words, again=False, where=(): " ".join([*where, "inv rollout", *words]),
    )
    with pytest.raises(Exit) as begun, patience.explained(fleet, "The swarm goes on."):
        engine.get("nodes")
    assert begun.value.message and why in begun.value.message
    assert "The swarm goes on by itself" in begun.value.message
    way = "Type for another manager (10.99.0.2): --context MANAGER inv rollout --status"
    assert begun.value.message.endswith(way)
    with pytest.raises(Exit, match="Nothing was changed"), patience.explained(fleet):
        engine.get("nodes")  # given up already: nothing is waited for
