"""Archives from elsewhere, unpacked without ever leaving their folder."""

import os
import stat
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendoring.upstreams import Server, bring, fails, member, pins, serve, tarred, tree, visible, zipped

from tasks.vendoring import archives
from tasks.vendoring.job import Refused


@pytest.mark.parametrize("form", ["zip", "", "gz", "bz2", "xz"])
def test_archives_are_unpacked_whatever_their_form(server: Server, vendor: Path, form: str) -> None:
    files = {"apex/a.txt": b"a", "apex/sub/b.txt": b"b"}
    data = (
        zipped(files) if form == "zip" else tarred(*((member(name), text) for name, text in files.items()), form=form)
    )
    pins(vendor, f"apex: {serve(server, 'whatever', data)}")
    bring(vendor)
    assert tree(vendor / "apex") == {"a.txt": "a", "sub/b.txt": "b"}, "one top folder is left out"


def test_an_archive_with_several_top_entries_stays_as_it_is(server: Server, vendor: Path) -> None:
    pins(vendor, f"apex: {serve(server, 'x.zip', zipped({'a/x': b'1', 'README': b'2'}))}")
    bring(vendor)
    assert tree(vendor / "apex") == {"a/x": "1", "README": "2"}


def test_links_and_modes_inside_an_archive_are_kept(server: Server, vendor: Path) -> None:
    data = tarred(
        (member("./top/bin/run", mode=0o4777), b"#!"),
        (member("./top/run", tarfile.SYMTYPE, "bin/../bin/run"), b""),
        (member("./top/twin", tarfile.LNKTYPE, "./top/bin/run"), b""),
        (member("./top/nothing", tarfile.SYMTYPE, "not/there"), b""),
    )
    pins(vendor, f"apex: {serve(server, 'x.tar.gz', data)}")
    bring(vendor)
    home = vendor / "apex"
    assert tree(home) == {"bin/run": "#!", "run": "→ bin/../bin/run", "twin": "#!", "nothing": "→ not/there"}
    assert stat.S_IMODE((home / "bin/run").stat().st_mode) == 0o755, "executable, and no setuid"


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


OUTSIDE: dict[str, tuple[bytes, str]] = {
    "tar up": (tarred((member("a/../../x"), b"")), "a/../../x, which would land outside"),
    "tar absolute": (tarred((member("/tmp/x"), b"")), "/tmp/x, which would land outside"),
    "zip up": (zipped({"../x": b""}), "../x, which would land outside"),
    "zip absolute": (zipped({"/tmp/x": b""}), "/tmp/x, which would land outside"),
    "zip backslash": (zipped({"a\\..\\..\\x": b""}), "neither file, folder nor link"),
    "link out": (tarred((member("a"), b""), (member("l", SYM, "../x"), b"")), "the link l → ../x points out"),
    "link absolute": (tarred((member("a"), b""), (member("l", SYM, "/etc"), b"")), "the link l → /etc points out"),
    "link out by a link": (
        tarred((member("d/e/a"), b""), (member("up", SYM, "d/e/l"), b""), (member("d/e/l", SYM, "../../../x"), b"")),
        "points out",
    ),
    "link out and in again": (tarred((member("a"), b""), (member("l", SYM, "../apex/a"), b"")), "points out"),
    "link out of the stripped top": (tarred((member("t/a"), b""), (member("t/l", SYM, "../t/a"), b"")), "points out"),
    "circle": (tarred((member("a", SYM, "b"), b""), (member("b", SYM, "a"), b"")), "points out"),
    "through a link": (tarred((member("l", SYM, "/tmp"), b""), (member("l/x"), b"evil")), "l twice"),
    "link through a link": (tarred((member("l", SYM, "/tmp"), b""), (member("l/x", SYM, "y"), b"")), "l twice"),
    "file over link": (tarred((member("a", SYM, "b"), b""), (member("a"), b""), (member("c"), b"")), "a twice"),
    "hard link out": (tarred((member("a"), b""), (member("l", HARD, "../../x"), b"")), "which would land outside"),
    "hard link absolute": (tarred((member("a"), b""), (member("l", HARD, "/etc/passwd"), b"")), "would land outside"),
    "hard link to nothing": (
        tarred((member("a"), b""), (member("l", HARD, "etc/passwd"), b"")),
        "hard link to nothing",
    ),
    "device": (tarred((member("null", tarfile.CHRTYPE), b"")), "null, which is neither"),
    "pipe": (tarred((member("pipe", tarfile.FIFOTYPE), b"")), "pipe, which is neither"),
    "manifest": (zipped({"t/.pin.json": b"{}", "t/a": b""}), "a file of its own named .pin.json"),
    "terminal": (zipped({"../\x1b[31mred": b""}), "../?[31mred, which"),
    "empty": (tarred(), "archive is empty"),
    "no archive": (b"<html>", "neither a zip nor a tar"),
    "half": (zipped({"a": os.urandom(500)})[100:], "damaged"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_an_archive_that_would_leave_its_folder_leaves_nothing(server: Server, vendor: Path, case: str) -> None:
    data, expected = OUTSIDE[case]
    before = {path for path in Path("/tmp").iterdir() if path.name in ("x", "a")}
    pins(vendor, f"apex: {serve(server, 'x', data)}")
    assert expected in fails(1, vendor)
    assert visible(vendor) == ["vendor.yaml"]
    assert sorted(path.name for path in vendor.parent.iterdir()) == ["vendor"]
    assert before == {path for path in Path("/tmp").iterdir() if path.name in ("x", "a")}


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"])


TARGETS = st.lists(st.sampled_from(["..", ".", "a", "b", "d", "e", "", "x"]), min_size=1, max_size=5).map("/".join)


@given(st.dictionaries(NAMES, TARGETS.filter(bool), min_size=1))
def test_links_that_are_accepted_stay_inside_on_a_real_disk(links: dict[str, str]) -> None:
    with TemporaryDirectory() as place:
        top = Path(place).resolve() / "top"
        (top / "d/e").mkdir(parents=True)
        for name, target in links.items():
            (top / name).symlink_to(target)
        try:
            archives.normalize(top)
        except Refused:
            return
        for name in links:
            assert (top / name).resolve().is_relative_to(top)


def test_a_zip_with_links(tmp_path: Path) -> None:
    def link(target: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as package:
            package.writestr("a", "a")
            entry = zipfile.ZipInfo("l")
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            package.writestr(entry, target)
        return tmp_path / "x.zip"

    archives.unpack(link(b"a"), tmp_path / "good")
    assert tree(tmp_path / "good") == {"a": "a", "l": "→ a"}
    with pytest.raises(Refused, match="points out"):
        archives.unpack(link(b"../x"), tmp_path / "bad")
