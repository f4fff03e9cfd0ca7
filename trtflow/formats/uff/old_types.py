"""UFF of TensorRT 3, whose data types have other numbers than those of TensorRT 4 to 8.

No schema of it is public, so a number is read by what it describes: how many bytes a value of its constants has, and
whether these bytes make sense as integers. One number means one type in the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.uff.data import DTYPES, dtype_of
from trtflow.formats.uff.files import AGAIN
from trtflow.formats.uff.uff_pb2 import DataType, MetaGraph

LARGEST_INTEGER = 1 << 23  # as float32 the positive ones up to it are denormal, the negative ones are no numbers
BY_SIZE: dict[int, np.dtype] = {1: np.dtype("i1"), 2: np.dtype("<f2"), 8: np.dtype("<i8")}


def renumber_types(graph: MetaGraph, path: str | Path) -> list[str]:
    """Give a file of TensorRT 3 the numbers of later ones; a file that has these is left as it is.

    Returns:
        What to warn of: how each number was read, or nothing.

    Raises:
        FormatError: a type has an unknown number although others are known, or one that nothing explains.
    """
    entries = [*_entries(graph)]
    unknown = {data.dtype for _, data in entries if data.dtype not in DTYPES}
    if not unknown:
        return []
    if any(data.dtype in DTYPES for _, data in entries):
        node, data = next((node, data) for node, data in entries if data.dtype not in DTYPES)
        raise FormatError(path, f"damaged: node {node.id!r} has the unknown data type {data.dtype}", AGAIN)
    types = {number: _type_of(graph, path, number, entries) for number in sorted(unknown)}
    for _, data in entries:
        data.dtype = dtype_of(types[data.dtype])
    read = ", ".join(f"{number} as {dtype}" for number, dtype in types.items())
    return [f"{path}: data types are numbered as in TensorRT 3, which TensorRT 8 refuses; read {read}"]


def _entries(graph: MetaGraph) -> Iterator[tuple[Any, Any]]:
    """Return all types that nodes have, each with its node; an invalid type stands for none."""
    for node in graph.graphs[0].nodes:
        for _, data in sorted(node.fields.items()):
            if data.WhichOneof("data_oneof") == "dtype" and data.dtype != DataType.DT_INVALID:
                yield node, data


def _type_of(graph: MetaGraph, path: str | Path, number: int, entries: list[tuple[Any, Any]]) -> np.dtype:
    """Return the type that a number stands for: that of its constants, or float32 where only inputs have it."""
    sizes, words = set(), []
    for node, data in entries:
        if data.dtype != number or node.operation != "Const":
            continue
        blob = graph.referenced_data[node.fields["values"].ref].blob
        count = int(np.prod(node.fields["shape"].i_list.val, dtype=np.int64))
        if count < 1 or len(blob) % count:
            fault = f"{len(blob)} bytes for {count} values of the constant {node.id!r}"
            raise FormatError(path, f"data type {number} is unknown, with {fault}", AGAIN)
        sizes.add(len(blob) // count)
        words.append(blob)
    if not sizes:
        return np.dtype("<f4")
    if len(sizes) > 1 or not sizes <= {4, *BY_SIZE}:
        fault = f"data type {number} is unknown, and its values have {sorted(sizes)} bytes"
        raise FormatError(path, fault, AGAIN)
    (size,) = sizes
    return BY_SIZE[size] if size in BY_SIZE else _four_bytes(words)


def _four_bytes(blobs: list[bytes]) -> np.dtype:
    """Tell int32 from float32 by the values: small integers are int32, unless all of them are 0."""
    values = np.concatenate([np.frombuffer(blob, "<i4") for blob in blobs])
    small = bool((np.abs(values.astype(np.int64)) < LARGEST_INTEGER).all())
    return np.dtype("<i4") if small and values.any() else np.dtype("<f4")
