"""Archives from elsewhere, unpacked without ever leaving their folder."""

import gc
import gzip
import io
import os
import shutil
import stat
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
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


def sealed(header: bytearray) -> bytes:
    """A tar's header with the checksum that it should have."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


THREE = tarred((member("l/a"), b"1"), (member("l/b"), b"2"), (member("l/c"), b"3"), form="")  # 1 kB each
LABEL_BELOW_ZERO = bytearray(member("l", b"V").tobuf())
LABEL_BELOW_ZERO[124:136] = (-512).to_bytes(12, "big", signed=True)
LOCKED = zipped({"l/a": b"1"}).replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")


OUTSIDE: dict[str, tuple[bytes, str]] = {
    "tar up": (tarred((member("a/../../x"), b"")), "a/../../x, which would land outside"),
    "tar absolute": (tarred((member("/tmp/x"), b"")), "/tmp/x, which would land outside"),
    "zip up": (zipped({"../x": b""}), "../x, which would land outside"),
    "zip absolute": (zipped({"/tmp/x": b""}), "/tmp/x, which would land outside"),
    "zip backslash": (zipped({"a\\..\\..\\x": b""}), "with a backslash in its name"),
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
    "damaged header": (THREE[:1030] + b"x" + THREE[1031:], "damaged or of an unknown form (bad checksum)"),
    "part of a header": (THREE[:1200], "damaged or of an unknown form (truncated header)"),
    "a hole instead of a header": (THREE[:1024] + bytes(512) + THREE[1536:], "damaged or of an unknown form (a hole"),
    "a size below zero": (sealed(LABEL_BELOW_ZERO) + bytes(1024), "neither a zip nor a tar"),
    "a size below zero later": (THREE[:1024] + sealed(LABEL_BELOW_ZERO) + bytes(1024), "damaged"),
    "encrypted": (LOCKED, "l/a, which is encrypted"),
    "link nowhere": (tarred((member("l/a"), b""), (member("l/s", SYM, ""), b"")), "l/s, a link that points nowhere"),
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


def test_what_other_tools_write(tmp_path: Path) -> None:
    """Hard links to symbolic ones, a volume's label, and a tar that begins with the letters of another form."""
    home = tmp_path / "BZ/d"
    home.mkdir(parents=True)
    (home / "a").write_text("a")
    (home / "s").symlink_to("a")
    os.link(home / "s", home / "t", follow_symlinks=False)
    subprocess.run(["tar", "--label=BZ", "--format=gnu", "-cf", "x.tar", "BZ/d"], cwd=tmp_path, check=True)
    archives.unpack(tmp_path / "x.tar", tmp_path / "new")
    assert tree(tmp_path / "new") == {"d/a": "a", "d/s": "→ a", "d/t": "→ a"}
    twice = tarred((member("s", SYM, "a"), b""), (member("t", HARD, "s"), b""), (member("t", HARD, "s"), b""))
    (tmp_path / "x.tar").write_bytes(twice)
    with pytest.raises(Refused, match="holds t twice"):
        archives.unpack(tmp_path / "x.tar", tmp_path / "other")


