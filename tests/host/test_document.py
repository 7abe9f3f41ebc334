"""JSON documents, and the tables beside them."""

import json

import pytest
from msgspec import Struct

from tasks.host import document, table


class Row(Struct, frozen=True):
    tag: str
    built: str | None


def test_a_document_is_json_with_times_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    document.show([Row("0.2.1", document.moment(1567176380)), Row("0.2.2", document.moment(0))])
    assert json.loads(capsys.readouterr().out) == [
        {"tag": "0.2.1", "built": "2019-08-30T14:46:20Z"},
        {"tag": "0.2.2", "built": None},
    ]
    assert document.moment(1e12) is document.moment(1e300) is None  # a label can say any time


def test_a_table_in_a_pipe_wraps_nothing_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table.show("", ("tag", "size"), [("0.2.1", "1 B"), ("a" * 300, "\033[31m10 B")], right=("size",))
    heads, *rows = capsys.readouterr().out.splitlines()
    assert heads.split() == ["tag", "size"]
    assert rows[0].split() == ["0.2.1", "1", "B"] and rows[1].split() == ["a" * 300, "?[31m10", "B"]
    assert len({row.rindex("B") for row in rows}) == 1
