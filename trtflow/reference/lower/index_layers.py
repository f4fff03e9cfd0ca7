"""Lowerings of the layers that make, pick, write or order elements."""

from __future__ import annotations

import zlib

import numpy as np
from onnx import TensorProto

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import ONNX_TYPES, Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    BoundingBoxFormat,
    DataType,
    FillOperation,
    InterpolationMode,
    SampleMode,
    ScatterMode,
)
from trtflow.reference.record.shape_values import constant_values

SAMPLES = {SampleMode.FILL: "zeros", SampleMode.CLAMP: "border", SampleMode.REFLECT: "reflection"}
INTERPOLATIONS = {
    InterpolationMode.LINEAR: "bilinear",
    InterpolationMode.NEAREST: "nearest",
    InterpolationMode.CUBIC: "bicubic",
}


@lowers(L.IFillLayer)
def fill(layer: L.IFillLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Range for numbers evenly spaced, Random…Like for others, with a seed of the layer's."""
    given, shape = layer.by_input(inputs), layer.output_shape(0)
    sizes = graph.wide(given[0]) if 0 in given else graph.ints("shape", shape)
    if layer.operation == FillOperation.LINSPACE:
        return [_evenly_spaced(layer, graph, given, sizes, len(shape))]
    operator = "RandomUniformLike" if layer.operation == FillOperation.RANDOM_UNIFORM else "RandomNormalLike"
    zeros = graph.node("Expand", [graph.constant("zero", np.float32(0), np.float32), sizes])
    numbers = graph.node(operator, [zeros], seed=float(zlib.crc32(layer.name.encode())), dtype=TensorProto.FLOAT)
    low, high = (
        graph.single(given[place]) if place in given else graph.constant("bound", value, np.float32)
        for place, value in ((1, layer.alpha), (2, layer.beta))
    )
    width = graph.node("Sub", [high, low]) if operator == "RandomUniformLike" else high
    value = graph.node("Add", [graph.node("Mul", [numbers, width]), low])
    return [graph.convert(value, DataType.FLOAT) if graph.dtype != DataType.FLOAT else value]


def _evenly_spaced(layer: L.IFillLayer, graph: Graph, given: dict[int, str], sizes: str, rank: int) -> str:
    """Sum over the axes of a step times the place, and the start."""
    dtype = layer.output_dtype(0)
    kind = np.int32 if dtype == DataType.INT32 else np.float32
    start = given[1] if 1 in given else graph.constant("alpha", layer.alpha, kind)
    steps = given[2] if 2 in given else graph.constant("beta", [layer.beta], kind)
    if kind is np.float32:
        start, steps = graph.single(start), graph.single(steps)
    total = start
    for axis in range(rank):
        picked = graph.ints("axis", [axis])
        size = graph.node("Squeeze", [graph.node("Gather", [sizes, picked]), graph.ints("axes", [0])])
        counted = [graph.constant("first", 0, np.int64), size, graph.constant("step", 1, np.int64)]
        places = graph.node("Cast", [graph.node("Range", counted)], to=ONNX_TYPES[dtype])
        column = graph.node("Reshape", [places, graph.ints("column", [-1] + [1] * (rank - axis - 1))])
        total = graph.node("Add", [total, graph.node("Mul", [column, graph.node("Gather", [steps, picked])])])
    if rank == 0:
        return str(graph.node("Identity", [total]))
    return graph.convert(total, dtype) if graph.dtype == DataType.HALF and kind is np.float32 else str(total)


@lowers(L.IScatterLayer)
def scatter(layer: L.IScatterLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """ScatterElements or ScatterND."""
    layer.output_shape(0)
    data, indices, updates = inputs
    if layer.mode == ScatterMode.ELEMENT:
        return [graph.node("ScatterElements", inputs, axis=layer.axis)]
    return [graph.node("ScatterND", [data, graph.wide(indices), updates])]


@lowers(L.IEinsumLayer)
def einsum(layer: L.IEinsumLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Einsum with its output written out."""
    terms, output = layer.terms()
    layer.output_shape(0)
    return [graph.node("Einsum", inputs, equation=f"{','.join(terms)}->{output}")]


@lowers(L.INonZeroLayer)
def non_zero(layer: L.INonZeroLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """NonZero, which ONNX gives as INT64."""
    return [graph.node("Cast", [graph.node("NonZero", inputs)], to=ONNX_TYPES[DataType.INT32])]


@lowers(L.IGridSampleLayer)
def grid_sample(layer: L.IGridSampleLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """GridSample."""
    layer.output_shape(0)
    return [
        graph.node(
            "GridSample",
            inputs,
            mode=INTERPOLATIONS[layer.interpolation_mode],
            padding_mode=SAMPLES[layer.sample_mode],
            align_corners=int(layer.align_corners),
        )
    ]


@lowers(L.IReverseSequenceLayer)
def reverse_sequence(layer: L.IReverseSequenceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """ReverseSequence of ONNX has its two axes in front: the others are moved behind them, and back."""
    layer.output_shape(0)
    rank, front = graph.rank(layer.inputs[0]), [layer.sequence_axis, layer.batch_axis]
    order = [*front, *(axis for axis in range(rank) if axis not in front)]
    moved = graph.node("Transpose", inputs[:1], perm=order)
    turned = graph.node("ReverseSequence", [moved, graph.wide(inputs[1])], time_axis=0, batch_axis=1)
    return [graph.node("Transpose", [turned], perm=np.argsort(order).tolist())]


@lowers(L.IAssertionLayer)
def assertion(layer: L.IAssertionLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Whether all elements hold, which the engine asks after each run.

    Raises:
        NetworkError: they do not, as is known before any run, or the layer is inside a loop or a conditional.
    """
    known = constant_values(layer.inputs[0])
    if known is not None and not known.all():
        raise NetworkError(layer.name, f"its condition is false: {layer.message}", "Correct the network.")
    if graph.depth:
        raise NetworkError(layer.name, "an assertion in a loop or a conditional", "Move it outside.")
    whole = graph.node("Cast", inputs, to=TensorProto.INT32)
    flat = graph.node("Reshape", [whole, graph.ints("flat", [-1])])
    least = graph.node("ReduceMin", [flat], axes=[0], keepdims=0)
    graph.assertions[graph.node("Cast", [least], to=TensorProto.BOOL)] = layer.message
    return []


@lowers(L.INMSLayer)
def nms(layer: L.INMSLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """NonMaxSuppression, its rows ordered by picture and by falling score."""
    per_class, given = layer.per_class(), layer.by_input(inputs)
    boxes, most = graph.single(given[0]), graph.wide(given[2])
    best = _best(layer, graph, graph.single(given[1]))
    scores = rows = graph.node("Transpose", [best], perm=[0, 2, 1])  # [N, C, B]
    sizes = graph.node("Shape", [scores])
    if per_class:  # each class of each picture is a picture of its own
        last = graph.node("Gather", [sizes, graph.ints("last", [2])])
        whole = graph.node("Concat", [sizes, graph.ints("four", [4])], axis=0)
        boxes = graph.node("Expand", [graph.node("Transpose", [boxes], perm=[0, 2, 1, 3]), whole])
        shape = graph.node("Concat", [graph.ints("any", [-1]), last, graph.ints("four", [4])], axis=0)
        boxes = graph.node("Reshape", [boxes, shape])
        rows = graph.node("Reshape", [scores, graph.node("Concat", [graph.ints("one", [-1, 1]), last], axis=0)])
    limits = [
        graph.single(given[place]) if place in given else graph.constant(what, 0, np.float32)
        for place, what in ((3, "overlap"), (4, "score"))
    ]
    centred = int(layer.bounding_box_format == BoundingBoxFormat.CENTER_SIZES)
    found = graph.node("NonMaxSuppression", [boxes, rows, most, *limits], center_point_box=centred)
    if per_class:
        found = _with_classes(graph, found, graph.node("Gather", [sizes, graph.ints("classes", [1])]))
    ordered, count = _ordered(graph, found, scores)
    return [graph.node("Cast", [value], to=ONNX_TYPES[DataType.INT32]) for value in (ordered, count)]


def _best(layer: L.INMSLayer, graph: Graph, scores: str) -> str:
    """Return scores [N, B, C] of which those behind the `topk_box_limit` best of a picture are minus infinity."""
    shape = tuple(layer.inputs[1].shape)
    if -1 not in shape and shape[1] * shape[2] <= layer.topk_box_limit:
        return scores
    flat = graph.node("Reshape", [scores, graph.ints("flat", [0, -1])])
    count = graph.node("Gather", [graph.node("Shape", [flat]), graph.ints("second", [1])])
    most = graph.node("Min", [count, graph.ints("limit", [layer.topk_box_limit])])
    values, _ = graph.node("TopK", [flat, most], outputs=2, axis=1)
    last = graph.node("Slice", [values, *(graph.ints("end", [number]) for number in (-1, 2**31, 1))])
    least = graph.node("Unsqueeze", [last, graph.ints("axes", [2])])
    lowest = graph.constant("lowest", -np.inf, np.float32)
    return str(graph.node("Where", [graph.node("GreaterOrEqual", [scores, least]), scores, lowest]))


def _with_classes(graph: Graph, found: str, classes: str) -> str:
    """Return rows (picture, class, box) of rows (picture * classes + class, 0, box)."""
    first, _, box = graph.node("Split", [found, graph.ints("sizes", [1, 1, 1])], outputs=3, axis=1)
    parts = [graph.node("Div", [first, classes]), graph.node("Mod", [first, classes]), box]
    return str(graph.node("Concat", parts, axis=1))


def _ordered(graph: Graph, found: str, scores: str) -> tuple[str, str]:
    """Return rows (picture, class, box) by picture and then by falling score, and how many they are.

    TopK leaves equal values in the order in which they come.
    """
    count = graph.node("Slice", [graph.node("Shape", [found]), *(graph.ints("end", [number]) for number in (0, 1))])
    _, by_score = graph.node("TopK", [graph.node("GatherND", [scores, found]), count], outputs=2, axis=0)
    rows = graph.node("Gather", [found, by_score])
    pictures = graph.node("Gather", [rows, graph.constant("picture", 0, np.int64)], axis=1)
    _, by_picture = graph.node("TopK", [pictures, count], outputs=2, axis=0, largest=0)
    number = graph.node("Squeeze", [count, graph.ints("axes", [0])])
    return graph.node("Gather", [rows, by_picture]), number
