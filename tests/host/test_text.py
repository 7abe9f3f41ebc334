"""Text for people: URLs without their secrets, and nothing that steers a terminal."""

import pytest

from tasks.host.text import brief, printable, without_credentials


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://user:token@host:8443/a.git?sig=token#token", "https://host:8443/a.git"),
        ("http://me:secret@127.0.0.1:9/x.zip?token=secret", "http://127.0.0.1:9/x.zip"),
        ("https://git@host/a.git", "https://host/a.git"),  # a token may have any name; the user git is one of ssh's
        ("ssh://git@host:22/b", "ssh://git@host:22/b"),
        ("ssh://git:password@host:22/b", "ssh://host:22/b"),
        ("ssh://deploy@host/b", "ssh://host/b"),
        ("git@host:d", "git@host:d"),
        ("deploy@host:d", "host:d"),
        ("host:path/with@sign", "host:path/with@sign"),
        ("file:///srv/a@b.git", "file:///srv/a@b.git"),
        ("/srv/a@b:c", "/srv/a@b:c"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, stripped: str) -> None:
    assert without_credentials(url) == stripped


def test_text_from_outside_steers_no_terminal_and_is_not_endless() -> None:
    assert printable("\x1b[31mred\n\u202e") == "?[31mred??"
    assert brief("a" * 200) == "a" * 200
    assert brief("a" * 201) == "a" * 199 + "…"
    assert brief("\x07" * 9, 5) == "????…"
