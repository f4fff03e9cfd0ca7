"""Archives (zip, tar, tar.gz, tar.bz2, tar.xz), unpacked so that nothing in them leaves its folder or fills a disk."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trtflow.datasets.tars import open_tar
from trtflow.formats import FormatError
from trtflow.formats.damage import is_name_within, refuse_damage
from trtflow.formats.files import remove_abandoned, replace_durably, temporary_beside

PIECE = 1 << 20
AGAIN, UNREADABLE = "Fetch it again.", "cannot be unpacked"


class _Entry(NamedTuple):
    name: str
    kind: str  # "file", "folder", or what else it is
    content: Iterator[bytes] | None  # piece by piece


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str], max_bytes: int, max_files: int) -> None:
    """Unpack an archive into `folder`, which appears whole or not at all.

    Args:
        max_bytes: most bytes that its files may have together, unpacked.
        max_files: most files and folders.

    Raises:
        FormatError: no archive, or a damaged one; a path that is absolute or has `..`; a link or a device; the same
            path twice; more bytes or files than there may be.
    """
    source, target = Path(archive), Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target.parent)
    temporary = temporary_beside(target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        _unpack_into(source, temporary, max_bytes, max_files)
        shutil.rmtree(target, ignore_errors=True)
        replace_durably(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_into(source: Path, folder: Path, max_bytes: int, max_files: int) -> None:
    left = max_bytes
    for count, entry in enumerate(_entries(source), start=1):
        if count > max_files:
            raise FormatError(source, f"more than {max_files} files", "Raise unpacked.files if that is right.")
        name = _inside(source, entry)
        with refuse_damage(source, f"{entry.name!r} cannot be unpacked", AGAIN):  # as where a file is a folder too
            if entry.kind == "folder":
                (folder / name).mkdir(parents=True, exist_ok=True)
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                left -= _write(source, entry, folder / name, left, max_bytes)


def _entries(source: Path) -> Iterator[_Entry]:
    """Yield what is in an archive, in its order, with the content of files."""
    with refuse_damage(source, UNREADABLE, AGAIN):
        zipped = zipfile.is_zipfile(source)
    if zipped:
        yield from _zipped(source)
        return
    with open_tar(source, AGAIN, fault=UNREADABLE) as archive:
        for member in archive.members():
            kind = "folder" if member.isdir() else "file" if member.isreg() else "link or device"
            yield _Entry(member.name, kind, archive.pieces(member) if kind == "file" else None)


def _zipped(source: Path) -> Iterator[_Entry]:
    with refuse_damage(source, UNREADABLE, AGAIN):
        archive = zipfile.ZipFile(source)
    with archive:
        for item in archive.infolist():
            mode = item.external_attr >> 16
            kind = "folder" if item.filename.endswith("/") else "link" if stat.S_ISLNK(mode) else "file"
            yield _Entry(item.filename, kind, _pieces(source, archive, item) if kind == "file" else None)


def _pieces(source: Path, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a file in a zip archive, piece by piece."""
    with refuse_damage(source, UNREADABLE, AGAIN):
        content = archive.open(item)
    with content:
        while True:
            with refuse_damage(source, UNREADABLE, AGAIN):
                piece = content.read(PIECE)
            if not piece:
                return
            yield piece


def _inside(source: Path, entry: _Entry) -> PurePosixPath:
    """Return the path of an entry, which must lie in the folder whatever the operating system."""
    if entry.kind not in ("file", "folder"):
        raise FormatError(source, f"{entry.name!r} is a {entry.kind}", "Only files and folders are unpacked.")
    if not is_name_within(entry.name):
        raise FormatError(source, f"{entry.name!r} would leave the folder", "Do not trust this archive.")
    return PurePosixPath(entry.name)


def _write(source: Path, entry: _Entry, path: Path, left: int, most: int) -> int:
    """Write a file of at most `left` bytes, counted as they come: headers may lie; return how many it has."""
    assert entry.content is not None
    written = 0
    try:
        file = path.open("xb")
    except FileExistsError:
        raise FormatError(source, f"{entry.name!r} is in it twice", "Do not trust this archive.") from None
    with file:
        for piece in entry.content:
            written += len(piece)
            if written > left:
                raise FormatError(source, f"more than {most} bytes unpacked", "Raise unpacked.bytes if it is right.")
            file.write(piece)
    return written


def find_member(folder: str | os.PathLike[str], name: str) -> Path:
    """Return the one file of an unpacked archive whose path ends in `name`.

    Raises:
        FormatError: there is none, or there are several.
    """
    parts = PurePosixPath(name).parts
    found = [path for path in sorted(Path(folder).rglob("*")) if path.parts[-len(parts) :] == parts]
    if len(found) != 1:
        fault = f"{len(found)} files in it are called {name!r}, not one"
        raise FormatError(folder, fault, "Correct member in the sample's artefacts.")
    return found[0]
