"""What is freed, where a store keeps each layer twice: as containerd's does, unpacked and packed."""

import pytest

from tasks.engine.records import Image, Step
from tasks.service.freed import freed


class Told:
    """An engine that knows the instructions of images by their ids, the last one first."""

    def __init__(self, **steps: list[int]) -> None:
        self.of = steps

    def steps(self, image: str) -> list[Step]:
        return [Step("RUN", size) for size in self.of[image]]


def image(key: str, size: int, *layers: str) -> Image:
    return Image(id=key, reference=key, labels={}, size=size, layers=layers)


@pytest.mark.parametrize(
    ("base", "frame", "frees"),
    [(1000, 1700, 700), (1600, 3000, 1400)],  # classic: sizes are the layers'. containerd: the packed ones besides
)
def test_a_layer_counts_with_all_that_its_store_keeps_of_it(base: int, frame: int, frees: int) -> None:
    below, gone = image("base", base, "a", "b"), image("frame", frame, "a", "b", "c", "d")
    engine = Told(base=[400, 600], frame=[300, 400, 400, 600])
    assert freed(engine, [gone], [below]) == frees  # type: ignore[arg-type]
    assert freed(engine, [gone, below], []) == frame  # type: ignore[arg-type]
    assert freed(engine, [gone], [below, gone]) == 0  # type: ignore[arg-type]
    twin = image("twin", frame, "a", "b", "c", "d")
    engine.of["twin"] = engine.of["frame"]
    assert freed(engine, [gone, twin], [below]) == frees  # type: ignore[arg-type]
