"""A layer that is a node of ONNX as it is: what TensorRT's own layers do not express."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

from trtflow.reference.record.enums import DataType, LayerType
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

# operands that make the sizes of what a node gives
SIZES = {
    "Slice": (1, 2, 3, 4),
    "Reshape": (1,),
    "Expand": (1,),
    "Tile": (1,),
    "Range": (0, 1, 2),
    "ConstantOfShape": (0,),
    "Resize": (1, 2, 3),
    "Pad": (1,),
    "TopK": (1,),
    "Upsample": (1,),
    "OneHot": (1,),
    "Loop": (0, 1),
}


class IOnnxLayer(ILayer):
    """A node of ONNX.

    TensorRT builds such nodes of several of its layers, or takes them from plugins; here one layer stands for each.

    Args:
        network: the network.
        inputs: what it reads, and what the graphs that it holds read of the graph around it; each once.
        node: the node; an input that it leaves out has an empty name.
        names: what the node, or a graph that it holds, calls each of the inputs.
        constants: whole numbers and truths that it reads too, by name.
        elem_types: ONNX's types of the inputs, and of the outputs.
        shapes: of the outputs; -1 where a size is only known at run time.
        dtypes: of the outputs, in TensorRT's terms.
        known: values of the outputs, -1 where they are only known at run time; None where nothing is known of them.
        fault: why TensorRT's builder refuses it, where it does.
    """

    layer_type, title = LayerType.PLUGIN_V2, "ONNX node"
    carries_sizes = True

    def __init__(
        self,
        network: INetworkDefinition,
        inputs: list[ITensor],
        node: onnx.NodeProto,
        names: list[str],
        constants: dict[str, np.ndarray],
        elem_types: tuple[list[int], list[int]],
        shapes: list[tuple[int, ...]],
        dtypes: list[DataType],
        known: list[np.ndarray | None],
        fault: str = "",
    ) -> None:
        super().__init__(network, inputs)
        self.title = node.op_type
        self.node, self.names, self.elem_types, self.shapes, self.dtypes = node, names, elem_types, shapes, dtypes
        self.constants, self.fault = constants, fault
        self.num_outputs, self.known = len(shapes), known

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return what ONNX's shape inference said."""
        return self.shapes[index]

    def output_dtype(self, index: int) -> DataType:
        """Return what ONNX's shape inference said."""
        return self.dtypes[index]

    def size_inputs(self) -> list[ITensor]:
        """Return the inputs that make the sizes of what the node gives."""
        places = SIZES.get(self.node.op_type, ()) if self.node.op_type != "Loop" else ()
        wanted = {self.node.input[place] for place in places if place < len(self.node.input)}
        return [tensor for name, tensor in zip(self.names, self.inputs, strict=True) if name in wanted]
