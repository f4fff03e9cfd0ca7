"""From which step quantised tensors count in uint8, and how large the values in front of a quantiser can be.

The fewer negative steps a tensor has, the smaller its zero point and the largest of its bytes. From 0 to 127 there are
two gains. Saturation at nought is a ReLU already. And two of their products with int8 always fit into 16 bits, in which
processors without VNNI add them (VPMADDUBSW): 2 * 127 * 127 < 2 ** 15. Behind a leaky ReLU, whose negative values are
a tenth, bytes end at 140, and two products fit in nearly every kernel (`products.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from trtflow.reference.run.graph_index import Index

STEPS = 127
ZERO_POINT = 128  # of steps of both signs
LEAK = 0.01  # ONNX's alpha where a LeakyRelu names none
MOVERS = (
    *("AveragePool", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice", "Split", "Squeeze"),
    *("QuantizeLinear", "Tile", "Transpose", "Unsqueeze"),
)


@dataclass(frozen=True)
class Span:
    """Between what a tensor's values lie.

    Attributes:
        low: least value they can have; minus infinity where nothing is known.
        high: largest.
    """

    low: float = -np.inf
    high: float = np.inf

    @property
    def is_positive(self) -> bool:
        """Whether there are no negative values."""
        return self.low >= 0

    def zero_point(self, scale: float) -> int:
        """Return the byte of step 0, from which the least value's step is not negative."""
        if self.low < -STEPS * scale:
            return ZERO_POINT
        return max(0, int(np.ceil(-self.low / scale)))

    def exceeds(self, scale: float) -> bool:
        """Whether a value can be rounded to more than 127 steps; what is next to that counts, as rounding may err."""
        return bool(self.high >= (STEPS + 0.4) * scale)


def spans(graph: onnx.GraphProto, index: Index) -> dict[str, Span]:
    """Return what is known of every value that a graph computes, by name."""
    known: dict[str, Span] = {}
    for node in graph.node:
        function = _FUNCTIONS.get(node.op_type, _unknown)
        known |= dict.fromkeys(node.output, function(node, index, known))
    return known


Known = Mapping[str, Span]


def _of(name: str, index: Index, known: Known) -> Span:
    if name not in index.initializers:
        return known.get(name, Span())
    values = index.array(name)
    return Span(float(values.min()), float(values.max())) if values.size else Span()


def _unknown(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    return Span()


def _moved(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    """Return the span of the first input, and nought, which may be among a mean's values as padding."""
    span = _of(node.input[0], index, known)
    return Span(min(0, span.low), max(0, span.high))


def _joined(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    parts = [_of(name, index, known) for name in node.input]
    return Span(min(part.low for part in parts), max(part.high for part in parts))


def _added(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    parts = [_of(name, index, known) for name in node.input]
    return Span(sum(part.low for part in parts), sum(part.high for part in parts))


def clip_bounds(node: onnx.NodeProto, index: Index) -> tuple[float, float]:
    """Return the bounds of a ReLU or a clip, infinite where it has none or they are not known."""
    if node.op_type == "Relu":
        return 0, np.inf
    given = [float(index.array(name)) if index.is_scalar(name) else None for name in node.input[1:]]
    low, high = (*given, None, None)[:2]
    return -np.inf if low is None else low, np.inf if high is None else high


def _clipped(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    span, (low, high) = _of(node.input[0], index, known), clip_bounds(node, index)
    return Span(min(max(span.low, low), high), max(min(span.high, high), low))


def _resized(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    """Return the span of what a resize moves; interpolation by cubics leaves it."""
    modes = [item.s for item in node.attribute if item.name == "mode"]
    return Span() if b"cubic" in modes else _moved(node, index, known)


def _leaked(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    span = _of(node.input[0], index, known)
    alpha = next((item.f for item in node.attribute if item.name == "alpha"), LEAK)
    return span if span.low >= 0 else Span(alpha * span.low, span.high) if alpha >= 0 else Span()


def _bounded(low: float, high: float) -> Callable[[onnx.NodeProto, Index, Known], Span]:
    return lambda node, index, known: Span(low, high)


def _normalised(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    """Return the span of a local response normalisation, whose divisor may be below 1."""
    return Span(0 if _of(node.input[0], index, known).is_positive else -np.inf)


def _dequantised(node: onnx.NodeProto, index: Index, known: Known) -> Span:
    if not index.is_scalar(node.input[1]):
        return Span()
    span, scale = _of(node.input[0], index, known), float(index.array(node.input[1]))
    return Span(max(span.low, -(STEPS + 1) * scale), min(span.high, STEPS * scale))


_FUNCTIONS: dict[str, Callable[[onnx.NodeProto, Index, Known], Span]] = {
    **dict.fromkeys(MOVERS, _moved),
    "Add": _added,
    "Clip": _clipped,
    "Concat": _joined,
    "DequantizeLinear": _dequantised,
    **dict.fromkeys(("HardSigmoid", "Sigmoid", "Softmax"), _bounded(0, 1)),
    "LRN": _normalised,
    "LeakyRelu": _leaked,
    "Relu": _clipped,
    "Resize": _resized,
    "Tanh": _bounded(-1, 1),
}
