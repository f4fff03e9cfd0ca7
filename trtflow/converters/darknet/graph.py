"""An ONNX graph that grows node by node; each node is called as the value that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class Graph:
    """Nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; return its value's name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        """Add a constant of the array's type; return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def number(self, name: str, value: float) -> str:
        """Add a float32 that meets maps of any shape."""
        return self.constant(name, np.array(value, np.float32))

    def times(self, name: str, value: str, factor: float) -> str:
        """Return a value times a number, itself where that is 1."""
        return value if factor == 1 else self.node("Mul", name, [value, self.number(f"{name}_factor", factor)])

    def reshaped(self, name: str, value: str, shape: Sequence[int]) -> str:
        """Return a value in another shape; the batch stays the first dimension."""
        sizes = self.constant(f"{name}_shape", np.array([0, *shape], np.int64))
        return self.node("Reshape", name, [value, sizes])
