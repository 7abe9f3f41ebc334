"""Clients of a service while it is switched: each asks again and again, on a new connection each time."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

EVERY = 0.02  # seconds between an answer and the next question
PATIENCE = 20.0  # seconds until a client gives up


class Answer(NamedTuple):
    """What one request came to.

    `begun` is on the monotonic clock and `seconds` long it took; `said` is the body, "" where there was none; then
    `trouble` is the kind of error, and `connected` says whether the connection was made before.
    """

    begun: float
    seconds: float
    said: str
    trouble: str = ""
    connected: bool = False


class Clients:
    """Several clients in a process of their own.

    Args:
        address: where the service is, for them.
        inside: the beginning of a command that runs in another network namespace.
        every: the seconds between an answer and the next question.
    """

    def __init__(
        self, port: int, count: int, address: str = "127.0.0.1", inside: Sequence[str] = (), every: float = EVERY
    ) -> None:
        words = [*inside, sys.executable, "-I", __file__, address, str(port), str(count), str(every)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "answered\n"

    def end(self) -> list[Answer]:
        """What all requests came to, in the order of their beginning."""
        said, _ = self.process.communicate("", timeout=60)
        return sorted(Answer(*row) for row in json.loads(said))


@contextmanager
def asking(port: int, count: int = 4, address: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[list[Answer]]:
    """Clients that ask during the block; afterwards the list holds what their requests came to."""
    clients = Clients(port, count, address, inside)
    answers: list[Answer] = []
    try:
        yield answers
    finally:
        answers += clients.end()


@contextmanager
def another_network() -> Iterator[tuple[str, list[str]]]:
    """Another network namespace, as another machine: this one's address for it, and the beginning of commands in it."""
    name = f"inv{os.getpid()}"
    here, there = f"10.97.{os.getpid() % 250}.1", f"10.97.{os.getpid() % 250}.2"
    ip("netns", "add", name)
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", f"{name}b", "netns", name)
        ip("address", "add", f"{here}/30", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("-n", name, "address", "add", f"{there}/30", "dev", f"{name}b")
        ip("-n", name, "link", "set", f"{name}b", "up")
        yield here, ["ip", "netns", "exec", name]
        ip("link", "delete", f"{name}a")  # with its namespace it would go later
    finally:
        ip("netns", "delete", name)


def ip(*words: str) -> None:
    """iproute2's ip, which must succeed."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def refused(answers: Sequence[Answer]) -> list[Answer]:
    """Those that no version took: refused, or not answered in time. Not those whose connection a version closed."""
    return [one for one in answers if one.trouble and not one.connected]


def cut_off(answers: Sequence[Answer]) -> list[Answer]:
    """Those whose connection was closed before an answer came."""
    return [one for one in answers if one.trouble and one.connected]


def unanswered(answers: Sequence[Answer]) -> float:
    """The longest time in seconds between the beginnings of two requests that were answered, with none between."""
    good = [one.begun for one in answers if one.said]
    return max((later - earlier for earlier, later in pairwise(good)), default=0.0)


def silence(said: str) -> float:
    """The seconds of silence that a switch tells of."""
    return int(said.partition(" was silent for ")[2].split()[0]) / 1000


def ask(address: str, port: int) -> Answer:
    """Ask once."""
    begun, connected = time.monotonic(), False
    try:
        with socket.create_connection((address, port), timeout=PATIENCE) as connection:
            connected = True
            connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        said = reply.decode().partition("\r\n\r\n")[2].strip()
        trouble = "" if said else "no answer"
    except OSError as error:
        said, trouble = "", type(error).__name__
    return Answer(begun, time.monotonic() - begun, said, trouble, connected)


def main(address: str, port: int, count: int, every: float) -> None:
    """Ask until standard input ends, and print what it came to."""
    answers: list[Answer] = []
    over, first = threading.Event(), threading.Event()

    def client() -> None:
        while not over.is_set():
            answers.append(ask(address, port))
            if answers[-1].said:
                first.set()
            over.wait(every)

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    first.wait(PATIENCE)
    print("answered" if first.is_set() else "nothing answers", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
