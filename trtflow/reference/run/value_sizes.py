"""Outputs whose sizes depend on the values that a network is fed: which they are, and how large they can become.

What NonZero and NonMaxSuppression find, and what a Slice with fed bounds leaves, has as many rows as the values say.
TensorRT gives such outputs through IOutputAllocator.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import onnx
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx_layer import SIZES
from trtflow.reference.record.values import Dims

COUNTING = ("NonZero", "NonMaxSuppression", "Unique", "Compress")
OF_SHAPES = ("Shape", "Size")
LIKE_THE_FIRST = ("ScatterND", "ScatterElements", "Scatter")


class ValueSizes:
    """What of a lowered network has sizes that depend on values.

    Attributes:
        outputs: names of such outputs.

    Args:
        model: the network, in which large initializers may be inputs that have no place in `inputs`.
        inputs: names of its inputs.
    """

    def __init__(self, model: onnx.ModelProto, inputs: list[str]) -> None:
        self._model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._fed = set(inputs)  # values that depend on those of inputs
        self._sized: set[str] = set()  # values whose sizes do
        self._makers: list[onnx.NodeProto] = []  # nodes that make sizes of values
        for node in model.graph.node:
            self._follow(node)
        self.outputs = {value.name for value in model.graph.output if value.name in self._sized}

    def _follow(self, node: onnx.NodeProto) -> None:
        fed = [name for name in node.input if name in self._fed]
        made = self._makes(node)
        if made:
            self._makers.append(node)
        passed = [
            name for name in (node.input[:1] if node.op_type in LIKE_THE_FIRST else node.input) if name in self._sized
        ]
        if made or (passed and not self._is_fixed(node)):
            self._sized.update(node.output)
        whole = node.op_type not in OF_SHAPES or node.input[0] in self._sized
        if (fed and whole) or made:
            self._fed.update(node.output)

    def _makes(self, node: onnx.NodeProto) -> bool:
        if node.op_type in COUNTING:
            return node.input[0] in self._fed or any(name in self._fed for name in node.input[1:])
        places = SIZES.get(node.op_type, ())
        return any(place < len(node.input) and node.input[place] in self._fed for place in places)

    def _is_fixed(self, node: onnx.NodeProto) -> bool:
        """Whether a node gives fixed sizes whatever comes in."""
        if node.op_type in OF_SHAPES:
            return True
        if node.op_type != "Reshape" or node.input[1] not in self._constants:
            return False
        return bool((numpy_helper.to_array(self._constants[node.input[1]]) > 0).all())

    def largest(self, inputs: Mapping[str, Dims]) -> dict[str, Dims]:
        """Return the largest shape that each output can have, -1 where that is not known.

        Args:
            inputs: shape of each input.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for value in model.graph.input:
            for dim, size in zip(value.type.tensor_type.shape.dim, inputs.get(value.name, ()), strict=False):
                dim.dim_value = size
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        for maker in self._makers:
            told = _shapes(model)
            bound = _bound(maker, told)
            if bound is None:
                break
            kept = [node for node in model.graph.node if maker.output[0] not in node.output]
            del model.graph.node[:]
            model.graph.node.extend(kept)
            if any(value.name == maker.output[0] for value in model.graph.output):
                value = next(value for value in model.graph.output if value.name == maker.output[0])
                value.CopyFrom(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, bound))
            else:
                kind = onnx.TensorProto.INT64 if maker.op_type in COUNTING[:2] else told[maker.input[0]][1]
                model.graph.input.append(helper.make_tensor_value_info(maker.output[0], kind, bound))
        told = _shapes(model)
        return {value.name: Dims(told.get(value.name, ((-1,), 0))[0]) for value in model.graph.output}


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[tuple[int, ...], int]]:
    """Return shape and type of each value, -1 where a size is not known."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    told = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape"):
            sizes = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
            told[value.name] = (sizes, kind.elem_type)
    told |= {tensor.name: (tuple(tensor.dims), tensor.data_type) for tensor in graph.initializer}
    return told


def _bound(node: onnx.NodeProto, told: Mapping[str, tuple[tuple[int, ...], int]]) -> tuple[int, ...] | None:
    """Return the largest shape of what a node gives, None where that is not known."""
    shape = told.get(node.input[0], ((-1,), 0))[0]
    if -1 in shape:
        return None
    if node.op_type == "NonZero":
        return (len(shape), prod(shape))
    if node.op_type == "NonMaxSuppression":
        scores = told.get(node.input[1], ((-1,), 0))[0]
        return None if -1 in scores else (prod(scores), 3)
    return shape if node.op_type == "Slice" else None
