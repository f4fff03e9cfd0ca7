"""Local response normalisation in operators that have vector kernels.

ONNX Runtime's LRN raises each value to a power by itself: 28 of GoogLeNet's 76 ms on one core. The powers that networks
have are square roots and products of such.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.run.graph_index import Index, replace_nodes

POWERS = (0.5, 0.75, 1.0)


def replace_lrn(graph: onnx.GraphProto) -> None:
    """Rewrite every LRN whose power is one of `POWERS`, in place; any other stays."""
    index = Index(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "LRN" and attributes.get("beta", 0.75) in POWERS:
            nodes += _Rewriting(node, index).nodes(
                attributes["size"],
                attributes.get("alpha", 1e-4),
                attributes.get("beta", 0.75),
                attributes.get("bias", 1.0),
            )
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)


class _Rewriting:
    """The operators of one LRN, which are named like it."""

    def __init__(self, node: onnx.NodeProto, index: Index) -> None:
        self.lrn, self.index = node, index
        self.made: list[onnx.NodeProto] = []

    def nodes(self, size: int, alpha: float, beta: float, bias: float) -> list[onnx.NodeProto]:
        """Return them: x / (bias + alpha * mean of the squares of `size` channels) ** beta."""
        (value,) = self.lrn.input
        weighed = self._node("Mul", self._sum(value, size), self._constant("alpha", np.float32(alpha / size)))
        divisor = self._node("Add", weighed, self._constant("bias", np.float32(bias)))
        powers = self._node("Reshape", self._power(divisor, beta), self._node("Shape", value))
        self.made.append(helper.make_node("Div", [value, powers], list(self.lrn.output), name=self.lrn.name))
        return self.made

    def _sum(self, value: str, size: int) -> str:
        """Return the sums of the squares of `size` channels around each, [N, C, n] of [N, C, ...].

        Slices, as pooling along channels is as slow as LRN itself.
        """
        flat = self._node("Reshape", value, self._constant("flat", np.array([0, 0, -1])))
        before = (size - 1) // 2
        pads = self._constant("pads", np.array([0, before, 0, 0, size - 1 - before, 0]))
        padded = self._node("Pad", self._node("Mul", flat, flat), pads)
        axis, parts = self._constant("axis", np.array([1])), []
        for first in range(size):
            last = first - size + 1 or np.iinfo(np.int64).max
            bounds = (np.array([first]), np.array([last]))
            parts.append(self._node("Slice", padded, *(self._constant(f"bound{first}", end) for end in bounds), axis))
        return self._node("Sum", *parts)

    def _power(self, value: str, beta: float) -> str:
        if beta == 1:
            return value
        root = self._node("Sqrt", value)
        return root if beta == POWERS[0] else self._node("Mul", root, self._node("Sqrt", root))

    def _node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"{self.lrn.name}/{len(self.made)}"
        self.made.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def _constant(self, what: str, values: Any) -> str:
        return self.index.add(f"{self.lrn.name}/{what}/{len(self.index.initializers)}", np.asarray(values))
