"""`push` and `pull`: versions to a real registry and from it."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import documented
import pytest
from clients import another_network
from invoke import Exit
from registries import PASSWORD, USER, registry
from sites import Site
from versions import labelled, make

from tasks.service.registry import some
from tasks.shipping import registry as registry_api

VERSIONS: dict[str, dict[str, object]] = {"1.0": {}, "1.9": {}, "1.10": {}}


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with registry() as found:
        yield found


@pytest.fixture
def site(versions: Site, host: str, tmp_path: Path) -> Site:
    """The site with a registry, of which docker knows no login."""
    versions.settings["registry"] = f"{host}/team"
    versions.save()
    versions.environment["DOCKER_CONFIG"] = str(tmp_path / "config")
    return versions


def references(site: Site) -> set[str]:
    """All tags of the engine."""
    rows = site.engine.request("GET", "/images/json")
    return {tag for row in rows for tag in row["RepoTags"] or () if not tag.startswith("<none>")}


def remove(site: Site, tag: str) -> None:
    site.engine.request("DELETE", f"/images/tests/visdom:{tag}?force=1")


def image_id(site: Site, tag: str) -> str:
    return str(site.engine.request("GET", f"/images/tests/visdom:{tag}/json")["Id"])


def test_what_was_pushed_comes_back_and_starts(site: Site, host: str) -> None:
    before, known = image_id(site, "1.0"), references(site)
    said = site.inv("push", "--tag", "1.0").stdout
    assert f"docker push {host}/team/tests/visdom:1.0" in said
    assert f"{host}/team/tests/visdom:1.0 is in the registry, as sha256:" in said
    assert references(site) == known, "it has the registry's name only for that time"
    remove(site, "1.0")
    said = site.inv("pull", "--tag", "1.0").stdout
    assert said.rstrip().endswith("start --tag 1.0") and "\ntests/visdom:1.0 is here. To start it: " in said
    assert image_id(site, "1.0") == before and references(site) == known
    assert "1.0 runs as tests_service" in site.inv("start", "--tag", "1.0").stdout
    assert "tests/visdom:1.0 is here already." in site.inv("pull", "--tag", "1.0").stdout


def test_the_versions_of_a_registry_are_listed_by_their_numbers(site: Site, host: str) -> None:
    for tag in ("1.10", "1.9"):
        site.inv("push", "--tag", tag)
    remove(site, "1.9")
    try:
        found = json.loads(site.inv("pull", "--list", "--json").stdout)
        assert found["repository"] == f"{host}/team/tests/visdom"
        assert set(found) == documented.keys("pull")
        assert set(found["versions"][0]) == documented.keys("pull", "versions[]")
        rows = {row["tag"]: row for row in found["versions"]}
        assert [*rows][:2] == ["1.10", "1.9"]
        assert rows["1.9"] == {"tag": "1.9", "here": False, "running": False} and rows["1.10"]["here"]
        lines = [line.split() for line in site.inv("pull", "--list").stdout.splitlines()]
        assert ["1.9", "no"] in lines and ["1.10", "yes"] in lines
        refused = site.inv("pull", code=2)
        assert "The registry has several versions and nobody can be asked. Type: inv " in refused.stderr
    finally:
        site.inv("pull", "--tag", "1.9")


def test_the_names_of_what_is_pulled_are_checked(site: Site, host: str) -> None:
    known = references(site)
    for name, labels, why in (
        ("bad", {"org.label-schema.name": "else/where"}, "is no version of tests/visdom: its label says else/where."),
        (
            "rude",
            {"org.label-schema.docker.cmd": "docker run -d --name a_b --privileged tests/visdom:rude"},
            "--privileged",
        ),
    ):
        labelled(site, name, **labels)
        remote = f"{host}/team/tests/visdom:{name}"
        site.docker("tag", f"tests/visdom:{name}", remote)
        site.docker("push", remote)
        site.docker("rmi", remote, f"tests/visdom:{name}")
        assert why in site.inv("pull", "--tag", name, code=1).stderr
        assert references(site) == known, "nothing of it stays"


def test_a_tag_that_names_another_image_here_is_not_moved(site: Site) -> None:
    make(site, "7.0", script="exit 1")
    site.inv("push", "--tag", "7.0")
    make(site, "7.0")
    mine = image_id(site, "7.0")
    refused = site.inv("pull", "--tag", "7.0", code=1).stderr
    assert "tests/visdom:7.0 names another image here" in refused and "--tag 7.0 --force" in refused
    assert image_id(site, "7.0") == mine
    site.inv("pull", "--tag", "7.0", "--force")
    assert image_id(site, "7.0") != mine
    remove(site, "7.0")


def test_what_is_not_there_is_one_sentence(site: Site, host: str) -> None:
    known = references(site)
    site.inv("push", "--tag", "1.0")
    refused = site.inv("pull", "--tag", "9.9", code=2).stderr
    assert f"{host}/team/tests/visdom has no version 9.9. Type --tag with one of: " in refused
    assert "There is no version 9.9 of tests/visdom." in site.inv("push", "--tag", "9.9", code=2).stderr
    assert "is no tag" in site.inv("pull", "--tag", "a b", code=2).stderr
    site.settings["registry"] = "127.0.0.1:9"
    site.save()
    assert site.inv("pull", code=1).stderr == "The registry 127.0.0.1:9 does not answer.\n"
    assert "The registry 127.0.0.1:9 does not answer." in site.inv("push", "--tag", "1.0", code=1).stderr
    site.settings["registry"] = ""
    site.save()
    for task in ("push", "pull"):
        for tag in (["--tag", "1.0"], []):  # without one, nobody is asked first
            assert "No registry is named. Set stack.registry" in site.inv(task, *tag, code=2).stderr
    assert references(site) == known


def test_dry_runs_print_what_would_run(site: Site, host: str) -> None:
    remote = f"{host}/team/tests/visdom:1.0"
    tag = "docker image tag"
    gone = f"docker image rm {remote}"
    said = site.inv("--dry", "push", "--tag", "1.0").stdout.splitlines()
    assert said == [f"{tag} tests/visdom:1.0 {remote}", f"docker push {remote}", gone]
    said = site.inv("--dry", "pull", "--tag", "1.0").stdout.splitlines()
    assert said == [f"docker pull {remote}", f"{tag} {remote} tests/visdom:1.0", gone]


def login(site: Site, host: str) -> None:
    """`docker login`, as one types it."""
    words = ["docker", "login", "--username", USER, "--password-stdin", host]
    subprocess.run(words, input=PASSWORD, env=site.environment, text=True, check=True, capture_output=True)


HELPER = """#!/bin/sh
# Keeps one login, as docker's credential helpers do: in a file beside it.
case $1 in
    store) cat >"$0.kept" ;;
    get) cat "$0.kept" ;;
    list) echo '{}' ;;
