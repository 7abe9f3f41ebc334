"""Docker's grammars."""

import pytest

from tasks.engine.names import valid_tag


@pytest.mark.parametrize("tag", ["0.2.7", "_x", "0.2.7-dirty-0a1b", "x" * 128])
def test_a_tag_that_docker_takes_is_valid(tag: str) -> None:
    assert valid_tag(tag)


@pytest.mark.parametrize("tag", ["", "x" * 129, ".x", "-x", "0.2/7", "0.2.7\n", "0.2 7", "größe", "$(x)", "0:2"])
def test_a_tag_that_docker_refuses_is_not_valid(tag: str) -> None:
    assert not valid_tag(tag)
