"""Darknet's `.weights`: a header and float32 values, layer by layer, without names or shapes.

The header is three int32, major, minor and revision, and how many pictures the training saw: int64 from version 0.2 on,
int32 before. A convolution has its biases, then with batch normalisation scales, means and variances, then its kernels
in the order filters, channels, height, width; a fully connected layer has its weights before the scales. Files of
version 1000 and more keep the weights of connected layers transposed, and so does a convolution that is `flipped`
(github.com/pjreddie/darknet and github.com/AlexeyAB/darknet, src/parser.c). All is little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from trtflow.formats.darknet.layers import Layer
from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

VERSION = struct.Struct("<3i")
MOST_SEEN = 8  # bytes of the number of pictures
FLOAT = np.dtype("<f4")
OLDEST_TRANSPOSED = 1000  # versions above kept connected layers transposed
Values = dict[str, np.ndarray]  # biases, scales, means, variances, weights of one layer
NORM = ("scales", "means", "variances")


@dataclass(frozen=True)
class Header:
    """The beginning of a file; `seen` is the number of pictures of the training."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0

    @property
    def transposed(self) -> bool:
        """Whether the weights of connected layers are stored inputs first."""
        return self.major > OLDEST_TRANSPOSED or self.minor > OLDEST_TRANSPOSED

    @property
    def counter(self) -> struct.Struct:
        """How `seen` is stored."""
        wide = self.major * 10 + self.minor >= 2 and max(self.major, self.minor) < OLDEST_TRANSPOSED
        return struct.Struct("<q" if wide else "<i")

    def to_bytes(self) -> bytes:
        """Return the header as the file has it."""
        return VERSION.pack(self.major, self.minor, self.revision) + self.counter.pack(self.seen)


def shapes_of(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a layer's values in the order of the file; empty where it has none there.

    convolutional: weights [filters, channels / groups, size, size]. connected: weights [output, inputs]. local: biases
    [filters, height, width], weights [height x width, filters, channels x size x size]. shortcut: weights [sources] or
    [sources, channels]. The others are one a channel.
    """
    options, channels = layer.options, layer.shape[0]
    norm = dict.fromkeys(NORM if options.get("batch_normalize") else (), (channels,))
    if layer.kind == "convolutional" and options["share_index"] is None:
        sides = (layer.inputs // options["groups"], options["size"], options["size"])
        return {"biases": (channels,), **norm, "weights": (channels, *sides)}
    if layer.kind == "connected":
        return {"biases": (channels,), "weights": (channels, prod(layer.source_shapes[0])), **norm}
    if layer.kind == "local":
        kernel = (prod(layer.shape[1:]), channels, layer.inputs * options["size"] ** 2)
        return {"biases": layer.shape, "weights": kernel}
    if layer.kind == "batchnorm":
        return {"biases": (channels,), **dict.fromkeys(NORM, (channels,))}
    if layer.kind == "shortcut" and options["weights_type"] != "none":
        each = (channels,) if options["weights_type"] == "per_channel" else ()
        return {"weights": (len(layer.sources), *each)}
    return {}


def read_header(path: Path) -> Header:
    """Return the header alone.

    Raises:
        FormatError: the file ends within it.
    """
    with path.open("rb") as file:
        return _read_header(path, file.read(VERSION.size + MOST_SEEN))[0]


def _stored(layer: Layer, name: str, shape: tuple[int, ...], header: Header) -> tuple[int, ...] | None:
    """Return the two sides of a matrix that the file keeps transposed; None for all others."""
    flipped = layer.options.get("flipped", 0) or (layer.kind == "connected" and header.transposed)
    return (prod(shape[1:]), shape[0]) if name == "weights" and flipped else None


def read_weights(path: Path, layers: Sequence[Layer]) -> tuple[Header, dict[int, Values]]:
    """Return the header and the values of each layer that has some, by the layer's index.

    Args:
        path: the file.
        layers: the network's, from its `.cfg`.

    Returns:
        arrays of the shapes that `shapes_of` says, however the file keeps them.

    Raises:
        FormatError: the file ends before the last value, or goes on after it.
    """
    data = path.read_bytes()
    header, place = _read_header(path, data)
    values: dict[int, Values] = {}
    for layer in layers:
        for name, shape in shapes_of(layer).items():
            count = prod(shape)
            if place + count * FLOAT.itemsize > len(data):
                _refuse_short(path, layer, name, place, len(data))
            array = np.frombuffer(data, FLOAT, count, place)
            stored = _stored(layer, name, shape, header)
            array = array.reshape(stored).T if stored else array
            values.setdefault(layer.index, {})[name] = array.reshape(shape)
            place += count * FLOAT.itemsize
    if place != len(data):
        fault = f"too long: the network takes {place} bytes of its {len(data)}"
        raise FormatError(path, fault, "Take the .cfg that belongs to it.")
    return header, values


def _refuse_short(path: Path, layer: Layer, name: str, place: int, length: int) -> None:
    """Raise: the file ends within the values of a layer, or before them, as what a training starts from does."""
    if name == "biases" and place == length:
        fault = f"too short: its {length} bytes end before layer {layer.index} ({layer.kind})"
        raise FormatError(path, fault, "What a training starts from is no whole network; take the trained weights.")
    fault = f"too short: its {length} bytes end within the {name} of layer {layer.index} ({layer.kind})"
    raise FormatError(path, fault, "Fetch it again, or take the .cfg that belongs to it.")


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
    for layer in layers:
        for name, shape in shapes_of(layer).items():
            array = values.get(layer.index, {}).get(name)
            if array is None or array.shape != shape:
                found = "missing" if array is None else f"of shape {array.shape}"
                raise FormatError(
                    path, f"{name} of layer {layer.index} are {found}, not of {shape}", "Give all values."
                )
            stored = _stored(layer, name, shape, header)
            array = array.reshape(stored[::-1]).T if stored else array
            parts.append(np.ascontiguousarray(array, FLOAT).tobytes())
    write_bytes(path, b"".join(parts))
