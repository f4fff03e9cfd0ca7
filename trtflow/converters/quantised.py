"""ONNX models that are quantised already: their pairs as TensorRT 8.6 takes them, and the same model without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtflow.formats import UserError

QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"
WAYS = {  # by part of an operator's name, the form of quantisation and what to do
    "DynamicQuantize": "its ranges are found while it runs, which TensorRT does not do. Quantise it statically",
    "Integer": "it computes with whole numbers of its own. Quantise it statically, with pairs of QuantizeLinear and "
    "DequantizeLinear",
    "QLinear": "its operators are quantised as such. Write pairs of QuantizeLinear and DequantizeLinear in their "
    "place, in ONNX Runtime's quantiser by quant_format=QuantFormat.QDQ",
}
FLOAT_WAY = "or give the model as it was before: INT8 is calibrated here then"


def has_pairs(model: onnx.ModelProto) -> bool:
    """Whether a model quantises by pairs of QuantizeLinear and DequantizeLinear.

    Raises:
        UserError: it is quantised in a way that TensorRT has none for.
    """
    operators = [node.op_type for node in model.graph.node]
    for operator in operators:
        way = next((way for part, way in WAYS.items() if part in operator), None)
        if way is not None:
            raise UserError(f"it is quantised already ({operator}): {way}, {FLOAT_WAY}")
    return bool({QUANTISE, DEQUANTISE} & set(operators))


def with_float_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose weights stand as float32 in front of a pair, and biases as float32, computing the same.

    TensorRT 8.6 takes neither INT8 weights nor INT32 biases of ONNX: its pairs are of activations and of floats. A
    constant with another zero point than 0 stays as it is, for the parser to refuse.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph, constants = found.graph, _constants(model.graph)
    nodes, made = [], []
    for node in graph.node:
        values = _stored(node, constants)
        if values is None or (values.dtype == np.int8 and _zero(node, constants).any()):
            nodes.append(node)
            continue
        kept = node.output[0] if values.dtype == np.int32 else f"{node.output[0]}/float"
        made.append(numpy_helper.from_array(_dequantised(node, values, constants), kept))
        if values.dtype != np.int32:
            quantised = f"{node.output[0]}/steps"
            first = helper.make_node(QUANTISE, [kept, *node.input[1:]], [quantised], f"{node.name}/steps")
            first.attribute.extend(item for item in node.attribute if item.name == "axis")
            node.input[0] = quantised
            nodes += [first, node]
    return _with(found, nodes, made)


def without_pairs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same model in float32: weights as they are after rounding, activations without any."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph, constants = found.graph, _constants(model.graph)
    instead: dict[str, str] = {}
    nodes, made, within = [], [], _has_graphs(graph.node)  # which may read what a pair gives
    for node in graph.node:
        values = _stored(node, constants)
        if values is not None:
            made.append(numpy_helper.from_array(_dequantised(node, values, constants), node.output[0]))
        elif node.op_type in (QUANTISE, DEQUANTISE):
            instead[node.output[0]] = instead.get(node.input[0], node.input[0])
            if within:
                nodes.append(helper.make_node("Identity", [instead[node.output[0]]], [node.output[0]], node.name))
        else:
            for place, name in enumerate(node.input):
                node.input[place] = instead.get(name, name)
            nodes.append(node)
    ends = [value.name for value in graph.output if value.name in instead and not within]
    nodes += [helper.make_node("Identity", [instead[name]], [name], f"{name}/end") for name in ends]
    return _with(found, nodes, made)


def _with(model: onnx.ModelProto, nodes: list[onnx.NodeProto], made: list[TensorProto]) -> onnx.ModelProto:
    """Put other nodes into a model, and constants, and leave out constants that nothing reads."""
    graph = model.graph
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    read = Counter(name for node in copies for name in node.input) + Counter(value.name for value in graph.output)
    kept = [tensor for tensor in graph.initializer if tensor.name in read or _has_graphs(copies)]
    kept = [TensorProto.FromString(tensor.SerializeToString()) for tensor in kept]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(copies)
    graph.initializer.extend([*kept, *made])
    return model


def _has_graphs(nodes: Iterable[onnx.NodeProto]) -> bool:
    return any(item.type in (item.GRAPH, item.GRAPHS) for node in nodes for item in node.attribute)


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """Return the constants of a model, those of Constant nodes too."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        values = {item.name: item for item in node.attribute}
        if node.op_type == "Constant" and "value" in values:
            found[node.output[0]] = numpy_helper.to_array(values["value"].t)
    return found


def _stored(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return the whole numbers of a constant that a node makes floats of; None of other nodes."""
    return constants.get(node.input[0]) if node.op_type == DEQUANTISE else None


def _zero(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> np.ndarray:
    there = len(node.input) > 2 and node.input[2] in constants
    return constants[node.input[2]] if there else np.zeros((), np.int64)


def _dequantised(node: onnx.NodeProto, values: np.ndarray, constants: dict[str, np.ndarray]) -> np.ndarray:
    """Return (values - zero point) * scale, float32, with a scale a channel along the node's axis.

    Raises:
        UserError: the scale is no constant.
    """
    if node.input[1] not in constants:
        raise UserError(f"node {node.name!r}: the scale of a constant is computed. Export it as a constant")
    axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
    scale, zero = constants[node.input[1]], _zero(node, constants)
    if scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape) if zero.ndim else zero
    return ((values.astype(np.int64) - zero.astype(np.int64)).astype(np.float32) * scale).astype(np.float32)
