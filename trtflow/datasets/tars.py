"""Tar archives from strangers: what their headers claim is read in small pieces, and only as far as it is there."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage

PIECE = 1 << 16  # bytes read at once; a longer header, of a name or of attributes, is not in any archive of data
DAMAGED = "no tar archive, or a damaged one"
MOST = 1 << 26  # bytes of a file that is read whole
OPENERS: dict[bytes, Callable[[Path], Any]] = {  # by how the file begins
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
    b"\x5d\0\0": lzma.open,
}


class _Pieces:
    """A file that gives no more than `PIECE` at once: tarfile reads a header in one go, as long as it says to be."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= PIECE:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


class Tar:
    """An open archive; `open_tar` makes it.

    Args:
        path: of it, for errors.
        archive: tarfile's.
        fault: what a damaged one is not.
        remedy: what the user can do about it.
    """

    def __init__(self, path: Path, archive: tarfile.TarFile, fault: str, remedy: str) -> None:
        self.path, self._archive, self._fault, self._remedy = path, archive, fault, remedy

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Yield what is in it, in its order.

        Raises:
            FormatError: it is damaged.
        """
        while True:
            with refuse_damage(self.path, self._fault, self._remedy):
                member = self._archive.next()
            if member is None:
                return
            yield member

    def pieces(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Yield the content of a file, piece by piece.

        Raises:
            FormatError: it is cut off.
        """
        with refuse_damage(self.path, self._fault, self._remedy):
            content = self._archive.extractfile(member)
        while content is not None:
            with refuse_damage(self.path, self._fault, self._remedy):
                piece = content.read(PIECE)
            if not piece:
                return
            yield piece

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None where there is none of that name.

        Raises:
            FormatError: it is cut off, no file, or larger than `MOST`.
        """
        with refuse_damage(self.path, self._fault, self._remedy):
            try:
                member = self._archive.getmember(name)
            except KeyError:
                return None
        if not member.isfile() or not 0 <= member.size <= MOST:
            raise FormatError(self.path, f"{name!r} is no file of at most {MOST} bytes", self._remedy)
        return b"".join(self.pieces(member))


@contextmanager
def open_tar(path: Path, remedy: str, *, fault: str = DAMAGED, packed: bool = True) -> Iterator[Tar]:
    """Open a tar archive.

    Args:
        path: the file.
        remedy: what the user can do about a damaged one.
        fault: what that is not.
        packed: whether it may be packed by gzip, bzip2 or xz: files of such a one are only read fast in their order.

    Raises:
        FormatError: it is none.
    """
    with path.open("rb") as file:
        start = file.read(8)
    opener = next((opener for magic, opener in OPENERS.items() if packed and start.startswith(magic)), io.FileIO)
    with closing(opener(path)) as file:
        with refuse_damage(path, fault, remedy):
            archive = tarfile.TarFile(fileobj=_Pieces(file))  # type: ignore[arg-type]
        with archive:
            yield Tar(path, archive, fault, remedy)
