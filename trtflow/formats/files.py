"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtflow.formats.damage import read_text, refuse_damage
from trtflow.formats.errors import FormatError

# .<name>.<machine><process>.tmp, of five and seven digits
TEMPORARY = re.compile(r"\..+\.([0-9]{5})([0-9]{7})\.tmp", re.DOTALL)

HOST = 10_000 + int.from_bytes(hashlib.sha256(platform.node().encode()).digest()[:4], "big") % 90_000  # this machine
ABANDONED_S = 86_400.0  # age of a temporary file that nobody writes any more, wherever its process was
_swept: set[Path] = set()  # folders that this process has looked through


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside `path`; move it into place on success, remove it on failure.

    What processes that are dead have left in the folder is removed.

    Args:
        path: the file, or folder, to write.
        durable: whether the content is on the disk before the name is. One of many files that a manifest with
            checksums is written for afterwards need not be.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(target.parent)
    temporary = temporary_beside(target)
    try:
        yield temporary
        if durable:
            replace_durably(temporary, target)
        else:
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(target: Path) -> Path:
    """Return the temporary name of what this process writes to `target`.

    Raises:
        FormatError: it has no name, as `.` and `/` have none.
    """
    if not target.name:
        raise FormatError(target, "a folder, not the name of a file to write", "Give the file's name too.")
    return target.with_name(f".{target.name}.{HOST}{os.getpid():07d}.tmp")


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files and folders of processes that are dead, once a process; those of others stay.

    Of a process on another machine, which shares the folder, only its age can be known.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    for entry in os.scandir(folder):
        match = TEMPORARY.fullmatch(entry.name)
        if match is None or not _is_abandoned(int(match[1]), int(match[2]), entry):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink(missing_ok=True)


def _is_abandoned(host: int, process: int, entry: os.DirEntry[str]) -> bool:
    if host == HOST and not _is_alive(process):
        return True
    with contextlib.suppress(FileNotFoundError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_S
    return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def replace_durably(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Move a file or folder in place of another, so that after a loss of power there is either, and whole."""
    _sync(source)
    os.replace(source, target)
    _sync(Path(target).parent)


def _sync(path: str | os.PathLike[str]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
            raise
    finally:
        os.close(descriptor)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path` atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], data: Any) -> None:
    """Write `data` as indented JSON with a final newline; NaN and infinity are refused."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str], remedy: str = "Make it again with snakemake.") -> Any:
    """Return the content of a JSON file.

    Args:
        path: the file.
        remedy: what the user can do about a damaged one.

    Raises:
        FormatError: it is none, is nested too deeply to be read, or has a number that is not finite.
    """
    text = read_text(path, remedy)
    with refuse_damage(path, "not JSON", remedy):
        return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    """Return a number of JSON; Python reads NaN, Infinity and 1e999 too, which `write_json` refuses."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def copy_file(source: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Copy the content of `source` to `path` atomically; folders on the way are made.

    Raises:
        FileNotFoundError: there is no `source`.
    """
    with atomic_path(path) as temporary:
        shutil.copyfile(source, temporary)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces."""
    return _digest(hashlib.sha256(), path)


def md5_of(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal MD5 of a file, for files of which nothing better was published."""
    return _digest(hashlib.md5(usedforsecurity=False), path)


def _digest(digest: Any, path: str | os.PathLike[str]) -> str:
    with open(path, "rb") as file:  # hashlib.file_digest is not in Python 3.10, the engine environment
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return str(digest.hexdigest())
