"""Wheels, sdists and archives from servers: found, fetched byte for byte, verified."""

import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path

import pytest
from vendoring.upstreams import WHEEL, Server, bring, fails, index, pins, serve, sha, tree, visible, zipped

from tasks.vendoring import downloads, manifest


def test_a_wheel_is_found_on_the_index_by_its_hash_and_kept_as_the_file(
    server: Server, vendor: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins(vendor, f"thing: {index(server)}")
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
    assert "vendor/ is up to date (1 library)." in capsys.readouterr().out
    assert not (vendor / manifest.TMP).exists()


def test_an_sdist_works_as_well(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server, b'an sdist', 'Thing-1.0.tar.gz')}")
    bring(vendor)
    assert tree(vendor / "thing") == {"Thing-1.0.tar.gz": "an sdist"}


def test_a_hash_of_another_version_is_not_taken_for_the_pinned_one(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server, file='thing-1.0.1-py3-none-any.whl')}")
    assert "thing-1.0.1-py3-none-any.whl, which is not thing==1.0" in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


@pytest.mark.parametrize(
    "file",
    [
        "..%2f..%2fthing-1.0.tar.gz",
        "thing-1.0-py3-none-any%2f..%2f..%2fx.whl",
        "thing-1.0-py3-none-%1b[31many.whl",
        "thing-%0a1.0.tar.gz",
        "thing-1.0.exe",
        "thing.tar.gz",
        "..",
        "",
    ],
)
def test_a_file_name_from_the_index_cannot_lead_elsewhere(server: Server, vendor: Path, file: str) -> None:
    pins(vendor, f"thing: {index(server, file=file)}")
    said = fails(1, vendor)
    assert "which is not thing==1.0" in said and said.isprintable()
    assert visible(vendor) == ["vendor.yaml"]


@pytest.mark.parametrize(
    ("pin", "file"),
    [
        ("thing==1.0", "thing-1.0.zip"),
        ("Thing==1", "thing-1.0-1-py3-none-any.whl"),
        ("my.thing==2!1.0.post1", "my_thing-2!1.0.post1.tar.gz"),
        ("my-thing==1.0rc1", "my-thing-1.0.rc1.tar.gz"),
        ("thing==1.0+cu90", "thing-1.0%2Bcu90-cp36-cp36m-linux_x86_64.whl"),
    ],
)
def test_names_and_versions_are_compared_as_pip_does(server: Server, vendor: Path, pin: str, file: str) -> None:
    made = index(server, b"content", file).replace("thing==1.0", pin)
    project = pin.partition("==")[0].lower().replace(".", "-")
    server.pages[f"/simple/{project}/"] = server.pages["/simple/thing/"]
    server.pages[f"/files/{file}"] = b"content"
    pins(vendor, f"thing: {made}")
    bring(vendor)
    assert list(tree(vendor / "thing").values()) == ["content"]


def test_no_such_hash_on_the_index_and_no_such_project(server: Server, vendor: Path) -> None:
    index(server)
    pins(vendor, f'thing: {{pypi: "thing==1.0", sha256: {"0" * 64}}}\nno: {{pypi: "no==1.0", sha256: {"0" * 64}}}')
    said = fails(1, vendor)
    assert "thing was not fetched" in said
    assert "lists no file with the sha256 000" in said
    assert "no was not fetched" in said
    assert "404" in said


