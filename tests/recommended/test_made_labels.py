"""Thousands of made labels, judged by other means than the code under test."""

import csv
import getopt
import re
import shlex

from hypothesis import given
from hypothesis import strategies as st
from recommended.made_labels import FLAGS, LETTERS, MANY, VALUES, dangerous, harmless, mutated
from recommended.samples import ALLOW, IMAGE, Words, allowed, made, refusal

from tasks.recommended.command import Option, Recommended, Refused, check, parse, unusual


def judge(text: str, read: Recommended) -> None:
    """Judge an accepted label by other means than the code under test: getopt, Python's csv, and paths by hand."""
    for argument in read.arguments():
        name, _, value = argument.removeprefix("--").partition("=")
        assert name in ALLOW - {"name", "detach"}, argument
        if name == "volume":
            assert ":" not in value or not value.startswith("/") or inside(value.split(":")[0]), argument
            assert ":" not in value or value.startswith("/") or "/" not in value.split(":")[0], argument
            assert not set(",".join(value.split(":", 2)[2:]).split(",")) - {"", "ro", "rw", "z", "Z", "nocopy"}, (
                argument
            )
        if name == "mount":
            pairs = [field.lower().partition("=")[::2] for field in next(csv.reader([value], strict=True))]
            assert dict(pairs).get("type", "volume") in ("bind", "volume", "tmpfs"), argument
            assert all(inside(path) for key, path in pairs if key in ("source", "src") and "/" in path), argument
            assert not re.search("(driver|opt|subpath|shared|slave)", "".join(key + "=" for key, _ in pairs)), argument
        assert name != "network" or re.search("[^A-Za-z0-9_.-]", value) is None
        assert name != "env" or "=" in value[1:]
        assert name != "label" or "com.colorai" not in value
    if re.search(r"\\[$`]", text):  # shlex leaves these backslashes between double quotes, a shell does not
        return
    words = shlex.split(text)
    words = words[words.index("run") + 1 :]
    flags = "detach disable-content-trust help init interactive no-healthcheck privileged publish-all read-only rm tty"
    try:
        pairs, rest = getopt.getopt(
            words, "a:c:de:h:il:m:p:Pqtu:v:w:", [*flags.split(), "net=", "name=", *(f"{name}=" for name in VALUES)]
        )
    except getopt.GetoptError:  # it cannot read --init=true
        return
    letters = {f"-{letter}": name for name, letter in LETTERS.items()}
    seen = [
        Option(
            {"net": "network"}.get(name, name), value[1:] if len(dashed) == 2 and value[:1] == "=" != value else value
        )
        for dashed, value in pairs
        if (name := letters.get(dashed, dashed).lstrip("-")) not in ("d", "detach", "name", *FLAGS)
    ]
    assert [option for option in read.options if option.name not in FLAGS] == seen
    assert rest == [read.image, *read.command]


def inside(path: str) -> bool:
    """Whether a path lies under /data, walked step by step."""
    steps: Words = []
    for step in path.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return path.startswith("/") and steps[:1] == ["data"]


@MANY
@given(harmless())
def test_made_labels_without_danger_are_accepted(made_label: tuple[str, Words]) -> None:
    text, _ = made_label
    networks = re.findall(r"--net(?:work)?[ =]", text.split(IMAGE)[0])
    if len(networks) > 1:
        assert "more than once" in refusal(text)
    else:
        judge(text, check(text, IMAGE, allowed()))


@MANY
@given(dangerous())
def test_made_labels_with_one_danger_are_refused(text: str) -> None:
    refusal(text)


def test_mutated_labels_are_refused_or_harmless() -> None:
    judged: list[bool] = []

    @MANY
    @given(mutated())
    def judge_one(text: str) -> None:
        try:
            read = check(text, IMAGE, allowed())
        except Refused as refused:
            assert str(refused.message).isprintable()
            judged.append(False)
        else:
            judge(text, read)
            judged.append(True)

    judge_one()
    assert 0.05 < sum(judged) / len(judged) < 0.95  # else this test says nothing


@MANY
@given(
    st.text() | st.text().map("docker run -d --name service ".__add__) | st.binary().map(lambda b: b.decode("latin-1"))
)
def test_no_text_at_all_makes_it_stumble(text: str) -> None:
    refusal(text)


@MANY
@given(st.sampled_from(["volume", "mount", "publish", "env", "gpus", "network", "log-opt", "tmpfs"]), st.text())
def test_no_value_makes_it_stumble(name: str, value: str) -> None:
    text = made(f"--{name}={value}")
    try:
        read = parse(text, IMAGE)
    except Refused:
        return
    assert (read.ports(), read.binds()) is not None
    for sentence in unusual(read, allowed(local=True)):
        assert sentence.isprintable()
