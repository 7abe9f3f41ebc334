"""Signals that ask to end."""

import os
import signal
import time
import weakref

import pytest

from tasks.host.signals import ASKING, as_interrupts


class Freed:
    """Something that is sent a signal while it is freed, when Python drops what a handler raises."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


class Kept:
    """What a set of weak references holds; when it is freed, the set's own function runs."""


@pytest.mark.parametrize("number", ASKING)
def test_none_is_lost_that_comes_while_an_object_is_freed(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, as_interrupts():
        Freed(number)
        time.sleep(5)
    assert stopped.value.args == (() if number == signal.SIGINT else (number,)), "Ctrl-C is told from the others"


def test_none_is_lost_that_comes_while_a_weak_reference_ends() -> None:
    kept: weakref.WeakSet[Kept] = weakref.WeakSet()
    one = Kept()
    kept.add(one)
    kept.data = Sending(kept.data)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt), as_interrupts():
        del one
        time.sleep(5)


class Sending(set):  # type: ignore[type-arg]
    """A set whose `discard` is interrupted."""

    def discard(self, element: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        super().discard(element)


def test_what_was_before_is_there_again() -> None:
    before = [signal.getsignal(number) for number in ASKING]
    with as_interrupts():
        pass
    assert [signal.getsignal(number) for number in ASKING] == before
