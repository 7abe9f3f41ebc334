"""What a Dockerfile says: what it copies, and which images it stands on. No engine is needed for it."""

from pathlib import Path

import pytest

from tasks.building.instructions import copied, instructions, sets_label, standing

BASE = "team/base:latest"
STANDING = {  # a Dockerfile, options of docker build; whether it stands on the base, whether it needs it, other images
    "by the argument": ("ARG BASE=other\nFROM ${BASE}", [], True, True, ()),
    "in docker's long name": ("FROM docker.io/team/base", [], True, True, ()),
    "by a default": ('ARG ON="${BASE:-team/base}"\nFROM $ON AS one\nFROM one', [], True, True, ()),
    "another parent": ("ARG BASE\nFROM python:3.11", [], False, False, ("python:3.11",)),
    "another tag": ("FROM team/base:old", [], False, False, ("team/base:old",)),
    "nothing": ("FROM scratch", [], False, False, ()),
    "only a stage": (
        f"FROM {BASE} AS one\nFROM --platform=linux/amd64 tiny\nCOPY --from=one a b",
        [],
        False,
        True,
        ("tiny",),
    ),
    "only copied from": (f"FROM tiny AS One\nFROM one\nCOPY --from={BASE} a b", [], False, True, ("tiny",)),
    "only mounted": (f"FROM tiny\nRUN --mount=type=bind,from={BASE},target=/x true", [], False, True, ("tiny",)),
    "a stage that is meant": (f"FROM {BASE} AS one\nFROM tiny", ["--target", "one"], True, True, ("tiny",)),
    "an argument among the options": ("ARG X\nFROM $X", ["--build-arg", f"X={BASE}"], True, True, ()),
    "an argument that hides ours": ("ARG BASE\nFROM $BASE", ["--build-arg=BASE=tiny"], False, False, ("tiny",)),
    "another file": ("FROM tiny", ["-f", "other"], True, True, ("tiny",)),
    "what the builder knows": ("FROM tiny-$TARGETARCH", [], True, True, ()),
    "another context": (
        "FROM tiny\nCOPY --from=docs a b",
        ["--build-context", "docs=../docs"],
        False,
        False,
        ("tiny",),
    ),
    "what cannot be told": ("ARG X\nFROM $X", [], True, True, ()),
    "a text in it": (
        f"FROM tiny\nRUN python <<'END'\nfrom x import y\nFROM {BASE}\nEND\nUSER 1",
        [],
        False,
        False,
        ("tiny",),
    ),
    "a shift and no text": (f"FROM tiny\nRUN echo $((1<<N))\nFROM {BASE}", [], True, True, ("tiny",)),
    "lines that go on": (f"# escape=`\nFROM `\n# a comment\n\n {BASE}", [], True, True, ()),
}


@pytest.mark.parametrize("kind", STANDING)
def test_the_images_that_a_dockerfile_stands_on_are_found(kind: str, tmp_path: Path) -> None:
    text, options, stands, needs, others = STANDING[kind]
    (tmp_path / "Dockerfile").write_text(text)
    found = standing(tmp_path / "Dockerfile", {"BASE": BASE}, options)
    assert (found.stands_on(BASE), found.names(BASE)) == (stands, needs)
    assert tuple(image for image in found.images if "base" not in image or "old" in image) == others


def test_what_a_dockerfile_copies_is_found_in_every_form(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(
        'FROM x AS y\nCOPY --chown=1:1 a/./b ./c \\\n  "d e" /to\nCOPY ["f", "g h", "/to"]\n'
        "ADD https://example.com/i j /to\n"
        "COPY --from=y nothing /to\nCOPY docker/k*.txt l/$M/n /to\nRUN --mount=type=bind,source=o,target=/o true\n"
        "RUN --mount=type=cache,target=/p true\nONBUILD COPY q /to\nCOPY <<END /to\nCOPY r /to\nEND\n"
    )
    assert copied(file) == ["a/b", "c", "d e", "f", "g h", "j", "docker", "l", "o"]
    file.write_text("FROM x\nCOPY . /to\n")
    assert copied(file) == [""]


def test_a_label_is_found_where_it_is_set(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM x\n# LABEL a.b=1\nRUN echo a.b\nlabel c.d=1 \\\n  e.f=2\n")
    assert [sets_label(file, name, ["--label", "g.h=1"]) for name in ("a.b", "c.d", "e.f", "g.h")] == [
        False,
        True,
        True,
        True,
    ]
    assert [one.keyword for one in instructions(file)] == ["FROM", "RUN", "LABEL"]
