"""What a command makes of a container, by docker's own word: the container that docker makes of it runs just so."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from recommended.made_labels import harmless
from recommended.samples import HARMLESS, IMAGE, Words, made
from recommended.test_docker_agrees import drawn

from tasks.engine.options import Options
from tasks.looking.drift import unlike
from tasks.recommended.command import Recommended, parse
from tasks.recommended.effect import Effect, effect

# Where the engine's own comparison and this one part: docker's default in two spellings; what that one leaves out on
# purpose; what the engine may have from its own settings.
APART = ("--network bridge", "--restart", "--log-opt")
Sample = tuple[Words, Recommended]


def compared(engine: Any, samples: Sequence[Sample]) -> int:
    """Have docker create each sample, and hold what it made against what was foretold. Returns how many it took.

    A plain container, and what was foretold of that, must be told from it wherever the engine's own word differs.
    """
    names = [f"effect-{uuid.uuid4().hex}" for _ in samples]
    api, image = engine.api, engine.api.image_options("tiny:1")
    engine.docker("create", "--name", "plain", "tiny:1", "sleep", "9")
    foretold = effect(parse(made(image="tiny:1"), "tiny:1"), image, api.about, ())
    assert not differing(api.run_options("plain"), foretold)
    count, wrong = 0, []
    try:
        with ThreadPoolExecutor(4) as pool:
            lines = [("create", "--name", name, *words) for name, (words, _) in zip(names, samples, strict=True)]
            taken = [*pool.map(lambda line: engine.docker(*line, check=False).returncode == 0, lines)]
        for name, (words, read), was_taken in zip(names, samples, taken, strict=True):
            if was_taken:
                count += 1
                real = api.run_options(name)
                wanted = effect(read, image, api.about, ())
                if differing(real, wanted):
                    wrong.append((words, differing(real, wanted)))
                unlike = api.unlike(name, "plain")
                if bool(differing(real, foretold)) != bool(unlike) and not any(
                    word in " ".join(words) for word in APART
                ):
                    wrong.append((words, unlike))
    finally:
        engine.docker("rm", "--force", "--volumes", "plain", *names, check=False)
        volumes = ["vol1", "vol2", "name", "named", "named_volume", "named.volume-1"]
        engine.docker("volume", "rm", "--force", *volumes, check=False)
    assert not wrong, "\n".join(map(str, wrong))
    return count


def differing(real: Options, wanted: Effect) -> dict[Any, Any]:
    keys = real.keys() | wanted.options.keys()
    return {key: (real.get(key), wanted.options.get(key)) for key in keys if unlike(key, real, wanted)}


@pytest.mark.slow
def test_options_of_all_kinds_come_out_as_foretold(engine: Any, tiny: str) -> None:
    samples: list[Sample] = []
    for text, create in drawn(harmless(), 60):
        read = parse(text.replace(IMAGE, tiny), tiny)
        samples.append(([*create, tiny, *read.command], read))
    assert compared(engine, samples) > 15


@pytest.mark.slow
def test_each_option_comes_out_as_foretold(engine: Any, tiny: str) -> None:
    elsewhere = ("my-network", "env-file", "io.containerd")  # not on every engine
    harmless_words = [words for key, words in HARMLESS.items() if not any(word in key for word in elsewhere)]
    assert compared(
        engine, [([*words, tiny, "sleep", "9"], parse(made(*words, image=tiny), tiny)) for words in harmless_words]
    )
