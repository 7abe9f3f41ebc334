"""`labels`: what an image says of itself."""

import json
import os
import pty
import subprocess

import pytest
from images import like, load
from sites import Site

from tasks.engine import label

EVIL = "\x1b]0;owned\x07\x1b[31mred\u202e[bold]x[/bold]"


def image(site: Site, reference: str, **labels: str) -> None:
    """Make an image with labels."""
    load(site.engine, {reference: like(site.engine, "tiny:1", Labels=labels)})


def child(site: Site, reference: str, parent: str) -> None:
    """Make an image on top of another one; it inherits the labels."""
    site.docker("create", "--name", "child", parent, "true")
    site.docker("commit", "child", reference)
    site.docker("rm", "child")


def version(site: Site, tag: str, **labels: str) -> None:
    """Make an image that looks like a version of the frame."""
    image(site, f"tests/visdom:{tag}", **{label.NAME: "tests/visdom", "number": tag, **labels})


def run(site: Site, image: str, name: str) -> None:
    site.docker("run", "--detach", "--network", "host", "--name", name, image, "sleep", "60")


@pytest.fixture
def running(site: Site) -> Site:
    """A site with two versions, the older of which runs; and children of it, one of them running."""
    version(site, "0.2.1")
    version(site, "0.2.2")
    run(site, "tests/visdom:0.2.1", "tests_service")
    child(site, "tests/other:dev", "tests/visdom:0.2.1")
    run(site, "tests/other:dev", "tests_dev")
    return site


def test_labels_are_those_of_the_version_that_runs_or_is_named(running: Site) -> None:
    site = running
    shown = site.inv("labels")
    assert "tests/visdom:0.2.1  sha256:" in shown.stdout
    assert [line.split() for line in shown.stdout.splitlines() if "number" in line] == [["number", "0.2.1"]]
    plain = site.inv("labels", "--json")
    assert json.loads(plain.stdout) == {"org.label-schema.name": "tests/visdom", "number": "0.2.1"}
    assert plain.stderr == ""
    assert site.inv("labels", "--key", "number").stdout == "0.2.1\n"
    assert site.inv("labels", "--tag", "0.2.2", "--key", "number").stdout == "0.2.2\n"
    identity = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.2")
    assert site.inv("labels", "--image", identity[7:19], "--key", "number").stdout == "0.2.2\n"
    assert site.inv("labels", "--image", "tests/other:dev", "--key", "number").stdout == "0.2.1\n"
    assert "tiny:1 has no labels." in site.inv("labels", "--image", "tiny:1").stdout
    assert site.inv("labels", "--image", "tiny:1", "--json").stdout == "{}\n"


def test_in_a_pipe_no_value_is_wrapped(site: Site) -> None:
    version(site, "0.2.1", long="word " * 100 + "end")
    lines = site.inv("labels", "--tag", "0.2.1").stdout.splitlines()
    assert [line for line in lines if line.endswith("word word word end")] and max(map(len, lines)) < 600


def test_what_is_missing_is_answered_with_what_there_is(running: Site) -> None:
    site = running

    def refused(*arguments: str) -> str:
        done = site.inv("labels", *arguments, code=2)
        assert done.stdout == ""
        return done.stderr.strip().replace("0.2.2, 0.2.1", "0.2.1, 0.2.2")  # made in one second, they have no order

    there = "Type --tag with one of: 0.2.1, 0.2.2."  # and not dev: a child inherits the name, not the repository
    assert refused("--tag", "9") == f"There is no version 9 of tests/visdom. {there}"
    assert refused("--key", "nope", "--json").startswith("--json prints all labels")
    assert refused("--key", "nope") == "tests/visdom:0.2.1 has no label nope. It has: number, org.label-schema.name."
    assert refused("--image", "tiny:1", "--key", "nope") == "tiny:1 has no label nope. It has: none."
    assert refused("--image", "No Such").startswith("There is no image No Such on this engine.")
    assert refused("--image", "tiny:1", "--tag", "0.2.1").startswith("--image names an image")
    assert refused("--name", "nope") == "There is no frame nope. Type --name with one of: visdom."
    run(site, "tests/visdom:0.2.2", "second")
    assert refused("--name", "visdom", "--key", "number", "--tag", "9").startswith("There is no version 9")
    for name in ("tests_service", "second"):  # as earlier versions are kept: what somebody starts so is theirs
        image = site.docker("inspect", "--format", "{{.Image}}", name).removeprefix("sha256:")[:12]
        site.docker("rename", name, f"tests_service.{image}")
    assert refused() == f"No version of tests/visdom is running. {there}"
    for name in set(site.running()) - {"tests_dev"}:
        site.docker("rm", "--force", name)
    site.docker("image", "rm", "--force", "tests/visdom:0.2.1", "tests/visdom:0.2.2")
    assert refused() == f"There is no version of tests/visdom on this engine. Type: inv -f {site.file} frame"


def test_a_version_whose_tag_moved_on_is_still_known_as_the_one_that_runs(site: Site) -> None:
    version(site, "0.2.1", build="former")
    run(site, "tests/visdom:0.2.1", "tests_service")
    version(site, "0.2.1", build="new")
    assert site.inv("labels", "--key", "build").stdout == "former\n"
    assert site.inv("labels", "--tag", "0.2.1", "--key", "build").stdout == "new\n"
    site.docker("image", "rm", "tests/visdom:0.2.1")
    assert "former" in site.inv("labels").stdout


def test_labels_cannot_steer_a_terminal(site: Site) -> None:
    version(site, "0.2.1", evil=EVIL, lines="one\ntwo")
    typed = ("labels", "--tag", "0.2.1")

    def on_a_terminal(*arguments: str, code: int = 0) -> str:
        ours, theirs = pty.openpty()
        done = subprocess.Popen(
            site.command(*arguments), env=site.environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        output = b""
        try:
            while part := os.read(ours, 65536):
                output += part
        except OSError:  # the terminal's way to say that everybody has left
            pass
        os.close(ours)
        assert done.wait() == code, output
        return output.decode()

    table = on_a_terminal(*typed)
    value = on_a_terminal(*typed, "--key", "evil")
    for shown in (table, value, on_a_terminal(*typed, "--json"), on_a_terminal("labels", "--tag", EVIL, code=2)):
        assert "\x1b]0" not in shown and "\x1b[31m" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "?]0;owned??[31mred?[bold]x[/bold]" in table
    assert "?[31mred?[bold]x[/bold]" in value
    assert [line.split()[-1] for line in table.splitlines() if line.strip() and line.split()[-1] in ("one", "two")] == [
        "one",
        "two",
    ]
    assert json.loads(site.inv(*typed, "--json").stdout)["evil"] == EVIL  # a script gets the truth
    assert site.inv(*typed, "--key", "evil").stdout == EVIL + "\n"
