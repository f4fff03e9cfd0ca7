"""What a damaged file makes libraries raise, in one list, and texts that may be none.

Zip, tar, gzip, NumPy, JSON, Pillow and PyTorch raise a dozen errors of Python's own at a file that is cut off, changed
or made up, and others from version to version. Whoever calls such a library does it within `refuse_damage`, and nothing
else within it: our own mistakes raise the same errors.
"""

from __future__ import annotations

import errno
import os
import pickle
import re
import struct
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from os import PathLike
from pathlib import Path, PurePosixPath

from trtflow.formats.errors import FormatError

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it reads no such file either
    LZMAError = EOFError  # type: ignore[assignment,misc]

# found by tests/fuzz; RuntimeError is an encrypted member, NotImplementedError and RecursionError are kinds of it
DAMAGE: tuple[type[Exception], ...] = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError, RuntimeError, MemoryError),
    *(AssertionError, SyntaxError, struct.error, tokenize.TokenError, pickle.UnpicklingError),
    *(zlib.error, LZMAError, zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError),
)
# of the system's errors those that come from what a file says; all others, as a full disk, are not the file's fault
OF_CONTENT = (
    *(None, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EEXIST, errno.EILSEQ),
    *(errno.ELOOP, errno.EOVERFLOW),
)
LONGEST = 200  # characters of a library's error that are told
UNFOLDED_AT_LEAST, UNFOLDED_RATIO = 32 << 20, 8  # bytes that any packed file may have unpacked, and times its own
NAME_BYTES, PATH_BYTES = 255, 1024  # of a file and of its path, that any system takes
MOST_AXES = 32  # of an array, in any version of NumPy
DIGITS = 18  # of a whole number in a text: what int64 holds


@contextmanager
def refuse_damage(
    path: str | PathLike[str], fault: str, remedy: str = "", also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what a damaged file makes a library raise into a FormatError.

    Args:
        path: the file.
        fault: what it is not, such as "not a readable picture".
        remedy: what the user can do.
        also: errors of the library's own.

    Raises:
        FormatError: as `fault` says, with the library's error. Errors of the system pass, as that there is no file.
    """
    try:
        yield
    except (*DAMAGE, *also) as error:
        raise FormatError(path, f"{fault} ({reason(error)})", remedy) from error
    except OSError as error:
        if error.errno not in OF_CONTENT:
            raise
        raise FormatError(path, f"{fault} ({reason(error)})", remedy) from error


def reason(error: BaseException) -> str:
    """Return in one line what an error says, or its name where it says nothing."""
    text = " ".join((str(error).strip() or type(error).__name__).split("\n", 1)[0].split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def read_text(path: str | PathLike[str], remedy: str = "Save it as UTF-8.") -> str:
    """Return the text of a file in UTF-8; a mark of its encoding at the front is left out.

    Raises:
        FormatError: it is none, or a folder.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not a text in UTF-8 ({error.reason} at byte {error.start})", remedy) from error
    except IsADirectoryError as error:
        raise FormatError(path, "a folder, not a file", remedy) from error


def read_lines(path: str | PathLike[str], remedy: str = "Save it as UTF-8.") -> list[str]:
    """Return the lines of a text, as `wc -l` and editors count them: not all that `str.splitlines` takes for an end.

    Raises:
        FormatError: as of `read_text`.
    """
    lines = read_text(path, remedy).split("\n")
    return lines[:-1] if not lines[-1] else lines


def is_name_within(name: str) -> bool:
    """Whether a name that a file gives is one of a file below some folder, on any system."""
    path = PurePosixPath(name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # half of a character, as JSON may hold one
        return False
    return not (
        path.is_absolute()
        or ".." in path.parts
        or re.search(r"[\\\0]|^[A-Za-z]:", name)
        or any(len(os.fsencode(part)) > NAME_BYTES for part in path.parts)
        or len(name) > PATH_BYTES
    )


def whole_number(text: str | bytes) -> int:
    """Return a number of ASCII digits alone, at most `DIGITS`: what `int` takes beyond them is no number in a file.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise ValueError(f"{text[:20]!r} is no whole number of at most {DIGITS} digits")
    return int(text)


def is_shape_of(shape: Sequence[int], count: int) -> bool:
    """Return whether an array of so many values can have a shape: NumPy refuses huge axes beside an empty one."""
    if len(shape) > MOST_AXES or min(shape, default=0) < 0 or prod(shape) != count:
        return False
    return prod(size for size in shape if size) < 1 << 60


def check_unfolded(path: str | PathLike[str], size: int) -> None:
    """Refuse a packed file whose content is far larger than such files ever are, before memory is taken for it.

    Args:
        path: the file.
        size: bytes that it says to have unpacked.

    Raises:
        FormatError: they are more than `UNFOLDED_AT_LEAST`, and more than `UNFOLDED_RATIO` times the file's own.
    """
    packed = Path(path).stat().st_size
    if size > max(UNFOLDED_AT_LEAST, UNFOLDED_RATIO * packed):
        fault = f"its {packed} bytes would unfold to {size}"
        raise FormatError(path, fault, "Do not trust it; make it again, or take it from where it was published.")
