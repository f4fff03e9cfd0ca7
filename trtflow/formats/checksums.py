"""Checksums that travel with files: SHA256SUMS, as sha256sum writes and checks it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from trtflow.formats.damage import is_name_within, read_lines
from trtflow.formats.errors import FormatError
from trtflow.formats.files import sha256_of, write_text

NAME = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
AGAIN = "Export the model again."


def write_checksums(folder: Path, names: Sequence[str]) -> None:
    """Write the checksums of files in a folder beside them."""
    write_text(folder / NAME, "".join(f"{sha256_of(folder / name)}  {name}\n" for name in sorted(names)))


def verify_checksums(folder: Path) -> None:
    """Check every file that the folder's SHA256SUMS lists; a folder without one passes.

    Raises:
        FormatError: a file is missing or has other bytes than when it was written.
    """
    listing = folder / NAME
    if not listing.exists():
        return
    lines = read_lines(listing, AGAIN)
    if not lines:
        raise FormatError(listing, "lists no file", AGAIN)
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None or not is_name_within(match[2]):
            raise FormatError(listing, f"not a line of checksums: {line[:80]!r}", AGAIN)
        path = folder / match[2]
        if not path.is_file() or sha256_of(path) != match[1]:
            fault = "its checksum is not the one it was written with" if path.is_file() else "the file is missing"
            raise FormatError(path, fault, "Delete it and export the model again.")
