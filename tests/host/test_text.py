"""Text for people, and what must not stand in it."""

import pytest

from tasks.host.text import without_credentials


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
        ("", ""),
    ],
)
def test_no_user_password_token_or_query_of_a_url_gets_into_a_label(url: str, stripped: str) -> None:
    assert without_credentials(url) == stripped
