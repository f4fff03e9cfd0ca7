"""Messages between processes: a header of JSON and arrays behind it, whole or not at all, and never code."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

LENGTHS = struct.Struct("<IQ")  # bytes of the header and of all arrays
PIECE = 1 << 18
Arrays = dict[str, np.ndarray]


class Frame(NamedTuple):
    """A message.

    Attributes:
        header: what JSON can say.
        arrays: by name.
    """

    header: dict[str, Any]
    arrays: Arrays


def to_bytes(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> bytes:
    """Return a message as it travels."""
    given = {name: np.ascontiguousarray(values) for name, values in (arrays or {}).items()}
    described = [[name, values.dtype.str, list(values.shape)] for name, values in given.items()]
    text = json.dumps({**header, "arrays": described}).encode()
    body = b"".join(values.tobytes() for values in given.values())
    return LENGTHS.pack(len(text), len(body)) + text + body


class Reader:
    """Puts messages together from the pieces in which they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Take what came; yield the messages that are whole now."""
        self._bytes += piece
        while len(self._bytes) >= LENGTHS.size:
            header, body = LENGTHS.unpack_from(self._bytes)
            end = LENGTHS.size + header + body
            if len(self._bytes) < end:
                return
            text, data = bytes(self._bytes[LENGTHS.size : LENGTHS.size + header]), bytes(self._bytes[end - body : end])
            del self._bytes[:end]
            yield _frame(json.loads(text), data)


def _frame(header: dict[str, Any], data: bytes) -> Frame:
    arrays: Arrays = {}
    at = 0
    for name, kind, shape in header.pop("arrays"):
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
        at += count * dtype.itemsize
    return Frame(header, arrays)


def receive(connection: socket.socket, reader: Reader) -> Iterator[Frame]:
    """Yield messages until the other end is closed."""
    while piece := connection.recv(PIECE):
        yield from reader.feed(piece)
