"""The lowering of the slice layer, in every mode, its bounds attributes or other tensors."""

from __future__ import annotations

import numpy as np

from trtflow.reference.lower.graph import Graph, lowers
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import SampleMode

LEAST = np.iinfo(np.int64).min  # as an end of Slice: before the first element


@lowers(L.ISliceLayer)
def cut(layer: L.ISliceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Slice; where elements may lie outside, Gather along each axis. An axis of stride 0 is one element, repeated."""
    layer.output_shape(0)
    if layer.mode != SampleMode.STRICT_BOUNDS:
        known = layer.is_static() and min(layer.inputs[0].shape, default=0) >= 0
        return [(_sampled if known else _sampled_between)(layer, graph, inputs)]
    if not layer.is_static():
        return [_dynamic_cut(layer, graph, inputs)]
    axes = range(graph.batch_axes, len(layer.start) + graph.batch_axes)
    repeated = [step == 0 for step in layer.stride]
    sizes = [min(size, 1) if once else size for size, once in zip(layer.shape, repeated, strict=True)]
    steps = [step or 1 for step in layer.stride]
    ends = [
        LEAST if step < 0 and start + size * step < 0 else start + size * step
        for start, size, step in zip(layer.start, sizes, steps, strict=True)
    ]
    parts = {"starts": layer.start, "ends": ends, "axes": axes, "steps": steps}
    value = graph.node("Slice", [inputs[0], *(graph.ints(name, values) for name, values in parts.items())])
    if not any(repeated):
        return [value]
    times = [size if once else 1 for size, once in zip(layer.shape, repeated, strict=True)]
    return [graph.node("Expand", [value, graph.ints("times", [1] * graph.batch_axes + times)])]


def _bounds(layer: L.ISliceLayer, graph: Graph, inputs: list[str]) -> list[str]:
    """Return start, shape and stride as values of the network, int64."""
    given, found = layer.by_input(inputs), []
    for name, place in layer.input_instead.items():
        tensor = layer.get_input(place)
        if tensor is None:
            found.append(graph.ints(name, getattr(layer, name)))
        else:
            found.append(graph.wide(graph.without_batch(layer, tensor, given[place])))
    return found


def _dynamic_cut(layer: L.ISliceLayer, graph: Graph, inputs: list[str]) -> str:
    """Slice with bounds from other tensors."""
    value = layer.by_input(inputs)[0]
    start, size, step = _bounds(layer, graph, inputs)
    if layer.get_input(layer.input_instead["stride"]) is None and 0 not in layer.stride:
        return _cut_between(layer, graph, value, start, size, step)
    one, repeated = graph.ints("one", [1]), graph.node("Equal", [step, graph.ints("zero", [0])])
    sizes = graph.node("Where", [repeated, graph.node("Min", [size, one]), size])
    value = _cut_between(layer, graph, value, start, sizes, graph.node("Where", [repeated, one, step]))
    times = graph.node("Where", [repeated, size, one])
    if graph.batch_axes:
        times = graph.node("Concat", [graph.ints("batch", [1] * graph.batch_axes), times], axis=0)
    return str(graph.node("Expand", [value, times]))


def _cut_between(layer: L.ISliceLayer, graph: Graph, value: str, start: str, size: str, step: str) -> str:
    """Slice with bounds from other tensors, none of whose strides is 0."""
    end = graph.node("Add", [start, graph.node("Mul", [size, step])])
    zero = graph.ints("zero", [0])
    backwards = graph.node("And", [graph.node("Less", [step, zero]), graph.node("Less", [end, zero])])
    ends = graph.node("Where", [backwards, graph.ints("least", [LEAST]), end])
    axes = graph.ints("axes", range(graph.batch_axes, graph.rank(layer.inputs[0])))
    return str(graph.node("Slice", [value, start, ends, axes, step]))


def _sampled(layer: L.ISliceLayer, graph: Graph, inputs: list[str]) -> str:
    """Pick the elements of each axis by their places, brought inside as the mode says."""
    given = layer.by_input(inputs)
    value, shape = given[0], layer.inputs[0].shape
    fill = given[4] if 4 in given else graph.zero(layer.inputs[0].native_dtype)
    for axis, (total, start, size, step) in enumerate(zip(shape, layer.start, layer.shape, layer.stride, strict=True)):
        places = start + np.arange(size) * step
        if np.array_equal(places, np.arange(total)):
            continue
        inside = (places >= 0) & (places < total)
        picked = graph.ints("places", _inside(places, total, layer.mode))
        value = graph.node("Gather", [value, picked], axis=axis + graph.batch_axes)
        if layer.mode == SampleMode.FILL and not inside.all():
            mask = graph.constant("inside", inside.reshape(-1, *[1] * (len(shape) - axis - 1)))
            value = graph.node("Where", [mask, value, fill])
    return value if value != given[0] else str(graph.node("Identity", [value]))


def _inside(places: np.ndarray, total: int, mode: SampleMode) -> np.ndarray:
    """Bring places inside an axis of a size; those that FILL replaces to any place."""
    if mode == SampleMode.WRAP:
        return places % total
    if mode == SampleMode.REFLECT and total > 1:
        period = 2 * (total - 1)
        return total - 1 - np.abs(places % period - (total - 1))
    return places.clip(0, total - 1)


def _sampled_between(layer: L.ISliceLayer, graph: Graph, inputs: list[str]) -> str:
    """Pick the elements of each axis by their places, the bounds or the sizes of the input known at run time only."""
    given = layer.by_input(inputs)
    value, rank = given[0], len(layer.inputs[0].shape)
    fill = given[4] if 4 in given else graph.zero(layer.inputs[0].native_dtype)
    totals, bounds = graph.node("Shape", [value]), _bounds(layer, graph, inputs)
    for axis in range(rank):
        place = graph.constant("axis", axis, np.int64)
        start, size, step = (graph.node("Gather", [row, place]) for row in bounds)
        total = graph.node("Gather", [totals, graph.constant("axis", axis + graph.batch_axes, np.int64)])
        zero, one = (graph.constant("number", number, np.int64) for number in (0, 1))
        places = graph.node("Add", [start, graph.node("Mul", [graph.node("Range", [zero, size, one]), step])])
        last = graph.node("Sub", [total, one])
        picked = _brought_inside(graph, places, total, last, layer.mode)
        value = graph.node("Gather", [value, picked], axis=axis + graph.batch_axes)
        if layer.mode == SampleMode.FILL:
            inside = graph.node("Equal", [picked, places])
            mask = graph.node("Reshape", [inside, graph.ints("column", [-1, *[1] * (rank - axis - 1)])])
            value = graph.node("Where", [mask, value, fill])
    return str(value)


def _brought_inside(graph: Graph, places: str, total: str, last: str, mode: SampleMode) -> str:
    """Bring places inside an axis as `_inside` does."""
    zero, one, two = (graph.constant("number", number, np.int64) for number in (0, 1, 2))
    if mode == SampleMode.WRAP:
        return str(graph.node("Mod", [places, total]))
    if mode == SampleMode.REFLECT:
        period = graph.node("Max", [graph.node("Mul", [last, two]), one])
        from_last = graph.node("Abs", [graph.node("Sub", [graph.node("Mod", [places, period]), last])])
        return str(graph.node("Sub", [last, from_last]))
    return str(graph.node("Min", [graph.node("Max", [places, zero]), last]))