@pytest.mark.parametrize(("system", "attributes"), [(3, 0o40755 << 16), (0, 0x10)])
def test_a_folder_in_a_zip_without_a_slash_behind_its_name(tmp_path: Path, system: int, attributes: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as package:
        folder = entry("l/d", system)
        folder.external_attr = attributes
        package.writestr(folder, "")
        package.writestr("l/d/a", "a")
    archives.unpack(tmp_path / "x.zip", tmp_path / "new")
    assert tree(tmp_path / "new") == {"d/a": "a"}


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


APPLE = b"\0\5\26\7\0\2\0\0Mac OS X"


def test_what_file_managers_add_is_left_out(server: Server, vendor: Path) -> None:
    """Also where it would hide that all lies in one folder; a person's own file with such a name stays."""
    extra = {"__MACOSX/apex/._a": APPLE, "apex/.DS_Store": b"x", "apex/d/thumbs.DB": b"x", "._apex": APPLE}
    extra |= {"Desktop.ini": b"x", "apex/Icon\r": b""}
    mac = {"apex/._a": APPLE, **extra, "apex/a": b"a", "apex/d/b": b"b", "apex/._mine": b"mine"}
    expected = {"a": "a", "d/b": "b", "._mine": "mine"}
    tar = tarred(*((member(name), text) for name, text in mac.items()))
    pins(vendor, f"zip: {serve(server, 'x.zip', zipped(mac))}\ntar: {serve(server, 'x.tgz', tar)}")
    bring(vendor)
    assert tree(vendor / "zip") == tree(vendor / "tar") == expected


def entry(name: str, system: int = 0, extra: bytes = b"") -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.extra = system, extra
    return made


def zip_of(path: Path, *entries: zipfile.ZipInfo, exchange: tuple[bytes, bytes] = (b"", b"")) -> Path:
    """A zip whose bytes are changed afterwards, to what Python itself does not write."""
    with zipfile.ZipFile(path, "w") as package:
        for made in entries:
            package.writestr(made, "x")
    path.write_bytes(path.read_bytes().replace(*exchange) if exchange[0] else path.read_bytes())
    return path


def test_names_from_windows(tmp_path: Path) -> None:
    made = zip_of(tmp_path / "x.zip", entry("apex\\d\\a"), entry("apex\\b"))
    archives.unpack(made, tmp_path / "good")
    assert tree(tmp_path / "good") == {"d/a": "x", "b": "x"}
    for name in ("a\\..\\..\\x", "..\\x", "\\tmp\\x"):
        with pytest.raises(Refused, match="would land outside its folder"):
            archives.unpack(zip_of(tmp_path / "x.zip", entry(name)), tmp_path / "bad")
        (tmp_path / "bad.whole").rmdir()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("grün".encode(), "grün"),  # UTF-8, and no flag that says so: macOS, Info-ZIP
        ("测试".encode("gbk"), ""),
        ("grün".encode("latin-1"), ""),
        ("grün".encode("cp437"), ""),
    ],
)
def test_names_without_the_flag_for_utf_8_are_right_or_refused(tmp_path: Path, raw: bytes, expected: str) -> None:
    made = zip_of(tmp_path / "x.zip", entry("@" * len(raw)), exchange=(b"@" * len(raw), raw))
    if expected:
        archives.unpack(made, tmp_path / "new")
        assert tree(tmp_path / "new") == {expected: "x"}
    else:
        with pytest.raises(Refused, match="whose name is not in UTF-8"):
            archives.unpack(made, tmp_path / "new")
    name = "测试".encode()
    field = struct.pack("<HHBL", 0x7075, 5 + len(name), 1, zlib.crc32(raw)) + name
    made = zip_of(tmp_path / "x.zip", entry("@" * len(raw), extra=field), exchange=(b"@" * len(raw), raw))
    archives.unpack(made, tmp_path / "by the field")
    assert tree(tmp_path / "by the field") == {"测试": "x"}


def test_a_tar_with_a_name_that_is_no_utf_8(server: Server, vendor: Path) -> None:
    data = tarred((member("apex/grün"), b"x"))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as package:
        package.addfile(member("apex/gr\xfcn"))
    pins(vendor, f"good: {serve(server, 'x.tgz', data)}\nbad: {serve(server, 'x.tar', made.getvalue())}")
    assert "the archive holds apex/gr\\udcfcn, whose name is not in UTF-8" in fails(1, vendor)
    assert visible(vendor) == ["good", "vendor.yaml"]


def test_a_bomb_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real small disk, and the limit that does not depend on the disk."""
    bomb = tarred((member("a"), bytes(30_000_000)), (member("b"), bytes(1000)))
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], check=True)
    try:
        (disk / "x").write_bytes(bomb)
        with pytest.raises(Refused, match="the disk has no room for it"):
            archives.unpack(disk / "x", disk / "new")
        assert shutil.disk_usage(disk).free >= 1_000_000
    finally:
        subprocess.run(["umount", disk], check=True)
    monkeypatch.setattr(archives, "SMALL", 1_000_000)
    for number, data in enumerate((bomb, zipped({"a": bytes(30_000_000)}))):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(Refused, match=r"it has [\d.]+ kB and unpacks to more than [23]\.\d+ MB"):
            archives.unpack(tmp_path / "x", tmp_path / str(number))
    monkeypatch.setattr(archives, "MEMBERS", 3)
    (tmp_path / "x").write_bytes(zipped(dict.fromkeys("abcd", b"")))
    with pytest.raises(Refused, match="holds more than 3 files"):
        archives.unpack(tmp_path / "x", tmp_path / "new")


def test_a_header_of_any_size_is_not_read_into_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 200_000_000
    with gzip.open(tmp_path / "x", "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(100):
            file.write(bytes(1_000_000))
    with pytest.raises(Refused, match="has a header of more than"):
        archives.unpack(tmp_path / "x", tmp_path / "new")


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    def peak(folders: int, turn: int) -> int:
        (tmp_path / "x").write_bytes(tarred(*((member(f"{i % folders}/{i}"), b"") for i in range(folders * 25))))
        gc.collect()
        tracemalloc.start()
        archives.unpack(tmp_path / "x", tmp_path / f"{folders} {turn}")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # The least of three: the garbage of the tests before is none of the archive's.
    peaks = [min(peak(folders, turn) for turn in range(3)) for folders in (2, 20)]
    assert peaks[1] < peaks[0] + 100_000, "500 remembered members would be 500,000 bytes"