esac
"""


def keep_logins_with_a_helper(site: Site, folder: Path) -> None:
    (folder / "docker-credential-tests").write_text(HELPER)
    (folder / "docker-credential-tests").chmod(0o755)
    config = Path(site.environment["DOCKER_CONFIG"])
    config.mkdir(exist_ok=True)
    (config / "config.json").write_text('{"credsStore": "tests"}')
    site.environment["PATH"] = f"{folder}:{site.environment.get('PATH', os.environ['PATH'])}"


@pytest.mark.parametrize("tls", [False, True])
def test_a_registry_with_a_password(site: Site, tls: bool, tmp_path: Path) -> None:
    """Without TLS on the loopback; with a certificate by an authority of one's own on another address.

    The login is kept in docker's file, and by a credential helper.
    """
    with another_network() as (address, _), registry(address if tls else "127.0.0.1", password=True, tls=tls) as host:
        site.settings["registry"] = host
        site.save()
        for words in (["push", "--tag", "1.0"], ["pull", "--tag", "1.0"], ["pull", "--list"]):
            refused = site.inv(*words, code=1)
            assert f"docker login {host}" in refused.stderr
        if tls:
            keep_logins_with_a_helper(site, tmp_path)
        login(site, host)
        assert (tmp_path / "docker-credential-tests.kept").exists() is tls
        said = "".join(
            site.inv(*words).stdout
            for words in (["push", "--tag", "1.0"], ["pull", "--tag", "1.0"], ["pull", "--list"])
        )
        assert "is in the registry" in said and PASSWORD not in said
        assert ["1.0", "yes"] in [line.split() for line in said.splitlines()]


def test_a_certificate_of_nobody_is_refused(site: Site) -> None:
    with another_network() as (address, _), registry(address, tls=True) as host:
        Path(f"/etc/docker/certs.d/{host}/ca.crt").unlink()
        site.settings["registry"] = host
        site.save()
        said = site.inv("pull", code=1).stderr
        assert (
            f"has a certificate that is not trusted here. Its authority goes to /etc/docker/certs.d/{host}/ca.crt"
            in said
        )


@contextmanager
def liar(said: bytes, challenge: str = "") -> Iterator[str]:
    """What answers as a registry does, at first, and then with this; a b"" byte by byte. Returns its host."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first = self.path == "/v2/"
            self.send_response(200 if first or not challenge or self.path.startswith("/token") else 401)
            if challenge and not first:
                self.send_header("WWW-Authenticate", challenge)
            self.end_headers()
            if said or first:
                self.wfile.write(said)
                return
            with suppress(OSError):
                for _ in range(600):
                    self.wfile.write(b" ")
                    time.sleep(0.1)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_token_that_docker_login_keeps_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries of clouds give one in place of a password."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer short"
            self.send_response(200 if known or self.path == "/v2/" else 401)
            self.send_header("WWW-Authenticate", f'Bearer realm="http://{host}/token",service="here",scope="pull"')
            self.end_headers()
            self.wfile.write(b'{"tags": ["1.0"]}' if known else b"{}")

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"access_token": "short"}')

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"identitytoken": "long/+"}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        assert registry_api.tags(registry_api.Remote(f"{host}/x", ("127.0.0.0/8",))) == ["1.0"]
        server.shutdown()
    grant = "grant_type=refresh_token&client_id=docker&refresh_token=long%2F%2B"
    assert asked == [f"service=here&scope=pull&{grant}"]


