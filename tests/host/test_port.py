"""Who listens on a port, beside the connections of a busy machine."""

import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tasks.host import port
from tasks.host.port import Listener


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("127.1.2.3", "127.1.2.3"),
        ("::", "::"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_listener_has_its_address_and_its_process(address: str, shown: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        number = server.getsockname()[1]
        with socket.create_connection((address, number)), server.accept()[0]:  # two more with this port, connected
            assert port.listeners(number) == [Listener(shown, number, os.getpid())]
            (seen,) = [
                one
                for one in psutil.net_connections("tcp")
                if one.laddr.port == number and one.status == psutil.CONN_LISTEN
            ]
            assert (seen.laddr.ip.removeprefix("::ffff:"), seen.pid) == (shown, os.getpid())
    assert port.listeners(number) == []


def test_each_of_several_is_listed_and_a_hidden_process_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        number = one.getsockname()[1]
        with socket.create_server(("127.0.0.2", number)), socket.create_server(("::1", number), family=socket.AF_INET6):
            found = port.listeners(number)
            assert [listener.address for listener in found] == ["127.0.0.1", "127.0.0.2", "::1"]
            monkeypatch.setattr(os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(path)))
            assert {listener.pid for listener in port.listeners(number)} == {None}


def test_of_a_socket_that_several_processes_have_the_first_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        with subprocess.Popen(["sleep", "60"], pass_fds=[server.fileno()]) as child:
            assert port.listeners(number) == [Listener("127.0.0.1", number, min(os.getpid(), child.pid))]
            child.kill()


def test_where_there_is_no_table_psutil_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        monkeypatch.setattr(port, "TABLES", ((socket.AF_INET, Path("/nowhere")),))  # as on macOS
        assert port.listeners(number) == [Listener("127.0.0.1", number, os.getpid())]
