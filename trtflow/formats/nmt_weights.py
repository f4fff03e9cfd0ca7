"""The weight files of sampleNMT (guide §11.5): values, what they are, and a mark at the end.

A file is `float32 values | int32 meta[] | int32 number of meta | "trtsamplenmt"`, all little-endian. The first of meta
is the type of the values, 0 for float32 and 1 for float16; what follows depends on the file, see `FILES`. The values of
a recurrent network are, for each layer, W of the gates f, i, c, o, each [H, inputs], then R of them, each [H, H];
behind all layers, for each, the eight biases [H] in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

MARK = b"trtsamplenmt"
DTYPES = (np.dtype("<f4"), np.dtype("<f2"))
META = np.dtype("<i4")
MATRIX, RECURRENT = ("rows", "columns"), ("encoder type", "layers", "units")
FILES = {  # what meta says behind the type
    "encembed": MATRIX,  # [source words, E]
    "encrnn": RECURRENT,
    "decembed": MATRIX,  # [target words, E]
    "decrnn": RECURRENT,
    "decatt": MATRIX,  # [2 H, A]: of decoder output and context to attention
    "decmem": MATRIX,  # [H, H]: of encoder outputs to keys
    "decproj": MATRIX,  # [A, target words]
}
UNIDIRECTIONAL = 0
PLACES = {"encrnn": "encoder/rnn", "decrnn": "decoder/attention"}
CELLS = {name: f"dynamic_seq2seq/{place}/multi_rnn_cell/cell_%d/basic_lstm_cell/" for name, place in PLACES.items()}
MATRICES = {  # the variables of TensorFlow's NMT framework (guide §11.4)
    "encembed": "embeddings/encoder/embedding_encoder",
    "decembed": "embeddings/decoder/embedding_decoder",
    "decmem": "dynamic_seq2seq/decoder/memory_layer/kernel",
    "decatt": "dynamic_seq2seq/decoder/attention/attention_layer/kernel",
    "decproj": "dynamic_seq2seq/decoder/output_projection/kernel",
}
GATES = ("FORGET", "INPUT", "CELL", "OUTPUT")
AGAIN = "Convert the checkpoint again, or take the published files whole."


@dataclass(frozen=True)
class Recurrent:
    """Weights of stacked LSTM layers.

    Attributes:
        kernels: of each layer W float32 [4, H, inputs] and R [4, H, H], gates in the order of `GATES`.
        biases: float32 [layers, 2, 4, H], those of W first.
    """

    kernels: Sequence[tuple[np.ndarray, np.ndarray]]
    biases: np.ndarray

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.kernels)

    @property
    def units(self) -> int:
        """Size of a state."""
        return int(self.biases.shape[-1])

    @property
    def inputs(self) -> int:
        """Elements of an input of the first layer."""
        return int(self.kernels[0][0].shape[-1])


def write_matrix(path: Path, values: np.ndarray) -> None:
    """Write a matrix [rows, columns] of float32."""
    _write(path, [values], values.shape)


def write_recurrent(path: Path, weights: Recurrent) -> None:
    """Write the weights of unidirectional LSTM layers."""
    parts = [part for kernels in weights.kernels for part in kernels]
    _write(path, [*parts, weights.biases], (UNIDIRECTIONAL, weights.layers, weights.units))


def read_matrix(path: Path) -> np.ndarray:
    """Return a matrix, float32 [rows, columns].

    Raises:
        FormatError: the file is cut off, has another ending, or another number of values than its ending says.
    """
    values, (rows, columns) = _read(path, MATRIX)
    if values.size != rows * columns:
        raise FormatError(path, f"{values.size} values, but its ending says {rows} x {columns}", AGAIN)
    return values.reshape(rows, columns)


def read_recurrent(path: Path, inputs: int) -> Recurrent:
    """Return the weights of LSTM layers whose first takes `inputs` elements.

    Raises:
        FormatError: as `read_matrix`, or the layers are bidirectional.
    """
    values, (kind, layers, units) = _read(path, RECURRENT)
    if kind != UNIDIRECTIONAL:
        raise FormatError(path, f"encoder type {kind}", "Only unidirectional layers (0) are supported.")
    wanted = 4 * units * (inputs + units) + (layers - 1) * 8 * units**2 + layers * 8 * units
    if values.size != wanted:
        fault = f"{values.size} values, but {layers} layers of {units} units with {inputs} inputs have {wanted}"
        raise FormatError(path, fault, AGAIN)
    kernels, place = [], 0
    for size in [inputs, *[units] * (layers - 1)]:
        ends = place + 4 * units * size, place + 4 * units * (size + units)
        w, r = values[place : ends[0]].reshape(4, units, size), values[ends[0] : ends[1]].reshape(4, units, units)
        kernels.append((w, r))
        place = ends[1]
    return Recurrent(kernels, values[place:].reshape(layers, 2, 4, units))


def _write(path: Path, parts: Sequence[np.ndarray], meta: Sequence[int]) -> None:
    values = [np.ascontiguousarray(part, DTYPES[0]).tobytes() for part in parts]
    stated = np.array([0, *meta, len(meta) + 1], META)
    write_bytes(path, b"".join([*values, stated.tobytes(), MARK]))


def _read(path: Path, fields: Sequence[str]) -> tuple[np.ndarray, list[int]]:
    """Return the values as float32, flat, and meta behind the type."""
    data = path.read_bytes()
    if not data.endswith(MARK):
        raise FormatError(path, f"it ends with {data[-len(MARK) :]!r}, not {MARK!r}", AGAIN)
    end = len(data) - len(MARK) - META.itemsize
    count = int(np.frombuffer(data, META, 1, end)[0]) if end >= 0 else 0
    first = end - count * META.itemsize
    if count != len(fields) + 1 or first < 0:
        raise FormatError(path, f"{count} numbers describe it, not type, {', '.join(fields)}", AGAIN)
    kind, *meta = (int(number) for number in np.frombuffer(data, META, count, first))
    least = [0 if field == "encoder type" else 1 for field in fields]
    if not 0 <= kind < len(DTYPES) or any(number < allowed for number, allowed in zip(meta, least, strict=True)):
        raise FormatError(path, f"its ending says type {kind} and {meta}", AGAIN)
    if first % DTYPES[kind].itemsize:
        raise FormatError(path, f"{first} bytes of values are no whole number of {DTYPES[kind]}", AGAIN)
    return np.frombuffer(data[:first], DTYPES[kind]).astype(np.float32), meta
