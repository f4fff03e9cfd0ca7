"""Lowerings of the layers on whole tensors."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import ONNX_TYPES, Graph, lowers
from trtflow.reference.lower.int8_tensors import constant_factor, moves_values
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    DataType,
    GatherMode,
    MatrixOperation,
    ReduceOperation,
    TopKOperation,
)
from trtflow.reference.record.layer import axes_of
from trtflow.reference.record.values import Weights

REDUCTIONS = {
    ReduceOperation.PROD: "ReduceProd",
    ReduceOperation.MAX: "ReduceMax",
    ReduceOperation.MIN: "ReduceMin",
    ReduceOperation.AVG: "ReduceMean",
}


@lowers(L.IMatrixMultiplyLayer)
def matrix_multiply(layer: L.IMatrixMultiplyLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """MatMul, of vectors as matrices of one row or column."""
    layer.output_shape(0)
    operands = []
    for place, (value, op) in enumerate(zip(inputs, (layer.op0, layer.op1), strict=True)):
        rank = graph.rank(layer.inputs[place])
        if place and graph.quantised_weights and (matrix := constant_factor(layer)) is not None:
            operands.append(_columns(graph, matrix, rank, transposed=op == MatrixOperation.TRANSPOSE))
            continue
        if op == MatrixOperation.TRANSPOSE:
            value = graph.node("Transpose", [value], perm=[*range(rank - 2), rank - 1, rank - 2])  # noqa: PLW2901
        if op == MatrixOperation.VECTOR:
            value = graph.node("Unsqueeze", [value, graph.ints("axis", [-2 if place == 0 else -1])])  # noqa: PLW2901
        operands.append(value)
    product = graph.node("MatMul", operands)
    lost = [axis for axis, op in ((-2, layer.op0), (-1, layer.op1)) if op == MatrixOperation.VECTOR]
    return [graph.node("Squeeze", [product, graph.ints("axes", lost)]) if lost else product]


def _columns(graph: Graph, matrix: L.IConstantLayer, rank: int, *, transposed: bool) -> str:
    """Return a constant matrix in INT8, with a scale for each column."""
    values = matrix.held("weights").numpy().reshape((1,) * (rank - len(matrix.shape)) + tuple(matrix.shape))
    kernel = Weights(np.ascontiguousarray(np.swapaxes(values, -1, -2) if transposed else values))
    return graph.kernel(kernel, kernel.numpy().shape, axis=rank - 1)


@lowers(L.IReduceLayer)
def reduce(layer: L.IReduceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """The reduction of the same meaning."""
    axes = [axis + graph.batch_axes for axis in axes_of(layer.axes, len(layer.inputs[0].shape))]
    keepdims = int(layer.keep_dims)
    if layer.op == ReduceOperation.SUM:  # the one that takes its axes as an input in opset 17
        return [graph.node("ReduceSum", [inputs[0], graph.ints("axes", axes)], keepdims=keepdims)]
    return [graph.node(REDUCTIONS[layer.op], inputs, axes=axes, keepdims=keepdims)]


@lowers(L.ITopKLayer)
def topk(layer: L.ITopKLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """TopK, whose places ONNX gives as INT64."""
    if len(inputs) == 1:
        count = graph.ints("k", [layer.k])
    else:
        given = graph.without_batch(layer, layer.inputs[1], inputs[1])
        count = graph.node("Reshape", [graph.wide(given), graph.ints("one", [1])])
    axis, largest = layer.axis() + graph.batch_axes, int(layer.op == TopKOperation.MAX)
    values, places = graph.node("TopK", [inputs[0], count], outputs=2, axis=axis, largest=largest)
    return [values, graph.node("Cast", [places], to=ONNX_TYPES[DataType.INT32])]


@lowers(L.IGatherLayer)
def gather(layer: L.IGatherLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Gather and its kin. With an implicit batch, each picture's indices pick from its own data."""
    data, places = inputs
    if layer.mode == GatherMode.ELEMENT:
        return [graph.node("GatherElements", inputs, axis=layer.axis)]
    if layer.mode == GatherMode.ND:
        return [graph.node("GatherND", [data, graph.wide(places)], batch_dims=layer.num_elementwise_dims)]
    batched = [tensor in graph.batched for tensor in layer.inputs]
    if layer.num_elementwise_dims or (graph.batch_axes and all(batched)):
        by_product = graph.dtype == DataType.FLOAT and _feeds_a_recurrence(layer)
        return [(_product_of_rows if by_product else _gather_rows)(layer, graph, data, places)]
    if not graph.batch_axes:
        return [graph.node("Gather", inputs, axis=layer.axis)]
    if not batched[1]:
        flat = graph.without_batch(layer, layer.inputs[1], places)
        return [graph.node("Gather", [data, flat], axis=layer.axis + 1)]
    table = graph.without_batch(layer, layer.inputs[0], data)
    found = graph.node("Gather", [table, places], axis=layer.axis)
    rank = len(layer.output_shape(0)) + 1
    order = [layer.axis, *(axis for axis in range(rank) if axis != layer.axis)]  # the batch comes first
    return [graph.node("Transpose", [found], perm=order) if layer.axis else found]


def _feeds_a_recurrence(layer: L.IGatherLayer) -> bool:
    """Whether rows of floats are picked for a recurrent layer, be they joined with others on the way there."""
    data, places = layer.inputs
    known = layer.axis == 0 and len(places.shape) == 1 and -1 not in data.shape and data.native_dtype == DataType.FLOAT
    pending, seen = list(layer.outputs) if known else [], set[L.ILayer]()
    while pending:
        tensor = pending.pop()
        for reader in layer.network:
            if tensor in reader.inputs and reader not in seen:
                seen.add(reader)
                if isinstance(reader, L.IRNNv2Layer):
                    return True
                pending += reader.outputs if moves_values(reader) else []
    return False


