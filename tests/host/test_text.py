"""Text for people, and what must not stand in it."""

import pytest

from tasks.host.text import age, ago, brief, printable, size, without_credentials


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://ghp_token@example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://user:pass@word@example.com:8443/a/b.git", "https://example.com:8443/a/b.git"),
        ("https://git:token@example.com/a", "https://example.com/a"),
        ("https://example.com/a/b.git?private_token=secret#secret", "https://example.com/a/b.git"),
        ("HTTPS://user:token@example.com", "HTTPS://example.com"),
        ("https://user:token@[::1", "https://[::1"),  # what urlsplit calls invalid is no reason for a traceback
        ("ssh://git@example.com:22/a/b@v2.git", "ssh://git@example.com:22/a/b@v2.git"),
        ("ssh://git:token@example.com/a", "ssh://example.com/a"),
        ("git+ssh://deploy:token@example.com/a", "git+ssh://example.com/a"),
        ("git@example.com:team/a.git", "git@example.com:team/a.git"),
        ("git@example.com:team@v2.git", "git@example.com:team@v2.git"),
        ("deploy@example.com:team/a.git", "example.com:team/a.git"),
        ("user:to@ken@example.com:team/a.git", "example.com:team/a.git"),
        ("/srv/git/people@work/a.git", "/srv/git/people@work/a.git"),
        ("../people@work/a.git", "../people@work/a.git"),
        ("file:///srv/git/a.git", "file:///srv/git/a.git"),
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
        ("", ""),
    ],
)
def test_no_user_password_token_or_query_of_a_url_gets_into_a_label(url: str, stripped: str) -> None:
    assert without_credentials(url) == stripped


def test_text_from_outside_steers_no_terminal_and_is_not_endless() -> None:
    assert printable("\x1b[31mred\n\u202e") == "?[31mred??"
    assert brief("a" * 200) == "a" * 200
    assert brief("a" * 201) == "a" * 199 + "…"
    assert brief("\x07" * 9, 5) == "????…"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (41_200_000, "41.2 MB"),
        (6_300_000_000, "6.3 GB"),
        (2 * 10**12, "2 TB"),
        (999_700, "1 MB"),
        (10**17, "100000 TB"),
    ],
)
def test_bytes_are_shown_as_docker_shows_them(count: int, shown: str) -> None:
    assert size(count) == shown


def test_an_age_is_one_of_its_unit_or_several() -> None:
    wanted = {-1: "0 seconds", 0.5: "0 seconds", 1.9: "1 second", 59: "59 seconds", 60: "1 minute", 7200: "2 hours"}
    assert {seconds: age(seconds) for seconds in wanted} == wanted


def test_what_is_yet_to_come_is_not_called_new() -> None:
    """Two clocks are never quite equal; hours are another matter."""
    assert [ago(seconds) for seconds in (7200, 0, -59)] == ["2 hours ago", "0 seconds ago", "0 seconds ago"]
    assert [ago(seconds, "old") for seconds in (86400, -61, -26340 * 86400)] == [
        "1 day old",
        "1 minute ahead",
        "26340 days ahead",
    ]