def test_pip_is_asked_for_its_index(server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    config = vendor.parent / "pip.conf"
    config.write_text(f"[global]\nindex-url = {server.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    pins(vendor, f"thing: {index(server)}")
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}


def test_another_content_at_the_address_is_refused_with_both_hashes(server: Server, vendor: Path) -> None:
    pin = serve(server, "x.zip", zipped({"a": b"1"}))
    pins(vendor, f"apex: {pin}")
    server.pages["/x.zip"] = data = zipped({"a": b"evil"})
    said = fails(1, vendor)
    assert sha(data) in said
    assert pin[-65:-1] in said
    assert visible(vendor) == ["vendor.yaml"]


def test_another_wheel_under_the_name_is_refused(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    server.pages[f"/files/{WHEEL}"] = b"evil"
    assert sha(b"evil") in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]


def test_a_server_that_is_not_there_and_one_that_breaks_off(server: Server, vendor: Path) -> None:
    pin = serve(server, "x.zip", zipped({"a": b"1"}))
    pins(vendor, f"gone: {{url: 'http://me:secret@127.0.0.1:9/x.zip?token=secret', sha256: {'0' * 64}}}\ncut: {pin}")

    def cut(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"half")

    server.answer = cut  # type: ignore[method-assign]
    said = fails(1, vendor)
    assert "cannot fetch http://127.0.0.1:9/x.zip: no connection" in said
    assert "broke off after 4 bytes" in said
    assert "secret" not in said


def answering(server: Server, headers: dict[str, str], parts: Iterable[bytes], pause: float = 0) -> None:
    """Let a server answer everything so."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        for part in parts:
            request.wfile.write(part)
            if server.go.wait(pause):
                return

    server.answer = answer  # type: ignore[method-assign]


def test_a_server_that_cannot_just_now_is_asked_again(server: Server, vendor: Path) -> None:
    pins(vendor, f"thing: {index(server)}")
    server.busy = 2
    bring(vendor)
    assert server.asked == ["/simple/thing/"] * 3 + [f"/files/{WHEEL}"]
    server.busy = 100
    assert "the answer is 503 Service Unavailable" in fails(1, vendor, force=True)
    assert server.busy == 96, "not for ever"


def test_downloads_end(server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is silent or as good as that, bytes without end, and more than the disk has room for."""
    monkeypatch.setattr(downloads, "TIMEOUT", (5, 0.4))
    monkeypatch.setattr(downloads, "UNANNOUNCED", 1_000_000)
    pins(vendor, f'apex: {{url: "{server.url}/x.zip", sha256: {"0" * 64}}}')
    zeros = repeat(bytes(65536))
    for headers, parts, pause, expected in (
        ({"Content-Length": "9"}, [b"1234"], 20, "after 4 bytes it is silent, for 0.4 s"),
        ({}, repeat(b"1"), 0.02, "too slow"),
        ({}, zeros, 0, "does not end: more than 1 MB came"),
        ({"Content-Length": f"{10**17}"}, zeros, 0, "the disk has no room for it: 100000 TB more"),
    ):
        answering(server, headers, parts, pause)
        begun = time.monotonic()
        assert expected in fails(1, vendor)
        assert time.monotonic() - begun < 15
    assert visible(vendor) == ["vendor.yaml"]


def test_an_index_page_without_end(server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "LARGEST_PAGE", 1_000_000)
    pins(vendor, f"thing: {index(server)}")
    answering(server, {"Content-Type": "text/html"}, repeat(bytes(65536)))
    assert "is no list of files: it is larger than 1 MB" in fails(1, vendor)


def test_a_body_in_chunks(server: Server, vendor: Path) -> None:
    data = zipped({"a": b"1"})
    pin = serve(server, "x.zip", data)
    parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:7], data[7:])]
    answering(server, {"Transfer-Encoding": "chunked"}, [*parts, b"0\r\n\r\n"])
    pins(vendor, f"apex: {pin}")
    bring(vendor)
    assert tree(vendor / "apex") == {"a": "1"}


def test_a_wheel_by_its_address_is_kept_as_the_file(server: Server, vendor: Path) -> None:
    pins(vendor, f"torch: {serve(server, 'torch-1.0%2Bcu90-cp36-cp36m-linux_x86_64.whl', zipped({'a': b'1'}))}")
    bring(vendor)
    assert list((vendor / "torch").glob("*.whl")) == [vendor / "torch/torch-1.0+cu90-cp36-cp36m-linux_x86_64.whl"]
