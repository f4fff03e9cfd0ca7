"""ONNX's types in TensorRT's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from trtflow.reference.record.dims import MAX_DIMS
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.registry import graphs_of

TYPES: dict[int, DataType] = {
    TensorProto.FLOAT: DataType.FLOAT,
    TensorProto.FLOAT16: DataType.HALF,
    TensorProto.DOUBLE: DataType.FLOAT,
    TensorProto.INT8: DataType.INT8,
    TensorProto.UINT8: DataType.UINT8,
    TensorProto.INT32: DataType.INT32,
    TensorProto.INT64: DataType.INT32,
    TensorProto.BOOL: DataType.BOOL,
}
OTHERS = "TensorRT has FLOAT, FLOAT16, INT8, UINT8, INT32 and BOOL; DOUBLE and INT64 become FLOAT and INT32."
SINGLE: dict[int, int] = {TensorProto.FLOAT16: TensorProto.FLOAT, TensorProto.DOUBLE: TensorProto.FLOAT}


def dtype_of(elem_type: int, name: str) -> DataType:
    """Return TensorRT's type for one of ONNX.

    Raises:
        Refusal: it has none.
    """
    if elem_type not in TYPES:
        known = elem_type in TensorProto.DataType.values()
        kind = TensorProto.DataType.Name(elem_type) if known else f"number {elem_type}"
        raise Refusal(
            "Failed to convert ONNX date type to TensorRT data type.", f"{name!r} is of type {kind}. {OTHERS}"
        )
    return TYPES[elem_type]


def check_rank(words: str, name: str, shape: Sequence[Any]) -> None:
    """Raise Refusal, in TensorRT's words, for a value of more dimensions than TensorRT has."""
    if len(shape) > MAX_DIMS:
        fault = f"{name!r} has {len(shape)} dimensions, and TensorRT takes at most {MAX_DIMS}"
        raise Refusal(words, f"{fault}. Join some of them.", ErrorCode.UNSUPPORTED_GRAPH)


def narrowed(array: np.ndarray) -> np.ndarray:
    """Return a constant in a type that TensorRT has."""
    wide = {"i8": np.int32, "u8": np.int32, "f8": np.float32, "i2": np.int32, "u2": np.int32, "u4": np.int32}
    kind = array.dtype.str[1:]
    if kind in ("i8", "u8", "u4"):
        limits = np.iinfo(np.int32)
        array = array.clip(limits.min, limits.max)
    return np.asarray(array).astype(wide[kind]) if kind in wide else array


def in_single(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a copy of a node that makes float32 where it makes float16 or float64, in the graphs that it holds too."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    _make_single(copy)
    return copy


def _make_single(node: onnx.NodeProto) -> None:
    for item in node.attribute:
        if item.name in ("to", "dtype") and item.i in SINGLE:
            item.i = SINGLE[item.i]
        if item.type == onnx.AttributeProto.TENSOR:
            _make_tensor_single(item.t)
    for graph in graphs_of(node):
        for tensor in graph.initializer:
            _make_tensor_single(tensor)
        for value in (*graph.input, *graph.output, *graph.value_info):
            kind = value.type.tensor_type
            if kind.elem_type in SINGLE:  # others may have no type, which is not to be given one
                kind.elem_type = SINGLE[kind.elem_type]
        for inner in graph.node:
            _make_single(inner)


def _make_tensor_single(tensor: TensorProto) -> None:
    if tensor.data_type in SINGLE:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
