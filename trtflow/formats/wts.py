"""Exported weights by name: `.wts` (version 1, text) and `.wts2` (version 2, text headers and raw values).

Version 1, of sampleMNISTAPI: the number of blobs, then a line a blob: name, type, number of values, each value's bits
in hexadecimal. Version 2, of sampleCharRNN and sampleMLP: the number of blobs, then for each its name, type and shape
as a Python tuple, its values as little-endian bytes, and a line feed. Types are those of TensorRT's DataType.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats.damage import is_shape_of, whole_number
from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

DTYPES: dict[int, np.dtype] = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("i1"), 3: np.dtype("<i4")}
TYPES = {dtype: number for number, dtype in DTYPES.items()}
AGAIN = "Export the weights again."
HEADER = re.compile(rb"(\S+) (\d) \(((?:[0-9]{1,18}(?:, ?[0-9]{1,18})*,?)?)\) ")


def write_wts(path: Path, blobs: Mapping[str, np.ndarray]) -> None:
    """Write version 1; shapes are not kept.

    Args:
        path: file to write.
        blobs: arrays of float32, float16, int8 or int32, by names without blanks.
    """
    lines = [str(len(blobs)).encode()]
    for name, array in blobs.items():
        values = np.ascontiguousarray(array, _dtype(path, name, array)).ravel()
        bits = values.view(f"<u{values.itemsize}").tolist()
        lines.append(f"{name} {TYPES[values.dtype]} {values.size} {' '.join(f'{value:x}' for value in bits)}".encode())
    write_bytes(path, b"\n".join([*lines, b""]))


def read_wts(path: Path) -> dict[str, np.ndarray]:
    """Return the blobs of a version 1 file as flat arrays.

    Raises:
        FormatError: the number of blobs, or that of a blob's values, is not the one that is stated, or a blob is there
            twice.
    """
    lines = path.read_bytes().splitlines()
    found = [_read_line(path, line) for line in lines[1:] if line.strip()]
    _check_count(path, lines[0] if lines else b"", len(found))
    return _by_name(path, found)


def _read_line(path: Path, line: bytes) -> tuple[str, np.ndarray]:
    words = line.split()
    try:
        name, dtype, size = words[0].decode(), DTYPES[whole_number(words[1])], whole_number(words[2])
        bits = np.array([int(word, 16) for word in words[3:]], np.uint64)
    except (IndexError, KeyError, OverflowError, ValueError) as error:
        raise FormatError(path, f"the line {line[:40]!r} is no blob of weights ({error})", AGAIN) from error
    if len(bits) != size:
        raise FormatError(path, f"blob {name!r} has {len(bits)} values, {size} are stated", AGAIN)
    if (bits >> np.uint64(8 * dtype.itemsize)).any():
        raise FormatError(path, f"blob {name!r} has values of more than {8 * dtype.itemsize} bits", AGAIN)
    return name, bits.astype(f"<u{dtype.itemsize}").view(dtype)


def write_wts2(path: Path, blobs: Mapping[str, np.ndarray]) -> None:
    """Write version 2; arguments as those of `write_wts`, and shapes are kept."""
    parts = [f"{len(blobs)}\n".encode()]
    for name, array in blobs.items():
        values = np.ascontiguousarray(array, _dtype(path, name, array))
        parts += [f"{name} {TYPES[values.dtype]} {tuple(array.shape)} ".encode(), values.tobytes(), b"\n"]
    write_bytes(path, b"".join(parts))


def read_wts2(path: Path) -> dict[str, np.ndarray]:
    """Return the blobs of a version 2 file.

    Raises:
        FormatError: the file is cut off or damaged, has another number of blobs than it states, or one of them twice.
    """
    data = path.read_bytes()
    count, _, _ = data.partition(b"\n")
    place = len(count) + 1
    found: list[tuple[str, np.ndarray]] = []
    while place < len(data):
        header = HEADER.match(data, place)
        if header is None or int(header[2]) not in DTYPES:
            raise FormatError(path, f"at byte {place} is no header of a blob: {data[place : place + 40]!r}", AGAIN)
        name, dtype = header[1].decode(errors="replace"), DTYPES[int(header[2])]
        shape = tuple(int(size) for size in header[3].split(b",") if size.strip())
        end = header.end() + prod(shape) * dtype.itemsize
        if data[end : end + 1] != b"\n" or not is_shape_of(shape, prod(shape)):
            raise FormatError(path, f"blob {name!r} of shape {shape} is cut off or damaged", AGAIN)
        found.append((name, np.frombuffer(data, dtype, prod(shape), header.end()).reshape(shape)))
        place = end + 1
    _check_count(path, count, len(found))
    return _by_name(path, found)


def require(blobs: Mapping[str, np.ndarray], name: str, count: int, path: Path) -> np.ndarray:
    """Return the values of a blob, flat, after checking that it is there and has `count` of them."""
    if name not in blobs:
        raise FormatError(path, f"no blob {name!r}; it has {', '.join(blobs) or 'none'}", AGAIN)
    if blobs[name].size != count:
        raise FormatError(path, f"blob {name!r} has {blobs[name].size} values, {count} are needed", AGAIN)
    return blobs[name].ravel()


def _dtype(path: Path, name: str, array: np.ndarray) -> np.dtype:
    """Return the little-endian type of an array that is to be written."""
    dtype = array.dtype.newbyteorder("<")
    if dtype not in TYPES:
        raise FormatError(path, f"blob {name!r} is of type {array.dtype}", "Convert it to float32 first.")
    if not name or any(character.isspace() for character in name):
        raise FormatError(path, f"the name {name!r} is empty or has blanks", "Rename the blob.")
    return dtype


def _by_name(path: Path, found: list[tuple[str, np.ndarray]]) -> dict[str, np.ndarray]:
    blobs = dict(found)
    if len(blobs) != len(found):
        twice = next(name for name, times in Counter(name for name, _ in found).items() if times > 1)
        raise FormatError(path, f"blob {twice!r} is there twice", AGAIN)
    return blobs


def _check_count(path: Path, stated: bytes, found: int) -> None:
    try:
        count = whole_number(stated.strip())
    except ValueError as error:
        raise FormatError(path, f"its first line is {stated[:40]!r}, not a number of blobs", AGAIN) from error
    if count != found:
        raise FormatError(path, f"{found} blobs, but {count} are stated", AGAIN)