def _product_of_rows(layer: L.IGatherLayer, graph: Graph, data: str, places: str) -> str:
    """Pick each picture's rows by a product with a matrix of 0 and 1.

    TensorRT 8.6 parses a recurrent layer of ONNX that reads what a GatherND or GatherElements has picked, and finds no
    implementation for it; with this product it does (docs/migrate.md).
    """
    count, *sizes = layer.inputs[0].shape
    axes = graph.ints("last", [-1])
    order = graph.constant("order", np.arange(count).reshape(1, 1, -1), np.int64)
    same = graph.node("Equal", [graph.node("Unsqueeze", [graph.wide(places), axes]), order])
    ones = graph.node("Cast", [same], to=ONNX_TYPES[DataType.FLOAT])
    rows = graph.node("Reshape", [data, graph.ints("rows", [-1, count, int(np.prod(sizes))])])
    picked = graph.node("MatMul", [ones, rows])
    return str(graph.node("Reshape", [picked, graph.ints("shape", [-1, *layer.output_shape(0)])]))


def _gather_rows(layer: L.IGatherLayer, graph: Graph, data: str, places: str) -> str:
    """Gather with a first dimension that data and indices share: GatherND along the axis, moved behind it."""
    axis, rank, index_rank = layer.axis + graph.batch_axes, *(graph.rank(tensor) for tensor in layer.inputs)
    sizes = [(-1 if graph.batch_axes else tensor.shape[0]) for tensor in layer.inputs]
    if sizes[0] == 1 != sizes[1]:
        data = graph.spread(data, rank, places)
    if sizes[1] == 1 != sizes[0]:
        places = graph.spread(places, index_rank, data)
    others = [place for place in range(1, rank) if place != axis]
    moved = graph.node("Transpose", [data], perm=[0, axis, *others]) if axis != 1 else data
    pointers = graph.node("Unsqueeze", [graph.wide(places), graph.ints("last", [-1])])
    found = graph.node("GatherND", [moved, pointers], batch_dims=1)  # [N, indices…, others…]
    before, picked = axis - 1, list(range(1, index_rank))
    rest = list(range(index_rank, index_rank + len(others)))
    order = [0, *rest[:before], *picked, *rest[before:]]
    return str(graph.node("Transpose", [found], perm=order) if before else found)


@lowers(L.IConcatenationLayer)
def concatenation(layer: L.IConcatenationLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Concat; with an implicit batch, constants are repeated for each picture."""
    layer.output_shape(0)
    batched = [tensor in graph.batched for tensor in layer.inputs]
    if graph.batch_axes and any(batched):
        like = inputs[batched.index(True)]
        inputs = [
            value if varies else graph.spread(value, graph.rank(tensor), like)
            for value, varies, tensor in zip(inputs, batched, layer.inputs, strict=True)
        ]
    return [graph.node("Concat", inputs, axis=layer.axis + graph.batch_axes)]


@lowers(L.IShuffleLayer)
def shuffle(layer: L.IShuffleLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Transpose and Reshape, as far as they are set."""
    value = _transposed(graph, inputs[0], layer.axes(layer._first_transpose, layer.inputs[0].shape))
    given, shape = layer.sizes(), layer.reshaped()
    if given is not None:
        copies = layer.zero_is_placeholder
        if len(inputs) > 1 and -1 in shape:
            sizes = graph.wide(graph.without_batch(layer, layer.inputs[1], inputs[1]))
            if graph.batch_axes:
                sizes = graph.node("Concat", [graph.ints("batch", [0]), sizes], axis=0)
        else:
            pairs = zip(given, shape, strict=True)
            known = [0 if size == 0 and copies and found < 0 else found for size, found in pairs]
            sizes = graph.ints("shape", [0] * graph.batch_axes + known)
        if not copies and graph.batch_axes and 0 in given:
            raise NetworkError(layer.name, "an empty tensor with an implicit batch", "Make the batch explicit.")
        value = graph.node("Reshape", [value, sizes], allowzero=int(not copies and not graph.batch_axes))
    value = _transposed(graph, value, layer.axes(layer._second_transpose, shape))
    return [value if value != inputs[0] else graph.node("Identity", inputs[:1])]


def _transposed(graph: Graph, value: str, order: tuple[int, ...] | None) -> str:
    if order is None:
        return value
    perm = [*range(graph.batch_axes), *(axis + graph.batch_axes for axis in order)]
    return str(graph.node("Transpose", [value], perm=perm))


@lowers(L.IShapeLayer)
def shape_of(layer: L.IShapeLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Shape, which ONNX gives as INT64."""
    return [graph.node("Cast", [graph.node("Shape", inputs)], to=ONNX_TYPES[DataType.INT32])]


@lowers(L.IOneHotLayer)
def one_hot(layer: L.IOneHotLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """OneHot, whose values may be floats or INT64."""
    dtype = layer.output_dtype(0)
    whole = dtype in (DataType.INT32, DataType.BOOL)
    operands = [graph.wide(inputs[0]), graph.ints("depth", [layer.depth()])]
    operands.append(graph.wide(inputs[1]) if whole else inputs[1])
    found = graph.node("OneHot", operands, axis=layer.axis)
    return [graph.convert(found, dtype) if whole else found]
