"""Importers of what computes or moves whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.record.enums import (
    ElementWiseOperation,
    MatrixOperation,
    ReduceOperation,
    UnaryOperation,
)
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.onnx.parse import Parse
from trtflow.reference.record.onnx.registry import UnsupportedForm, attribute, need, parses
from trtflow.reference.record.tensor import ITensor

REDUCTIONS = {
    "ReduceSum": ReduceOperation.SUM,
    "ReduceProd": ReduceOperation.PROD,
    "ReduceMax": ReduceOperation.MAX,
    "ReduceMin": ReduceOperation.MIN,
    "ReduceMean": ReduceOperation.AVG,
}


@parses("MatMul")
def _matmul(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    ranks = [len(operand.shape) for operand in operands]
    if min(ranks) < 2:
        raise UnsupportedForm
    first, second = (parse.ranked(operand, max(ranks), f"{node.name}_{i}") for i, operand in enumerate(operands))
    none = MatrixOperation.NONE
    return parse.network.add_matrix_multiply(first, none, second, none).outputs[0]


@parses("Gemm")
def _gemm(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1:
        raise UnsupportedForm
    operations = [
        MatrixOperation.TRANSPOSE if attribute(node, key, 0) else MatrixOperation.NONE for key in ("transA", "transB")
    ]
    first, second = (parse.tensor(operand, f"{node.name}_{i}") for i, operand in enumerate(operands[:2]))
    product = parse.network.add_matrix_multiply(first, operations[0], second, operations[1])
    if len(operands) < 3 or operands[2] is None:
        return product.outputs[0]
    bias = parse.ranked(operands[2], 2, f"{node.name}_bias")
    return parse.network.add_elementwise(product.outputs[0], bias, ElementWiseOperation.SUM).outputs[0]


@parses("Concat")
def _concat(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    tensors = [parse.tensor(operand, f"{node.name}_{index}") for index, operand in enumerate(operands)]
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise UnsupportedForm
    layer = parse.network.add_concatenation(tensors)
    layer.axis = attribute(node, "axis", 1) % len(tensors[0].shape)
    return layer.outputs[0]


@parses("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """Give the sizes that are known; of the others one can follow from the rest, if it is not that of the same axis."""
    data, wanted = operands[0], parse.results[0].shape
    sizes = parse.told[node.input[0]].shape
    if wanted is None or sizes is None or 0 in wanted:
        raise UnsupportedForm
    dims = [
        size if isinstance(size, int) else 0 if axis < len(sizes) and sizes[axis] == size else -1
        for axis, size in enumerate(wanted)
    ]
    if dims.count(-1) > 1:
        raise UnsupportedForm
    layer = parse.network.add_shuffle(data)
    layer.reshape_dims = tuple(dims)
    return layer.outputs[0]


@parses("Transpose")
def _transpose(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    layer = parse.network.add_shuffle(operands[0])
    layer.first_transpose = tuple(attribute(node, "perm", range(len(operands[0].shape))[::-1]))
    return layer.outputs[0]


@parses(*REDUCTIONS)
def _reduce(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    rank = len(operands[0].shape)
    axes = attribute(node, "axes") if len(operands) < 2 or operands[1] is None else need(operands[1]).tolist()
    if not axes and attribute(node, "noop_with_empty_axes", 0):
        raise UnsupportedForm
    mask = sum(1 << axis % rank for axis in axes or range(rank))
    keep = bool(attribute(node, "keepdims", 1))
    return parse.network.add_reduce(operands[0], REDUCTIONS[node.op_type], mask, keep).outputs[0]


@parses("Shape")
def _shape(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    if node.attribute:
        raise UnsupportedForm
    return parse.network.add_shape(operands[0]).outputs[0]


@parses("Identity")
def _identity(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> Any:
    tensor = parse.tensor(operands[0], node.name)
    return parse.network.add_identity(tensor).outputs[0]


@parses("Gather")
def _gather(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    data, places = operands
    if isinstance(places, np.ndarray) and (places < 0).any():
        raise UnsupportedForm
    tensors = [parse.tensor(item, f"{node.name}_{index}") for index, item in enumerate((data, places))]
    axis = attribute(node, "axis", 0) % len(tensors[0].shape)
    return parse.network.add_gather(tensors[0], tensors[1], axis).outputs[0]


@parses("EyeLike")
def _eye_like(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """Give a constant: TensorRT takes fixed sizes only."""
    rows, columns = operands[0].shape
    dtype = helper.tensor_dtype_to_np_dtype(parse.results[0].elem_type)
    return parse.tensor(np.eye(rows, columns, attribute(node, "k", 0), dtype), node.output[0])


@parses("IsNaN")
def _is_nan(parse: Parse, node: onnx.NodeProto, operands: list[Any]) -> ITensor:
    """Give what is not equal to itself, as TensorRT does: of INT32 nothing is."""
    data = need(operands[0], tensor=True)
    if data.native_dtype in FLOATS:
        raise UnsupportedForm
    same = parse.network.add_elementwise(data, data, ElementWiseOperation.EQUAL).outputs[0]
    return parse.network.add_unary(same, UnaryOperation.NOT).outputs[0]
