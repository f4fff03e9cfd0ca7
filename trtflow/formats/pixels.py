"""How large a picture may be, of whatever format."""

from __future__ import annotations

from pathlib import Path

from trtflow.formats.errors import FormatError

MOST_PIXELS = 1 << 26  # of a picture that is read: 8192x8192


def check_pixels(path: Path, width: int, height: int) -> None:
    """Refuse a picture that has more than `MOST_PIXELS`."""
    if width * height > MOST_PIXELS:
        raise FormatError(
            path, f"the picture is {width}x{height}, more than {MOST_PIXELS} pixels", "Scale it down first."
        )
