"""Importers of QuantizeLinear and DequantizeLinear.

TensorRT 8.6 makes a layer of each, of constants too, for its builder needs the pairs in front of kernels. Its INT8 is
symmetric and has no other zero point than 0; a uint8 zero point of 0 it takes for one of INT8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import UNFOLDED, attribute, parses
from trtflow.reference.record.tensor import ITensor

SYMMETRIC = (
    "TensorRT only supports symmetric quantization. "
    "The zero point for the QuantizeLinear/DequantizeLinear operator must be all zeros."
)
EXPORT = "Quantise with INT8 and zero points of 0 (in ONNX Runtime's quantiser: ActivationSymmetric, WeightSymmetric)."
PAIRS = "Keep weights in float in front of a pair (in ONNX Runtime's quantiser: AddQDQPairToWeight)."
UNFOLDED.update(("QuantizeLinear", "DequantizeLinear"))


@parses("QuantizeLinear", "DequantizeLinear")
def _quantise(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    value, scale, zero = _data(parse, node, operands[0]), operands[1], (*operands, None)[2]
    quantises = node.op_type == "QuantizeLinear"
    if isinstance(scale, np.ndarray):
        scale = scale.astype(np.float32)
        if not scale.size or not (scale > 0).all():
            raise _invalid("Scale coefficients must all be positive", EXPORT)
    count = int(np.prod(scale.shape, dtype=int))
    _check_zero_point(zero, count)
    if zero is None:  # measured on an H200: `vector::_M_range_check: __n (which is 2) >= this->size() (which is 2)`
        parse.warn(f"node {node.name!r} has no zero point, and TensorRT 8.6.0's parser ends there. Give it one of 0.")
    if quantises and (zero is None or zero.dtype == np.uint8):
        unsigned = f"node {node.name!r} (QuantizeLinear) is of uint8, which TensorRT takes for INT8: -128 to 127"
        parse.warn(f"{unsigned}. Its values differ from ONNX's where those are below 0 or above 127 steps.")
        parse.results[0].elem_type = onnx.TensorProto.INT8
    add = parse.network.add_quantize if quantises else parse.network.add_dequantize
    layer = add(value, parse.tensor(scale, node.input[1]))
    if zero is not None:
        layer.set_input(2, parse.tensor(np.zeros(zero.shape, np.int8), node.input[2]))
    if count != 1:
        layer.axis = _axis(node, value, count)
    return layer.outputs[0]


def _invalid(words: str, remedy: str) -> Refusal:
    return Refusal(words, remedy, ErrorCode.INVALID_NODE)


def _data(parse: Parse, node: onnx.NodeProto, value: Any) -> ITensor:
    """Return what is quantised or dequantised as a tensor of a type that TensorRT takes there."""
    if isinstance(value, ITensor) and value.native_dtype == DataType.UINT8:
        raise _invalid("Found invalid input type of UINT8", EXPORT)
    if isinstance(value, np.ndarray) and node.op_type == "DequantizeLinear":
        if value.dtype == np.int8:
            raise _invalid(f"{node.input[0]}: invalid weights type of Int8", PAIRS)
        words = f"{node.input[0]} is {value.dtype}: only activation datatypes allowed as input to this layer"
        raise _invalid(words, f"{PAIRS} Biases stay in float (QuantizeBias=False).")
    return parse.tensor(value, node.input[0])


def _check_zero_point(zero: Any, count: int) -> None:
    """Refuse a zero point that is not 0, or not known, or of another number than the scales are."""
    if zero is None:
        return
    if isinstance(zero, ITensor):
        raise _invalid("Its zero point depends on an input", EXPORT)
    if zero.astype(np.int64).any():
        raise _invalid(SYMMETRIC, EXPORT)
    if zero.size != count:
        raise _invalid("The scale and zero point must have the same volume.", f"They are {count} and {zero.size}.")


def _axis(node: onnx.NodeProto, value: ITensor, count: int) -> int:
    """Return the axis of one scale for each index; without the attribute TensorRT takes the first, that of kernels."""
    rank = len(value.shape)
    given = attribute(node, "axis", rank)
    axis = given + rank if given < 0 else given
    if not 0 <= axis <= rank:
        raise Refusal("Axis must be in the range [0, nbDims].", f"It is {given} for {rank} dimensions.")
    axis = 0 if axis == rank else axis
    if value.shape[axis] not in (-1, count):
        words = "The number of scales is not equal to the number of output channels."
        raise _invalid(words, f"There are {count} along axis {axis} of {value.shape}.")
    return axis
