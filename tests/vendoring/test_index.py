"""Where packages come from: what pip is configured with, and indexes that say less than PyPI does."""

import os
from pathlib import Path

import pytest
from vendoring.upstreams import WHEEL, Server, bring, fails, index, index_page, pins, sha, tree, visible

from tasks.vendoring.pip_settings import PYPI, PipSettings, configured

OTHER = "thing-1.0-cp36-cp36m-win32.whl"


@pytest.mark.parametrize("fragment", ["", "#md5=0123456789abcdef0123456789abcdef"])
def test_an_index_without_sha256_serves_since_the_pin_verifies(server: Server, vendor: Path, fragment: str) -> None:
    pin = index_page(server, "thing==1.0", WHEEL, b"a wheel", fragment)
    names = ("thing-1.0.1.tar.gz", "other-1.0.tar.gz", OTHER, WHEEL)
    server.pages["/simple/thing/"] = "".join(f'<a href="/files/{name}{fragment}">x</a>' for name in names).encode()
    server.pages[f"/files/{OTHER}"] = b"another wheel of this version"
    pins(vendor, f"thing: {pin}")
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
    assert not {"/files/thing-1.0.1.tar.gz", "/files/other-1.0.tar.gz"} & set(server.asked)
    server.pages[f"/files/{WHEEL}"] = b"exchanged"
    said = fails(1, vendor, force=True)
    assert f"{WHEEL}: its sha256 is {sha(b'exchanged')}" in said and f"{OTHER}: its sha256" in said
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}, "what was there stays"


@pytest.mark.parametrize(
    ("pin", "file"),
    [
        ("certifi==2021.1", "certifi-2021.01.tar.gz"),
        ("certifi==2021.01.0", "certifi-2021.1-py2.py3-none-any.whl"),
        ("Twisted==20.3.0", "Twisted-20.3.0.tar.bz2"),
        ("thing==1.0.post1", "thing-1.0-1.tgz"),
        ("a-b==2", "a_b-2.0.tar.xz"),
        ("a-b==2", "a-b-2.tar"),
    ],
)
def test_equal_versions_and_legacy_sdists(server: Server, vendor: Path, pin: str, file: str) -> None:
    pins(vendor, f"thing: {index_page(server, pin, file, b'content')}")
    bring(vendor)
    assert tree(vendor / "thing") == {file: "content"}