DEEP = b'{"tags":' + b"[" * 200_000


@pytest.mark.parametrize(
    ("said", "challenge", "sentence"),
    [
        (DEEP, "", "is no registry"),
        (b'{"tags": "abc"}', "", "is no registry"),
        (b"{}", 'Bearer realm="http://[bad"', "does not answer"),
        (b"", "", "does not answer"),
    ],
)
def test_a_registry_that_lies_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, said: bytes, challenge: str, sentence: str
) -> None:
    monkeypatch.setattr(registry_api, "WHOLE", 1)
    with liar(said, challenge) as host, pytest.raises(Exit) as refused:
        registry_api.tags(registry_api.Remote(f"{host}/x", ("127.0.0.0/8",)))
    assert sentence in str(refused.value.message)


def test_a_sentence_names_no_more_tags_than_can_be_read() -> None:
    assert some([f"0.{number}" for number in range(5000)]).endswith(", 0.19 and 4980 more")
    assert some(["1.0", "2.0"]) == "1.0, 2.0"


def test_somebodys_netrc_is_not_sent(site: Site, tmp_path: Path) -> None:
    with registry(password=True) as host:
        (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
        (tmp_path / ".netrc").chmod(0o600)
        site.settings["registry"] = host
        site.save()
        assert "refuses to list" in site.inv("pull", code=1, HOME=str(tmp_path)).stderr
