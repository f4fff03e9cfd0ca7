"""IDX files, of MNIST: a magic number, the sizes of the dimensions, and the values, all big-endian; often gzipped.

The magic number is two noughts, the type of the values (8 is an unsigned byte, MNIST's) and the number of dimensions
(Y. LeCun, C. Cortes, C. Burges: "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trtflow.formats.damage import check_unfolded, is_shape_of, refuse_damage
from trtflow.formats.errors import FormatError
from trtflow.formats.files import atomic_path

GZIP, UNSIGNED_BYTE = b"\x1f\x8b", 8
PIECE = 1 << 20
MOST = 1 << 30  # bytes of values: twenty times as many as MNIST has
AGAIN = "Fetch it again."


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the values of a file, gzipped or not, uint8 [...].

    Args:
        path: the file.
        dimensions: how many it must have: 3 of pictures, 1 of labels.

    Raises:
        FormatError: it has another type or number of dimensions, more or fewer values than it states, or is damaged.
    """
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == GZIP
        with refuse_damage(path, "damaged or cut off", AGAIN), gzip.open(path) if zipped else path.open("rb") as file:
            return _read(path, file, dimensions, zipped)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror}", AGAIN) from error


def _read(path: Path, file: BinaryIO | gzip.GzipFile, dimensions: int, zipped: bool) -> np.ndarray:
    magic, wanted = file.read(4), bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if magic != wanted:
        fault = f"begins with {magic.hex() or 'nothing'}, not with {wanted.hex()} (bytes of {dimensions} dimensions)"
        raise FormatError(path, fault, "Are pictures and labels swapped?")
    header = file.read(4 * dimensions)
    if len(header) != 4 * dimensions:
        raise FormatError(path, "ends within its header", AGAIN)
    shape = tuple(np.frombuffer(header, ">u4").tolist())
    stated = prod(shape)
    if stated > MOST or not is_shape_of(shape, stated):
        raise FormatError(path, f"states {stated} values, more than {MOST}", AGAIN)
    if zipped:
        check_unfolded(path, stated)
    data = bytearray()
    while len(data) <= stated and (piece := file.read(PIECE)):  # as they come: what is stated need not be there
        data += piece
    if len(data) != stated:
        held = f"only {len(data)}" if len(data) < stated else "more"
        raise FormatError(path, f"states {stated} values {shape}, and has {held}", AGAIN)
    return np.frombuffer(data, np.uint8).reshape(shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write values uint8 [...]; gzipped, without name and time, where `path` ends in .gz."""
    data = bytes([0, 0, UNSIGNED_BYTE, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    data += np.ascontiguousarray(values, np.uint8).tobytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
