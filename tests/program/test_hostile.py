"""What labels, tags, names and git say never reaches a terminal as it is, in no sentence of any task."""

import json

import pytest
from images import like, load
from sites import Site

from tasks.engine import label
from tasks.engine.label import commit_of, version_of

EVIL = "\x1b]0;owned\x07\x1b[31mred\u202e\x9b2J"
SAID = (label.SHORT_COMMIT, label.SCHEMA_BRANCH, label.REVISION, label.BRANCH, label.VERSION, label.TREE, label.VENDOR)


def image(site: Site, reference: str, **labels: str) -> None:
    """Make an image whose every label tries to steer the terminal, but for these."""
    command = f"docker run -d --init --name tests_service --network host {reference} sleep 1000"
    inputs = json.dumps({EVIL: EVIL, "x" * 9999: ""})
    hostile = dict.fromkeys(SAID, EVIL) | {label.INPUTS: inputs, label.COMMAND: command, EVIL: EVIL}
    load(site.engine, {reference: like(site.engine, "tiny:1", Labels={**hostile, **labels})})


@pytest.mark.slow
def test_no_task_passes_on_what_could_steer_a_terminal(site: Site) -> None:
    name = site.frame["image"]
    image(site, f"{name}:1.0", **{label.NAME: name})
    image(site, f"{name}:2.0", **{label.NAME: name})
    image(site, f"{name}:3.0", **{label.NAME: name, label.COMMAND: f"docker run -d --init {EVIL} --{EVIL} {name}:3.0"})
    image(site, f"{name}:0.2.1", **{label.NAME: name})
    image(site, "tests/base:latest", **{label.NAME: "tests/base"})
    site.set(rehearse=False)
    site.git("checkout", "--quiet", "-b", "a\u202eb\x9b")
    typed: list[tuple[int, list[str]]] = [
        (0, ["start", "--tag", "1.0"]),
        (0, ["start", "--tag", "1.0"]),
        (0, ["start", "--tag", "2.0"]),
        (2, ["start"]),
        (1, ["start", "--tag", "3.0"]),
        (1, ["start", "--tag", "3.0", "--trust", "--yes"]),
        (0, ["rollback"]),
        (0, ["labels"]),
        (2, ["labels", "--key", EVIL + "x"]),
        (2, ["labels", "--image", EVIL]),
        (2, ["start", "--tag", EVIL]),
        (2, ["start", "--name", EVIL]),
        (0, ["stop"]),
        (2, ["frame"]),
        (0, ["--dry", "frame", "--force"]),
    ]
    for code, words in typed:
        done = site.inv(*words, code=code)
        for line in (done.stdout + done.stderr).splitlines():
            assert line.startswith("docker ") or not set(line) & set("\x1b\x07\u202e\x9b"), (words, line)


def test_an_endless_label_is_no_endless_sentence() -> None:
    assert len(version_of({label.VERSION: "x" * 9999}, "")) == label.LONGEST
    assert commit_of({label.REVISION: "\x1b[2J"}) == "?[2J"


def test_inputs_that_are_nested_without_end_are_nothing_readable(site: Site) -> None:
    site.inv("frame")
    name = f"{site.frame['image']}:0.2.1"
    labels = json.loads(site.docker("inspect", "--format", "{{json .Config.Labels}}", name))
    load(site.engine, {name: like(site.engine, name, Labels={**labels, label.INPUTS: "[" * 100_000})})
    assert "changed since the last build" in site.inv("frame").stdout
