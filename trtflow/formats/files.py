"""Files that appear whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trtflow.formats.damage import read_text, refuse_damage


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name beside `path`; move it into place on success, remove it on failure."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


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


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the content of a JSON file.

    Raises:
        FormatError: it is none, is nested too deeply to be read, or has a number that is not finite.
    """
    again = "Make it again with snakemake."
    text = read_text(path, again)
    with refuse_damage(path, "not JSON", again):
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
