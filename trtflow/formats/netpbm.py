"""Netpbm pictures: PPM (colour) and PGM (grey), 8 bits a value.

What the guide's samples take is taken, with their values: they pass over the largest value that the header gives, so
that values below 255 are not scaled, and over what follows the pixels, as a second picture does. Comments in the header
are read too; the guide's own reader fails on them (guide §16.2).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes
from trtflow.formats.pixels import check_pixels

CHANNELS = {b"P2": 1, b"P3": 3, b"P5": 1, b"P6": 3}
ASCII = (b"P2", b"P3")
LARGEST = 255  # of values of one byte
DIGITS = 9  # of a number in the header that count: longer ones are too large in any case


def read_ppm(path: Path) -> np.ndarray:
    """Return a colour picture, uint8 [H, W, 3]."""
    return _read(path, 3)


def read_pgm(path: Path) -> np.ndarray:
    """Return a grey picture, uint8 [H, W]."""
    return _read(path, 1)[:, :, 0]


def read_picture(path: Path) -> np.ndarray:
    """Return a colour or grey picture as uint8 [H, W, 3]."""
    with path.open("rb") as file:
        channels = CHANNELS.get(file.read(2), 3)
    return np.repeat(_read(path, channels), 3 // channels, axis=2)


def write_ppm(path: Path, image: np.ndarray) -> None:
    """Write a colour picture, uint8 [H, W, 3], as P6."""
    write_bytes(path, b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.astype(np.uint8).tobytes())


def write_pgm(path: Path, image: np.ndarray) -> None:
    """Write a grey picture, uint8 [H, W], as P5."""
    write_bytes(path, b"P5\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.astype(np.uint8).tobytes())


def _read(path: Path, channels: int) -> np.ndarray:
    data = path.read_bytes()
    magic = data[:2]
    if CHANNELS.get(magic) != channels:
        wanted = " or ".join(key.decode() for key, count in CHANNELS.items() if count == channels)
        raise FormatError(path, f"begins with {magic!r}, not with {wanted}", "Convert the picture.")
    (width, height, maximum), start = _header(path, data)
    if not 0 < maximum <= LARGEST:
        raise FormatError(path, f"its largest value is {maximum}, not one to {LARGEST}", "Convert it to 8 bits.")
    if not width * height:
        raise FormatError(path, f"{width}x{height} is no picture", "Fetch or convert it again.")
    check_pixels(path, width, height)
    count = width * height * channels
    try:
        values = _ascii(data[start:], count) if magic in ASCII else np.frombuffer(data[start:], np.uint8)
    except (ValueError, OverflowError) as error:
        raise FormatError(path, "its values are not numbers from 0 to 255", "Convert it again.") from error
    if values.size < count:
        fault = f"{width}x{height} needs {count} values; it has {values.size}"
        raise FormatError(path, fault, "Fetch or convert it again.")
    return values[:count].reshape(height, width, channels).copy()


def _ascii(data: bytes, count: int) -> np.ndarray:
    """Return the first numbers of a text whose comments end with their lines."""
    words = re.sub(rb"#[^\n]*", b"", data).split(maxsplit=count)[:count]
    return np.array(words, np.uint8)


def _header(path: Path, data: bytes) -> tuple[list[int], int]:
    """Return width, height, largest value, and where the pixels begin: one white space behind the last."""
    numbers: list[int] = []
    position = 2
    while len(numbers) < 3:
        end = position
        while end < len(data) and data[end : end + 1].isdigit():
            end += 1
        if end > position:
            numbers.append(int(data[position : min(end, position + DIGITS)]))
            position = end
        elif data[position : position + 1] == b"#":
            position = data.find(b"\n", position) + 1 or len(data)
        elif data[position : position + 1].isspace():
            position += 1
        else:
            raise FormatError(path, f"byte {position} of its header is neither a number nor a comment", "Convert it.")
    return numbers, position + 1
