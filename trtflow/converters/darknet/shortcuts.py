"""Darknet's shortcut: a sum of maps, perhaps weighted, of which the first says how many channels there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.converters.darknet.activations import activate, constant_of
from trtflow.converters.darknet.graph import Graph
from trtflow.formats.darknet import Layer, Values

SUM_EPSILON = 1e-4  # of the weights' sum, by which they are divided
BELOW_ZERO = 1e-3  # slope of relu below 0 where Darknet normalises weights by it


def shortcut(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    """Return the sum; of a map with more channels the first are added, one with fewer is added to the first."""
    factors = _factors(layer, values)
    total = ""
    for place, source in enumerate(sources):
        name = f"{layer.name}_term{place}"
        term = _fitted(graph, name, layer, place, source)
        factor = factors[place]
        if (factor != 1).any():
            term = graph.node("Mul", f"{name}_weighted", [term, graph.constant(f"{name}_weight", factor)])
        end = layer.name if place == len(sources) - 1 else f"{layer.name}_sum{place}"
        total = graph.node("Add", end, [total, term]) if total else term
    return activate(graph, layer.name, total, layer.options["activation"])


def _fitted(graph: Graph, name: str, layer: Layer, place: int, source: str) -> str:
    """Return a source with the sides and channels of the sum."""
    wanted, shape = layer.shape, layer.source_shapes[place]
    if shape[0] > wanted[0] or shape[1:] != wanted[1:]:
        step = shape[1] // wanted[1]
        bounds = {
            "starts": [0, 0, 0],
            "ends": [min(shape[0], wanted[0]), *shape[1:]],
            "axes": [1, 2, 3],
            "steps": [1, step, step],
        }
        inputs = [graph.constant(f"{name}_{key}", np.array(value, np.int64)) for key, value in bounds.items()]
        source = graph.node("Slice", f"{name}_part", [source, *inputs])
    if shape[0] < wanted[0]:
        pads = np.array([0, 0, 0, 0, 0, wanted[0] - shape[0], 0, 0], np.int64)
        source = graph.node("Pad", f"{name}_padded", [source, graph.constant(f"{name}_pads", pads)])
    return source


def _factors(layer: Layer, values: Values) -> list[np.ndarray]:
    """Return what each source is multiplied by, float32 [1, 1, 1] or [C, 1, 1]."""
    options, count = layer.options, len(layer.sources)
    if options["weights_type"] == "none":
        return [constant_of(np.array(options["beta"] if place else options["alpha"])) for place in range(count)]
    weights = values["weights"].reshape(count, -1).astype(np.float64)
    if options["weights_normalization"] in ("relu", "avg_relu"):
        weights = np.where(weights > 0, weights, BELOW_ZERO * weights)
        weights /= SUM_EPSILON + weights.sum(0)
    elif options["weights_normalization"] == "softmax":
        weights = np.exp(weights - weights.max(0))
        weights /= SUM_EPSILON + weights.sum(0)
    return [constant_of(row) for row in weights]
