"""Archives from strangers: what is in them stays in their folder and within its limits."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest

from trtflow.datasets.archives import find_member, unpack
from trtflow.formats import FormatError


def write_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def write_tar(path, entries, kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, "w:bz2") as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


WRITERS = pytest.mark.parametrize("write", [write_zip, write_tar])


@WRITERS
def test_files_come_out_as_they_went_in(tmp_path, write):
    archive = write(tmp_path / "archive", [("deen/vocab.de", b"ein"), ("deen/weights/a.bin", b"two")])
    unpack(archive, tmp_path / "out", 6, 2)
    assert (tmp_path / "out/deen/weights/a.bin").read_bytes() == b"two"
    assert find_member(tmp_path / "out", "vocab.de").read_bytes() == b"ein"
    assert find_member(tmp_path / "out", "weights/a.bin").read_bytes() == b"two"


@WRITERS
@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "C:/x", "a\\..\\x"])
def test_no_path_leaves_the_folder(tmp_path, write, name):
    archive = write(tmp_path / "archive", [("good", b""), (name, b"x")])
    with pytest.raises(FormatError, match="would leave the folder"):
        unpack(archive, tmp_path / "out", 100, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    archive = write_tar(tmp_path / "archive", [("link", b"")], kind, "../outside")
    with pytest.raises(FormatError, match="'link' is a link or device"):
        unpack(archive, tmp_path / "out", 100, 10)


def test_links_in_a_zip_are_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = write_zip(tmp_path / "archive", [(entry, "../outside")])
    with pytest.raises(FormatError, match="'link' is a link"):
        unpack(archive, tmp_path / "out", 100, 10)


@WRITERS
def test_bombs(tmp_path, write):
    archive = write(tmp_path / "archive", [("a", bytes(3_000_000)), ("b", bytes(3_000_000))])
    with pytest.raises(FormatError, match="more than 5000000 bytes"):
        unpack(archive, tmp_path / "out", 5_000_000, 10)
    with pytest.raises(FormatError, match="more than 1 files"):
        unpack(archive, tmp_path / "out", 10_000_000, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@WRITERS
def test_a_path_that_comes_twice(tmp_path, write):
    archive = write(tmp_path / "archive", [("a", b"1"), ("a", b"2")])
    with pytest.raises(FormatError, match="'a' is in it twice"):
        unpack(archive, tmp_path / "out", 100, 10)


@WRITERS
def test_a_damaged_archive(tmp_path, write):
    archive = write(tmp_path / "archive", [("a", bytes(range(256)) * 400)])
    data = bytearray(archive.read_bytes())
    data[60:90] = bytes(30)
    archive.write_bytes(data)
    with pytest.raises(FormatError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "out", 1_000_000, 10)


def test_no_archive_at_all(tmp_path):
    (tmp_path / "archive").write_bytes(b"<html>")
    with pytest.raises(FormatError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "out", 100, 10)


@pytest.mark.parametrize(("name", "count"), [("vocab", 0), ("a.bin", 2)])
def test_a_member_that_cannot_be_told(tmp_path, name, count):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.bin").touch()
    with pytest.raises(FormatError, match=f"{count} files in it are called '{name}', not one"):
        find_member(tmp_path, name)
