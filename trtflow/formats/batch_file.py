"""INT8 batch files (guide §8.6): N, C, H, W as int32, the images as float32, and perhaps N labels as float32."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import atomic_path

HEADER_BYTES = 16
INT32, FLOAT32 = np.dtype("<i4"), np.dtype("<f4")


@dataclass
class Batch:
    """What a batch file holds.

    Attributes:
        images: float32 [N, C, H, W], preprocessed as the network takes them.
        labels: float32 [N], or None.
    """

    images: np.ndarray
    labels: np.ndarray | None = None


def read_shape(path: Path) -> tuple[int, int, int, int]:
    """Return N, C, H, W, checked against the length of the file.

    Raises:
        FormatError: the header is no shape, or the file is shorter or longer than it says.
    """
    again = "Delete it and write the batch files again."
    with path.open("rb") as file:
        header = np.frombuffer(file.read(HEADER_BYTES), np.uint8)
    if header.size < HEADER_BYTES:
        raise FormatError(path, f"a batch file of {header.size} bytes, too short for its header", again)
    count, channels, height, width = (int(size) for size in header.view(INT32))
    if min(count, channels, height, width) <= 0:
        raise FormatError(path, f"its header says N, C, H, W = {count}, {channels}, {height}, {width}", again)
    images = HEADER_BYTES + 4 * prod((count, channels, height, width))
    length = path.stat().st_size
    if length not in (images, images + 4 * count):
        wanted = f"{images} bytes, or {images + 4 * count} with labels"
        shape = f"{count}, {channels}, {height}, {width}"
        raise FormatError(path, f"its header says N, C, H, W = {shape}: {wanted}; it has {length}", again)
    return count, channels, height, width


def read_batch(path: Path) -> Batch:
    """Read a batch file."""
    shape = read_shape(path)
    values = np.fromfile(path, FLOAT32, offset=HEADER_BYTES)
    images, labels = np.split(values, [prod(shape)])
    return Batch(images.reshape(shape), labels if labels.size else None)


def write_batch(path: Path, batch: Batch) -> None:
    """Write a batch file."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(np.array(batch.images.shape, INT32).tobytes())
        np.ascontiguousarray(batch.images, FLOAT32).tofile(file)
        if batch.labels is not None:
            np.ascontiguousarray(batch.labels, FLOAT32).tofile(file)
