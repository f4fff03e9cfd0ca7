"""Darknet's `.weights`: a header and float32 values, layer by layer, without names or shapes.

The header is three int32, major, minor and revision, and how many pictures the training saw: int64 from version 0.2 on,
int32 before. A convolution has its biases, then with batch normalisation scales, means and variances, then its kernels
in the order filters, channels, height, width (github.com/pjreddie/darknet, src/parser.c). All is little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.formats.darknet.layers import Layer, convolutions
from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

VERSION = struct.Struct("<3i")
FLOAT = np.dtype("<f4")
Values = dict[str, np.ndarray]  # biases, scales, means, variances, weights of one layer


@dataclass(frozen=True)
class Header:
    """The beginning of a file; `seen` is the number of pictures of the training."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0

    @property
    def counter(self) -> struct.Struct:
        """How `seen` is stored."""
        wide = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        return struct.Struct("<q" if wide else "<i")

    def to_bytes(self) -> bytes:
        """Return the header as the file has it."""
        return VERSION.pack(self.major, self.minor, self.revision) + self.counter.pack(self.seen)


def shapes_of(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a convolution's values in the order of the file."""
    options, filters = layer.options, layer.options["filters"]
    norm = ("scales", "means", "variances") if options["batch_normalize"] else ()
    kernel = (filters, layer.inputs // options["groups"], options["size"], options["size"])
    return {"biases": (filters,), **dict.fromkeys(norm, (filters,)), "weights": kernel}


def read_weights(path: Path, layers: Sequence[Layer]) -> tuple[Header, dict[int, Values]]:
    """Return the header and each convolution's values by the layer's index.

    Args:
        path: the file.
        layers: the network's, from its `.cfg`.

    Raises:
        FormatError: the file ends before the last value, or goes on after it.
    """
    data = path.read_bytes()
    header, place = _read_header(path, data)
    values: dict[int, Values] = {}
    for layer in convolutions(layers):
        values[layer.index] = {}
        for name, shape in shapes_of(layer).items():
            count = int(np.prod(shape))
            if place + count * FLOAT.itemsize > len(data):
                fault = f"too short: its {len(data)} bytes end within the {name} of layer {layer.index} ({layer.kind})"
                raise FormatError(path, fault, "Fetch it again, or take the .cfg that belongs to it.")
            values[layer.index][name] = np.frombuffer(data, FLOAT, count, place).reshape(shape)
            place += count * FLOAT.itemsize
    if place != len(data):
        fault = f"too long: the network takes {place} bytes of its {len(data)}"
        raise FormatError(path, fault, "Take the .cfg that belongs to it.")
    return header, values


def _read_header(path: Path, data: bytes) -> tuple[Header, int]:
    """Return the header, and how many bytes it has."""
    try:
        version = Header(*VERSION.unpack_from(data))
        (seen,) = version.counter.unpack_from(data, VERSION.size)
    except struct.error as error:
        raise FormatError(path, f"too short: its {len(data)} bytes hold no header", "Fetch it again.") from error
    header = Header(version.major, version.minor, version.revision, seen)
    return header, len(header.to_bytes())


def write_weights(path: Path, header: Header, layers: Sequence[Layer], values: Mapping[int, Values]) -> None:
    """Write a file; what `read_weights` returned gives the same bytes again.

    Raises:
        FormatError: a value is missing or has another shape than its layer.
    """
    parts = [header.to_bytes()]
    for layer in convolutions(layers):
        for name, shape in shapes_of(layer).items():
            array = values.get(layer.index, {}).get(name)
            if array is None or array.shape != shape:
                found = "missing" if array is None else f"of shape {array.shape}"
                raise FormatError(
                    path, f"{name} of layer {layer.index} are {found}, not of {shape}", "Give all values."
                )
            parts.append(np.ascontiguousarray(array, FLOAT).tobytes())
    write_bytes(path, b"".join(parts))
