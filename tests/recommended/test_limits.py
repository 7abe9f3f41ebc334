"""What is off limits is refused in every spelling; what is harmless is accepted."""

from pathlib import Path

import pytest
from recommended.samples import DANGERS, HARMLESS, IMAGE, accepted, allowed, made, refusal

from tasks.recommended import grammar
from tasks.recommended.command import check, parse, unusual
from tasks.recommended.limits import Allowed


@pytest.mark.parametrize("words", DANGERS.values(), ids=DANGERS.keys())
def test_what_is_off_limits_is_refused(words: list[str]) -> None:
    read = parse(made(*words), IMAGE)  # docker would read it, and --trust may run it
    found = unusual(read, allowed())
    assert found and all(sentence.startswith("--") and sentence.isprintable() for sentence in found)
    assert "--trust" in refusal(made(*words))


@pytest.mark.parametrize("words", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_harmless_is_accepted(words: list[str]) -> None:
    accepted(*words)


def test_an_allowed_option_is_only_allowed_with_a_harmless_value() -> None:
    everything = grammar.FLAGS | grammar.VALUES
    free, strict = Allowed(everything, ("/data",)), Allowed([], ("/data",))
    assert not unusual(parse(made("--privileged", "--pid=host"), IMAGE), free)
    assert unusual(parse(made("-v/:/x"), IMAGE), free) == [
        "--volume /:/x is not under /data, nor a folder of start.volumes"
    ]
    assert unusual(parse(made("--init"), IMAGE), strict) == ["--init is not on the list start.allow"]


def test_the_message_names_the_first_thing_and_counts_the_rest() -> None:
    message = refusal(made("--privileged", "-v/:/x", "--pid=host"))
    assert "--privileged is not on the list start.allow (and 2 more); to see it and decide, add --trust." in message
    assert len(refusal(made("--env", "X" * 5000))) < 300


def test_symbolic_links_are_followed_where_the_engine_is_on_this_host(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "inside").mkdir(parents=True)
    (data / "out").symlink_to("/etc")
    (data / "up").symlink_to("../elsewhere")
    (data / "in").symlink_to("inside")
    (data / "loop").symlink_to("loop")
    (data / "file.sock").symlink_to("docker.sock")
    for name in ("inside", "in", "new", "new/deeper", "in/new"):
        check(made("-v", f"{data}/{name}:/x"), IMAGE, allowed(str(data), local=True))
    for name in ("out", "out/cron.d", "up", "in/../out"):
        for words in (["-v", f"{data}/{name}:/x"], ["--mount", f"type=bind,source={data}/{name},target=/x"]):
            assert "by a symbolic link" in refusal(made(*words), str(data), local=True)
            check(made(*words), IMAGE, allowed(str(data)))  # another host's links cannot be seen
    assert "socket" in refusal(made("-v", f"{data}/file.sock:/x"), str(data), local=True)
    parse(made("-v", f"{data}/loop:/x"), IMAGE)


def test_a_data_directory_that_is_a_link_itself_or_written_loosely(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to("disk")
    check(made("-v", f"{tmp_path}/data/x:/x"), IMAGE, allowed(f"{tmp_path}//data/", local=True))
    assert "not under" in refusal(made("-v", f"{tmp_path}/disk:/x"), f"{tmp_path}/data", local=True)
