"""ONNX's types in TensorRT's terms."""

from __future__ import annotations

import numpy as np
import onnx

from trtflow.formats import UserError
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.values import Dims

TYPES: dict[int, DataType] = {
    onnx.TensorProto.FLOAT: DataType.FLOAT,
    onnx.TensorProto.FLOAT16: DataType.HALF,
    onnx.TensorProto.DOUBLE: DataType.FLOAT,
    onnx.TensorProto.INT8: DataType.INT8,
    onnx.TensorProto.UINT8: DataType.UINT8,
    onnx.TensorProto.INT32: DataType.INT32,
    onnx.TensorProto.INT64: DataType.INT32,
    onnx.TensorProto.BOOL: DataType.BOOL,
}


def narrowed(array: np.ndarray) -> np.ndarray:
    """Return a constant in a type that TensorRT has."""
    wide = {"i8": np.int32, "u8": np.int32, "f8": np.float32, "i2": np.int32, "u2": np.int32, "u4": np.int32}
    kind = array.dtype.str[1:]
    if kind in ("i8", "u8", "u4"):
        limits = np.iinfo(np.int32)
        array = array.clip(limits.min, limits.max)
    return array.astype(wide[kind]) if kind in wide else array


def type_and_shape(value: onnx.ValueInfoProto) -> tuple[DataType, Dims]:
    tensor = value.type.tensor_type
    if tensor.elem_type not in TYPES:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
        raise UserError(f"{value.name!r} is of type {kind}, which TensorRT does not have")
    return TYPES[tensor.elem_type], Dims(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
