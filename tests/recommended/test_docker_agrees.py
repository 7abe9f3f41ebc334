"""Docker's own eyes: what was read is what the client and the engine make of the same words."""

import json
import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommended.made_labels import MANY, harmless
from recommended.samples import DANGERS, HARMLESS, IMAGE, Words, made

from tasks.recommended import grammar
from tasks.recommended.command import Recommended, parse


def test_the_table_of_options_is_that_of_the_client(engine: Any) -> None:
    lines = engine.docker("run", "--help").stdout
    listed = re.findall(r"^ +(?:-(\w), )?--([a-z0-9-]+)( [a-z0-9-]+)?(?=  |$)", lines, re.MULTILINE)
    assert len(listed) > 90
    for letter, name, kind in listed:
        assert name in (grammar.VALUES if kind else grammar.FLAGS), name
        assert grammar.SHORT.get(letter, name) == name
    assert {letter for letter, _, _ in listed} - {""} >= grammar.SHORT.keys() - {"q"}  # -q came with client 24


def test_every_hidden_option_is_one_that_the_client_knows(engine: Any) -> None:
    shown = engine.docker("run", "--help").stdout
    hidden = [name for name in ["net", "net-alias", "dns-opt", "cpu-count", "io-maxiops"] if f"--{name} " not in shown]
    assert hidden
    for name in hidden:
        answer = engine.docker("create", f"--{name}", check=False).stderr
        assert "flag needs an argument" in answer and grammar.ALIASES.get(name, name) in grammar.VALUES


Container = dict[str, Any]


def essence(container: Container) -> Container:
    """What docker understood: all that can be inspected but the identity, in an order of its own.

    The client reads volumes and variables out of Go's maps, so their order is never the same twice.
    """
    text = json.dumps({key: container[key] for key in ("Config", "HostConfig", "Mounts", "Path", "Args")})
    text = text.replace(container["Id"][:12], "ID")
    text = re.sub(r"\b[0-9a-f]{64}\b", "ANONYMOUS", text)
    found: Container = json.loads(text)
    found["Networks"] = sorted(container["NetworkSettings"]["Networks"])
    found["Mounts"].sort(key=lambda mount: str(mount["Destination"]))
    for part, key in (("Config", "Env"), ("HostConfig", "Binds"), ("HostConfig", "Ulimits")):
        found[part][key] = sorted(found[part].get(key) or [], key=str)
    return found


def compared(engine: Any, samples: list[tuple[Words, Recommended]]) -> list[bool]:
    """Whether docker took each sample: as it was written, and as it was read. Both must come to the same."""
    pairs = [(tuple(words), (*read.arguments(), read.image, *read.command)) for words, read in samples]
    names = {line: f"recommended-{uuid.uuid4().hex}" for pair in pairs for line in pair}  # what is the same, once
    try:
        with ThreadPoolExecutor(4) as pool:
            made = pool.map(lambda line: engine.docker("create", "--name", names[line], *line, check=False), names)
            taken = {line: answer.returncode == 0 for line, answer in zip(names, made, strict=True)}
        present = [name for line, name in names.items() if taken[line]]
        listed = json.loads(engine.docker("container", "inspect", *present).stdout)
        found = {container["Name"].lstrip("/"): essence(container) for container in listed}
        for written, read_as in pairs:
            assert found.get(names[written]) == found.get(names[read_as]), (written, read_as)
    finally:
        engine.docker("rm", "--force", "--volumes", *names.values(), check=False)  # also those that were never there
        volumes = ["vol1", "vol2", "name", "named", "named_volume", "named.volume-1"]
        engine.docker("volume", "rm", "--force", *volumes, check=False)
    return [taken[written] for written, _ in pairs]


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Some examples of a strategy, the same at every run."""
    found: list[Any] = []
    keep: Callable[[Any], None] = found.append

    @settings(MANY, max_examples=count, derandomize=True)
    @given(strategy)
    def collect(example: Any) -> None:
        keep(example)

    collect()
    return found


@pytest.mark.slow
def test_docker_sees_the_options_that_were_checked(engine: Any, tiny: str) -> None:
    samples = []
    for text, create in drawn(harmless(), 80):
        read = parse(text.replace(IMAGE, tiny), tiny)
        samples.append(([*create, tiny, *read.command], read))
    taken = compared(engine, samples)
    assert sum(taken) > 20  # some contradict themselves, as --no-healthcheck with --health-cmd: docker takes neither


@pytest.mark.slow
def test_docker_reads_each_harmless_option_alike(engine: Any, tiny: str) -> None:
    samples = [
        ([*words, tiny, "sleep", "9"], parse(made(*words, image=tiny), tiny))
        for key, words in HARMLESS.items()
        if not any(
            word in key for word in ("nvidia", "my-network", "--gpus", "env-file", "io.containerd")
        )  # not on every engine
    ]
    taken = compared(engine, samples)
    refused = [" ".join(words[:-3]) for (words, _), was_taken in zip(samples, taken, strict=True) if not was_taken]
    assert len(refused) <= 8, refused  # bind mounts of folders that this host has not


@pytest.mark.slow
def test_docker_reads_each_dangerous_option_alike(engine: Any, tiny: str) -> None:
    """What --trust runs is what was shown: nothing is started here, only created."""
    left_out = {
        *("detach", "detach-keys", "sig-proxy"),  # docker create has none of these
        *("cidfile", "platform", "pull", "use-api-socket", "volume-driver"),  # these act at once, or wait for a network
    }
    samples = []
    for words in DANGERS.values():
        read = parse(made(*words, image=tiny), tiny)
        if not {option.name for option in grammar.options_of(words)[0]} & left_out and "evil" not in words:
            samples.append(([*words, tiny, "sleep", "9"], read))
    taken = compared(engine, samples)
    assert 40 < sum(taken) < len(taken) - 20
