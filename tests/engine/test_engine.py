"""Reading an engine that answers as no engine should: what a real one cannot be made to do."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.engine import client
from tasks.engine.client import Unreachable, way_to_see
from tasks.engine.endpoint import Endpoint, resolve
from tasks.engine.engine import Engine


def http(status: int, body: str) -> bytes:
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


VERSION = http(200, '{"ApiVersion": "1.44"}')
Serve = Callable[[bytes], Engine]


@pytest.fixture(params=["its own socket", "TCP"])
def serve(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server with one answer to all questions but that of the SDK about its version; returns its engine."""
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    if request.param == "TCP":
        server = socket.create_server(("127.0.0.1", 0))
        host = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    else:
        server = socket.socket(socket.AF_UNIX)
        host = f"unix:///tmp/inv-t-{os.getpid()}"
        Path(host.removeprefix("unix://")).unlink(missing_ok=True)
        server.bind(host.removeprefix("unix://"))
        server.listen()

    def answer(said: bytes) -> None:
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            with connection:
                asked = connection.recv(65536)
                connection.sendall(VERSION if b" /version " in asked else said)

    def start(said: bytes) -> Engine:
        threading.Thread(target=answer, args=(said,), daemon=True).start()
        return Engine(Endpoint(host))

    yield start
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    if host.startswith("unix://"):
        Path(host.removeprefix("unix://")).unlink()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (http(500, '{"message": "disk on fire\\nsee the log"}'), "answers with an error: disk on fire"),
        (http(403, "{}"), "answers with an error: HTTP status 403"),
        (http(400, "[1]"), "answers with an error: HTTP status 400"),
        (http(502, "<html>Bad Gateway</html>"), "answers with an error: HTTP status 502"),
        *(
            (http(200, body), "does not answer: what it says is not what an engine says. Type: {way}")
            for body in ('[{"Id": "sha', "", '"x"', "5", "null", "[1]")
        ),
    ],
)
def test_a_bad_answer_is_one_sentence_over_every_way(serve: Serve, said: bytes, sentence: str) -> None:
    engine = serve(said)
    with pytest.raises(Unreachable) as refused:
        engine.containers()
    said_of = sentence.format(way=way_to_see(engine.endpoint))
    assert refused.value.message == f"The Docker Engine at {engine.endpoint.host} {said_of}" and refused.value.code == 1


@pytest.mark.parametrize("said", [b"", b"no HTTP\r\n\r\n", b"HTTP/1.1 fine\r\n\r\n", b"HTTP/1.1\r\n"])
def test_what_is_no_http_is_no_engine(serve: Serve, said: bytes) -> None:
    with pytest.raises(Unreachable) as refused:
        (engine := serve(said)).containers()
    assert "does not answer: " in (message := refused.value.message or "")
    assert message.endswith(f". Type: {way_to_see(engine.endpoint)}")


@pytest.mark.parametrize("said", [http(404, "page not found"), http(404, '{"message": "No such"}'), http(301, "<a>")])
def test_what_is_not_there_is_none(serve: Serve, said: bytes) -> None:
    engine = serve(said)
    assert engine.container("x") is None and engine.image("x") is None


def test_an_answer_that_never_comes_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.2)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path := f"/tmp/inv-t-{os.getpid()}-silent")
        server.listen()
        with pytest.raises(Unreachable) as refused:
            Engine(Endpoint(f"unix://{path}")).containers()
    assert refused.value.message == f"The Docker Engine at unix://{path} does not answer: timed out. Type: inv engine"
    Path(path).unlink()


def test_names_are_quoted_and_lead_nowhere_else(serve: Serve) -> None:
    """A name from a label must not become another question."""
    asked = []
    engine = serve(http(404, "{}"))
    fetch = engine.fetch
    engine.fetch = lambda target: (asked.append(target), fetch(target))[1]  # type: ignore[method-assign, func-returns-value]
    engine.container("a b?all=1#x\r\nHost: y")
    engine.image("colorai/x:1@sha256:é")
    engine.get("images", "json", filters={"label": ["org.label-schema.name=a&b=c"]}, all=0)
    assert asked == [
        "/containers/a%20b%3Fall%3D1%23x%0D%0AHost:%20y/json",
        "/images/colorai/x:1@sha256:%C3%A9/json",
        "/images/json?filters=%7B%22label%22%3A+%5B%22org.label-schema.name%3Da%26b%3Dc%22%5D%7D&all=0",
    ]


def test_names_with_dots_are_nowhere_on_a_real_engine(engine: object) -> None:
    real = Engine(resolve())
    for name in ("../info", "../images", "..", ".", "%2e%2e/info", "", "/", "x/../../info"):
        assert real.container(name) is None
    assert real.image("../containers") is None and real.image("../../info") is None


@pytest.mark.parametrize(
    ("endpoint", "way"),
    [
        (Endpoint("unix:///x"), "inv engine"),
        (Endpoint("ssh://root@gpu1"), "docker --host ssh://root@gpu1 version"),
        (Endpoint("tcp://gpu1:2376", "gpu1"), "docker --context gpu1 version"),
    ],
)
def test_an_engine_elsewhere_is_not_one_to_bring(endpoint: Endpoint, way: str) -> None:
    nested = "HTTPConnectionPool(host='x'): Max retries exceeded (Caused by E(\"[Errno 113] No route to host\"))"
    said = Unreachable(endpoint, nested).message
    assert said == f"The Docker Engine at {endpoint.host} does not answer: no route to host. Type: {way}"
