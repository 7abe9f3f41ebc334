"""vendor.yaml: what is understood, and one sentence for what is not."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoke import Exit
from sites import ROOT
from vendoring.upstreams import REV, SHA, bring, fails, pins

from tasks.vendoring.pins import describe, read_pins

NONSENSE = {
    "- a\n- b": "line 1: expected keys and values",
    "a: b": "line 1: a: expected keys and values",
    "a: {": "line 1: not valid YAML",
    "a: &x [*x]": "line 1: a: expected keys and values",
    "[" * 400: "not valid YAML",
    "a: {}\n--- \nb: {}": "not valid YAML",
    f"\n../evil: {{pypi: b==1, sha256: {SHA}}}": 'line 2: "../evil" cannot name a library',
    f".hidden: {{pypi: b==1, sha256: {SHA}}}": "cannot name a library",
    f"vendor.yaml: {{pypi: b==1, sha256: {SHA}}}": "cannot name a library",
    f'"a\\n": {{pypi: b==1, sha256: {SHA}}}': '"a?" cannot name a library',
    f"b: {{pypi: b==1, sha256: {SHA}}}\nb: {{pypi: b==2, sha256: {SHA}}}": "line 2: b stands here twice",
    "b: {sha256: x}": "b: expected one of the keys pypi, git, url, got none of them",
    f"b: {{pypi: b==1, url: 'https://x/y', sha256: {SHA}}}": "got pypi and url",
    f"b: {{pypi: b==1, sha256: {SHA}, extra: 1}}": "b: unknown key extra; expected pypi, sha256, install",
    f"b: {{pypi: b==1, sha256: {SHA}, install: 0}}": "b: install is not usable; expected true or false",
    "b: {pypi: b==1}": "b: the key sha256 is missing; expected 64 hex digits",
    f"b: {{pypi: b>=1, sha256: {SHA}}}": 'b: pypi is not usable; expected "name==version"',
    f"b: {{pypi: [b==1], sha256: {SHA}}}": 'b: pypi is not usable; expected "name==version"',
    "b: {pypi: b==1, sha256: 12}": "b: sha256 is not usable; expected 64 hex digits",
    f"b: {{git: 'https://x/y', rev: {REV[1:]}}}": "b: rev is not usable; expected a full commit id of 40 hex digits",
    "b: {git: 'https://x/y', rev: main}": "b: rev is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: ../up}}": "b: path is not usable; expected a folder inside",
    f"b: {{git: 'https://x/y', rev: {REV}, path: a/../../up}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: /etc}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, path: .git/hooks}}": "b: path is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, branch: -u}}": "b: branch is not usable",
    f"b: {{git: 'https://x/y', rev: {REV}, sha256: {SHA}}}": "b: unknown key sha256",
    f"b: {{url: 'file:///etc/passwd', sha256: {SHA}}}": "b: url is not usable; expected an https:// or http:// URL",
    f"b: {{<<: {{pypi: b==1}}, sha256: {SHA}}}": "got none of them",
    "? [a]\n: b": "line 1: expected keys and values",
}


EVIL_URLS = (
    "ext::sh -c touch% /tmp/x",
    "ext::sh",
    "fd::17",
    "-u",
    "--upload-pack=x",
    "-oProxyCommand=x:y",
    "git@-oProxy:x",
    "ssh://-oProxyCommand=x/y",
    "ssh://-o@host/y",
    "http://x/y",
    "git://x/y",
    "ftp://x/y",
    "/tmp/x",
    "../x",
    "x",
    "file://host/x",
    "https://x",
    "https://a b/c",
    "https:///x",
    "host:-x",
    "host://x",
    "transport::file:///x",
    "https://x/y\\nz",
)


@pytest.mark.parametrize("text", [*NONSENSE, *(f'b: {{git: "{url}", rev: {REV}}}' for url in EVIL_URLS)])
def test_nonsense_in_vendor_yaml_gets_one_sentence(vendor: Path, text: str) -> None:
    (vendor / "vendor.yaml").write_text(text)
    said = fails(2, vendor)
    assert NONSENSE.get(text, "b: git is not usable; expected an https://") in said
    assert said.startswith(f"{vendor}/vendor.yaml")
    assert "\n" not in said


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b.git",
        "https://user:token@github.com:8443/a/b",
        "ssh://git@host:22/a",
        "file:///a/b",
        "git@gitee.com:colorai/sig_cauchy_external.git",
        "host:path",
        "git@host:/abs/path",
        "https://[::1]/x",
    ],
)
def test_usual_urls_are_taken(vendor: Path, url: str) -> None:
    pins(vendor, f"b: {{git: '{url}', rev: {REV}}}")
    assert list(read_pins(vendor / "vendor.yaml")) == ["b"]


def test_values_that_yaml_takes_for_numbers_are_text(vendor: Path) -> None:
    pins(vendor, f"b: {{pypi: b==1, sha256: {'1' * 64}}}\nc: {{git: 'h:p', rev: {'1' * 20}e{'2' * 19}}}")
    assert describe(read_pins(vendor / "vendor.yaml"))["c"] == f"git h:p {'1' * 20}e{'2' * 19}"


@pytest.mark.parametrize("text", ["", "# nothing but a remark\n", "---\n", "~"])
def test_an_empty_file_is_nothing_to_do(vendor: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (vendor / "vendor.yaml").write_text(text)
    if text == "~":
        fails(2, vendor)
    else:
        bring(vendor)
        assert capsys.readouterr().out == "vendor/ is up to date (0 libraries).\n"


@given(st.text() | st.text(alphabet="ab:{}[]\"'&*!|>-#\n ,=0.<", max_size=40))
def test_any_text_is_pins_or_one_sentence(text: str) -> None:
    with TemporaryDirectory() as place:
        file = Path(place) / "vendor.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            read_pins(file)
        except Exit as error:
            assert error.code == 2
            assert "\n" not in str(error.message)


def test_no_file_and_no_text(vendor: Path) -> None:
    assert "There is no" in fails(2, vendor)
    (vendor / "vendor.yaml").write_bytes(b"\xff\xfe\x00")
    assert "no UTF-8" in fails(2, vendor)


def test_a_description_holds_no_password(vendor: Path) -> None:
    pins(
        vendor,
        f"""
        a: {{git: "https://user:token@host/a.git", rev: {REV}, path: sub/}}
        b: {{git: "ssh://git:pw@host:22/b", rev: {REV}}}
        c: {{url: "https://token@host/c.zip?sig=token", sha256: {SHA}}}
        d: {{git: "git@host:d", rev: {REV}, install: false}}
        """,
    )
    assert describe(read_pins(vendor / "vendor.yaml")) == {
        "a": f"git https://host/a.git {REV} sub",
        "b": f"git ssh://host:22/b {REV}",
        "c": f"url https://host/c.zip sha256:{SHA}",
        "d": f"git git@host:d {REV} (not installed)",
    }


def test_the_projects_own_file_pins_what_the_framework_uses() -> None:
    own = describe(read_pins(ROOT / "vendor/vendor.yaml"))
    assert own["bottle"].startswith("pypi bottle==0.13.4 sha256:")
