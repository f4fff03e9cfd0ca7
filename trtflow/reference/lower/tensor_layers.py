"""Lowerings of the layers on whole tensors."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import ONNX_TYPES, Graph, lowers
from trtflow.reference.record import tensor_layers as T  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    GatherMode,
    MatrixOperation,
    ReduceOperation,
    TopKOperation,
    UnaryOperation,
    WeightsRole,
)
from trtflow.reference.record.layers import IConstantLayer

UNARY = {
    UnaryOperation.EXP: "Exp",
    UnaryOperation.LOG: "Log",
    UnaryOperation.SQRT: "Sqrt",
    UnaryOperation.RECIP: "Reciprocal",
    UnaryOperation.ABS: "Abs",
    UnaryOperation.NEG: "Neg",
    UnaryOperation.SIN: "Sin",
    UnaryOperation.COS: "Cos",
    UnaryOperation.TAN: "Tan",
    UnaryOperation.SINH: "Sinh",
    UnaryOperation.COSH: "Cosh",
    UnaryOperation.ASIN: "Asin",
    UnaryOperation.ACOS: "Acos",
    UnaryOperation.ATAN: "Atan",
    UnaryOperation.ASINH: "Asinh",
    UnaryOperation.ACOSH: "Acosh",
    UnaryOperation.ATANH: "Atanh",
    UnaryOperation.CEIL: "Ceil",
    UnaryOperation.FLOOR: "Floor",
    UnaryOperation.ERF: "Erf",
    UnaryOperation.SIGN: "Sign",
    UnaryOperation.ROUND: "Round",
}
REDUCTIONS = {
    ReduceOperation.SUM: "ReduceSum",
    ReduceOperation.PROD: "ReduceProd",
    ReduceOperation.MAX: "ReduceMax",
    ReduceOperation.MIN: "ReduceMin",
    ReduceOperation.AVG: "ReduceMean",
}


@lowers(T.IDeconvolutionLayer)
def deconvolution(layer: T.IDeconvolutionLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """ConvTranspose."""
    operands = [inputs[0], graph.weights(WeightsRole.KERNEL, layer.kernel, layer.kernel_shape())]
    if layer.bias.size:
        operands.append(graph.weights(WeightsRole.BIAS, layer.bias))
    return [
        graph.node(
            "ConvTranspose",
            operands,
            kernel_shape=layer.window,
            strides=layer.stride,
            pads=[*layer.pre_padding, *layer.post_padding],
            dilations=layer.dilation,
            group=layer.num_groups,
        )
    ]


@lowers(T.IMatrixMultiplyLayer)
def matrix_multiply(layer: T.IMatrixMultiplyLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """MatMul, of vectors as matrices of one row or column."""
    operands = []
    for place, (value, op) in enumerate(zip(inputs, (layer.op0, layer.op1), strict=True)):
        rank = len(layer.inputs[place].shape) + graph.batch_axes
        if op == MatrixOperation.TRANSPOSE:
            value = graph.node("Transpose", [value], perm=[*range(rank - 2), rank - 1, rank - 2])  # noqa: PLW2901
        if op == MatrixOperation.VECTOR:
            axis = graph.constant("axis", [-2 if place == 0 else -1], np.int64)
            value = graph.node("Unsqueeze", [value, axis])  # noqa: PLW2901
        operands.append(value)
    product = graph.node("MatMul", operands)
    lost = [axis for axis, op in ((-2, layer.op0), (-1, layer.op1)) if op == MatrixOperation.VECTOR]
    return [graph.node("Squeeze", [product, graph.constant("axes", lost, np.int64)]) if lost else product]


@lowers(T.IUnaryLayer)
def unary(layer: T.IUnaryLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The operator of the same name."""
    if layer.op not in UNARY:
        raise NetworkError(layer.name, f"the reference runtime has no {layer.op.name} of this type")
    return [graph.node(UNARY[layer.op], inputs)]


@lowers(T.IReduceLayer)
def reduce(layer: T.IReduceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The reduction of the same meaning."""
    axes = [axis + graph.batch_axes for axis in T.axes_of(layer.axes, len(layer.inputs[0].shape))]
    keepdims = int(layer.keep_dims)
    if layer.op == ReduceOperation.SUM:  # the one that takes its axes as an input in opset 17
        return [graph.node("ReduceSum", [inputs[0], graph.constant("axes", axes, np.int64)], keepdims=keepdims)]
    return [graph.node(REDUCTIONS[layer.op], inputs, axes=axes, keepdims=keepdims)]


@lowers(T.ITopKLayer)
def topk(layer: T.ITopKLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """TopK, whose places ONNX gives as INT64."""
    count = graph.constant("k", [layer.k], np.int64)
    axis = layer.axis() + graph.batch_axes
    largest = int(layer.op == TopKOperation.MAX)
    values, places = graph.node("TopK", [inputs[0], count], outputs=2, axis=axis, largest=largest)
    return [values, graph.node("Cast", [places], to=ONNX_TYPES[layer.output_dtype(1)])]


@lowers(T.IGatherLayer)
def gather(layer: T.IGatherLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Gather; with an implicit batch either the data, as of an embedding, or the indices are constant."""
    if layer.mode != GatherMode.DEFAULT:
        raise NetworkError(layer.name, f"a gather in mode {layer.mode.name}", "The reference has DEFAULT.")
    if not graph.batch_axes:
        return [graph.node("Gather", inputs, axis=layer.axis)]
    constant = [isinstance(tensor.producer, IConstantLayer) for tensor in layer.inputs]
    if constant == [False, False]:
        raise NetworkError(layer.name, "data and indices both with an implicit batch", "Make the batch explicit.")
    if constant[0] and layer.axis != 0:
        raise NetworkError(layer.name, f"constant data gathered along axis {layer.axis}", "Transpose it first.")
    first = graph.constant("axes", [0], np.int64)  # constants have a batch of one, which is in the way here
    operands = [
        graph.node("Squeeze", [value, first]) if fixed else value for value, fixed in zip(inputs, constant, strict=True)
    ]
    return [graph.node("Gather", operands, axis=layer.axis + (0 if constant[0] else 1))]


@lowers(T.ISliceLayer)
def cut(layer: T.ISliceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Slice."""
    axes = range(graph.batch_axes, len(layer.start) + graph.batch_axes)
    ends = [
        start + (size - 1) * step + (1 if step > 0 else -1)
        for start, size, step in zip(layer.start, layer.shape, layer.stride, strict=True)
    ]
    ends = [end if end >= 0 else np.iinfo(np.int64).min for end in ends]
    parts = {"starts": layer.start, "ends": ends, "axes": axes, "steps": layer.stride}
    operands = [graph.constant(name, list(values), np.int64) for name, values in parts.items()]
    return [graph.node("Slice", [inputs[0], *operands])]


@lowers(T.IPaddingLayer)
def padding(layer: T.IPaddingLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Pad; negative amounts cut off there too."""
    leading = [0] * (len(layer.inputs[0].shape) - 2 + graph.batch_axes)
    pads = [*leading, *layer.pre_padding, *leading, *layer.post_padding]
    return [graph.node("Pad", [inputs[0], graph.constant("pads", pads, np.int64)])]


@lowers(T.IIdentityLayer)
def identity(layer: T.IIdentityLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Identity, or Cast where the type of the output is set."""
    source, target = layer.inputs[0].dtype, layer.output_dtype(0)
    if source == target:
        return [graph.node("Identity", inputs)]
    return [graph.node("Cast", inputs, to=ONNX_TYPES[target])]