def test_pips_own_settings_count(vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
        monkeypatch.delenv(name)
    file.write_text(
        "[global]\nindex-url = https://me:pass%word@one/simple\nfind-links = /a/folder\ncert = ~/ca.pem\nproxy=http://p:1\n"
        "[install]\nindex_url = https://two/simple/\nextra-index-url =\n    https://three/simple\n    https://four/simple/\n"
        "trusted-host = two\n[list]\nindex-url = https://no/simple\n"
    )
    expected = PipSettings(
        ("https://two/simple", "https://three/simple", "https://four/simple"),
        ("/a/folder",),
        f"{Path.home()}/ca.pem",
        "",
        ("two",),
        "http://p:1",
    )
    assert configured() == expected
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://five/simple")
    assert configured() == PipSettings((PYPI, "https://five/simple"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert configured().indexes == ()


def test_extra_indexes_and_folders_are_looked_through(
    server: Server, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = index(server)
    for path in [path for path in server.pages if path.startswith("/simple")]:
        server.pages[path.replace("/simple", "/extra")] = server.pages.pop(path)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://127.0.0.1:9/down {server.url}/extra/")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "local-1.0-py3-none-any.whl").write_text("a local wheel")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    pins(vendor, f'thing: {pin}\nlocal: {{pypi: "local==1", sha256: {sha(b"a local wheel")}}}')
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
    assert tree(vendor / "local") == {"local-1.0-py3-none-any.whl": "a local wheel"}


def test_an_index_cannot_name_files_of_this_machine(server: Server, vendor: Path, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_text("secret")
    pin = index(server, b"secret")
    server.pages["/simple/thing/"] = f'<a href="file://{tmp_path}/{WHEEL}#sha256={sha(b"secret")}">x</a>'.encode()
    pins(vendor, f"thing: {pin}")
    assert "lists no file with the sha256" in fails(1, vendor)


def test_a_login_page_is_quoted(server: Server, vendor: Path) -> None:
    login = b"<title>Sign in</title><style>p {}</style><p>to <b>Example</b> Packages"
    server.pages |= {"/x.zip": login, "/simple/thing/": login}
    no = f"sha256: {'0' * 64}"
    pins(vendor, f'apex: {{url: "{server.url}/x.zip", {no}}}\nthing: {{pypi: thing==1.0, {no}}}')
    said = fails(1, vendor).splitlines()
    assert said[0].endswith("; what came is text/html: “Sign in to Example Packages”.")
    assert said[1].endswith("/simple/thing/ lists no file; what came is text/html: “Sign in to Example Packages”.")
    assert visible(vendor) == ["vendor.yaml"]


def test_certificates_are_those_that_pip_trusts(
    server: Server, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure = Server()
    certificate = secure.secure(tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", secure.url + "/simple")
    monkeypatch.delenv("PIP_CERT", raising=False)
    pins(vendor, f"thing: {index(secure)}")
    assert "its certificate is not trusted" in fails(1, vendor)
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "none"))
    assert f"no certificates can be read from {tmp_path}/none" in fails(1, vendor)
    monkeypatch.setenv("PIP_CERT", str(certificate))
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
    monkeypatch.delenv("PIP_CERT")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    bring(vendor, force=True)
    secure.stop()


def test_the_indexs_login_is_the_files_too_on_its_host_alone(
    server: Server, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login = "me:s cret"
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url.replace('//', '//me:s%20cret@')}/simple")
    pin = index(server)
    server.pages["/simple/thing/"] = f'<a href="{server.url}/files/{WHEEL}#sha256={sha(b"a wheel")}">x</a>'.encode()
    pins(vendor, f"thing: {pin}")
    bring(vendor)
    server.pages.clear()
    assert "cret" not in fails(1, vendor, force=True)


def test_pips_settings_count_however_it_talks(
    vendor: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet pip, or one that is told to use another Python, has the same index; one whose file is broken has none."""
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_QUIET", "3")
    monkeypatch.setenv("PIP_PYTHON", "/nonexistent/python")
    text = "[global]\nquiet = 2\nindex-url = https://me:secret@one/simple\nclient-cert = /a/b.pem\n"
    file.write_text(text)
    assert configured().indexes == ("https://me:secret@one/simple",)
    assert configured().own_certificate == "/a/b.pem"
    file.write_text("index-url = https://me:secret@one/simple\n")  # of no section
    pins(vendor, f"thing: {index(server)}")
    said = fails(1, vendor)
    assert "thing was not fetched: pip cannot read its own settings (" in said
    assert "secret" not in said
    assert not server.asked, "the index of pip's defaults, or any other, is nobody's wish"


@pytest.mark.parametrize(
    "link",
    [
        '<a href="../../files/{file}#sha256={sha}&amp;egg=thing">x</a>',
        '<a href="../../files/{file}#egg=thing&amp;SHA256={sha}">x</a>',
        '<a href=" ../../files/{file}#sha256={sha} ">x</a>',
        '<a href="../../files/{file}#sha256={sha}" href="/elsewhere">x</a>',
        '<base href="http://[::1/"><a href="http://[::1/x">x</a><a href="../../files/{file}#sha256={sha}">x</a>',
        '{{"files": [{{"filename": "x", "url": "../../files/{file}", "hashes": {{"sha256": "{sha}"}}}}]}}',
    ],
)
def test_links_are_read_as_pip_reads_them(server: Server, vendor: Path, link: str) -> None:
    pins(vendor, f"thing: {index(server)}")
    server.pages["/simple/thing/"] = link.format(file=WHEEL, sha=sha(b"a wheel")).encode()
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}


@pytest.mark.parametrize(
    "kind", ["index", "index page", "page to a server", "links", "links with a page", "file", "file by address"]
)
def test_an_index_and_links_may_be_paths(
    server: Server, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    home = tmp_path / "simple/thing"
    home.mkdir(parents=True)
    (home / WHEEL).write_bytes(b"a wheel")
    server.pages[f"/files/{WHEEL}"] = b"a wheel"
    monkeypatch.chdir(tmp_path)
    if kind in ("index", "index page", "page to a server"):
        monkeypatch.setenv("PIP_INDEX_URL", "simple")
    else:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        place = {"file": f"simple/thing/{WHEEL}", "file by address": f"{server.url}/files/{WHEEL}"}
        monkeypatch.setenv("PIP_FIND_LINKS", place.get(kind, "simple/thing"))
    if kind.endswith("page"):
        (home / "index.html").write_text(f'<a href="{WHEEL}">x</a>')
    if kind == "page to a server":
        (home / WHEEL).unlink()
        (home / "index.html").write_text(f'<a href="{server.url}/files/{WHEEL}">x</a>')
    pins(vendor, f'thing: {{pypi: "thing==1.0", sha256: {sha(b"a wheel")}}}')
    bring(vendor)
    assert tree(vendor / "thing") == {WHEEL: "a wheel"}
