"""Brings nodes of any opset to what they say in opset 17, by one small function a change of an operator.

A function takes a node, the opset that it was written for and what the parse knows around it; it returns nodes of
opset 17 that give the same, where opset 17 can say it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.registry import OPSET, attribute, graphs_of, schema_of

EXPORT_AGAIN = f"Export the model with opset_version={OPSET}."


@dataclass
class Around:
    """What is known of the values that a node reads.

    Attributes:
        constant: returns the array of a constant, None for another value.
        rank: returns the number of dimensions of a value, None where it is not known.
        size: returns the size of a value along an axis, None where it is not known.
        elem_type: returns ONNX's type of a value, 0 where it is not known.
        warn: tells what a user should know of a model that is taken.
    """

    constant: Callable[[str], np.ndarray | None]
    rank: Callable[[str], int | None]
    size: Callable[[str, int], int | None]
    elem_type: Callable[[str], int]
    warn: Callable[[str], None]


Bring = Callable[[onnx.NodeProto, int, Around], list[onnx.NodeProto]]
_BEFORE: dict[str, list[tuple[int, Bring]]] = {}  # changes up to opset 17: what holds below an opset
_BEHIND: dict[str, Bring] = {}  # changes behind opset 17


def before(opset: int, *operators: str) -> Callable[[Bring], Bring]:
    """Register how nodes of earlier opsets are brought to that of an opset; the earliest change comes first."""

    def register(function: Bring) -> Bring:
        for operator in operators:
            _BEFORE.setdefault(operator, []).append((opset, function))
            _BEFORE[operator].sort(key=lambda entry: entry[0])
        return function

    return register


def behind(*operators: str) -> Callable[[Bring], Bring]:
    """Register how nodes of later opsets are brought back."""

    def register(function: Bring) -> Bring:
        _BEHIND.update(dict.fromkeys(operators, function))
        return function

    return register


def changes() -> dict[str, tuple[list[int], bool]]:
    """Return for each operator that is brought the opsets below which it is, and whether it is from later ones."""
    names = {*_BEFORE, *_BEHIND}
    return {name: ([limit for limit, _ in _BEFORE.get(name, []) if limit <= OPSET], name in _BEHIND) for name in names}


def bring(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Return nodes of opset 17 that give what a node gives in an opset.

    Raises:
        Refusal: opset 17 cannot say it.
    """
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for graph in graphs_of(copy):
        _bring_graph(graph, opset)
    if opset > OPSET:
        return _brought_back(copy, opset, around)
    if opset < 6:
        _drop(copy, "consumed_inputs")
    nodes = [copy]
    for limit, function in _BEFORE.get(node.op_type, []):
        if opset < limit:
            nodes = [made for item in nodes for made in _apply(function, item, node.op_type, opset, around)]
    return nodes


def _apply(function: Bring, node: onnx.NodeProto, operator: str, opset: int, around: Around) -> list[onnx.NodeProto]:
    return function(node, opset, around) if node.op_type == operator else [node]


def _bring_graph(graph: onnx.GraphProto, opset: int) -> None:
    """Bring the nodes of a graph that a node holds."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {
        item.output[0]: item.attribute[0].t
        for item in graph.node
        if item.op_type == "Constant" and item.attribute and item.attribute[0].name == "value"
    }

    def constant(name: str) -> np.ndarray | None:
        return numpy_helper.to_array(constants[name]) if name in constants else None

    around = Around(constant, lambda name: None, lambda name, axis: None, lambda name: 0, lambda message: None)
    nodes = [made for node in graph.node for made in bring(node, opset, around)]
    del graph.node[:]
    graph.node.extend(nodes)


def _brought_back(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    schema, known = schema_of(node, opset), schema_of(node, OPSET)
    if schema is None or (known is not None and known.since_version == schema.since_version):
        return [node]
    if known is None and node.op_type not in _BEHIND:
        return _inlined(node, opset, schema, around)
    nodes = _BEHIND[node.op_type](node, opset, around) if node.op_type in _BEHIND else [node]
    for made in nodes:
        _check_form(made, opset)
    return nodes


def _check_form(node: onnx.NodeProto, opset: int) -> None:
    """Raise Refusal where a node uses what its operator does not have in opset 17."""
    schema = schema_of(node, OPSET)
    if schema is None:
        return  # an operator that TensorRT has and ONNX has since opset 18
    more = [item.name for item in node.attribute if item.name not in schema.attributes]
    if more or len(node.input) > schema.max_input:
        what = f"attribute {more[0]!r}" if more else f"{len(node.input)} inputs"
        raise Refusal(f"{node.op_type} of opset {opset} has {what}, which opset {OPSET} does not know", EXPORT_AGAIN)


def _inlined(node: onnx.NodeProto, opset: int, schema: Any, around: Around) -> list[onnx.NodeProto]:
    """Return what an operator that is newer than opset 17 is made of, where ONNX says so."""
    inputs = [
        helper.make_tensor_value_info(name, around.elem_type(name) or onnx.TensorProto.FLOAT, None)
        for name in dict.fromkeys(node.input)
        if name
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    model = helper.make_model(
        helper.make_graph([node], "node", inputs, outputs), opset_imports=[helper.make_opsetid("", opset)]
    )
    if schema.has_function or schema.has_context_dependent_function:
        inlined = onnx.inliner.inline_selected_functions(model, [("", node.op_type)], False, True)
        parts = list(inlined.graph.node)
        if [part.op_type for part in parts] != [node.op_type]:
            for part in parts:
                _cast_plainly(part, around)
            return [made for part in parts for made in bring(part, opset, around)]
    raise Refusal(
        f"{node.op_type} came with opset {schema.since_version}, and TensorRT 8.6 knows {OPSET}", EXPORT_AGAIN
    )


def _cast_plainly(node: onnx.NodeProto, around: Around) -> None:
    """Make Cast of a CastLike in what an operator is made of: TensorRT does not have it."""
    elem_type = around.elem_type(node.input[1]) if node.op_type == "CastLike" else 0
    if elem_type:
        node.op_type = "Cast"
        del node.input[1:]
        node.attribute.append(helper.make_attribute("to", elem_type))


def _drop(node: onnx.NodeProto, *names: str) -> None:
    kept = [item for item in node.attribute if item.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def _constant(node: onnx.NodeProto, what: str, values: Any, dtype: Any) -> onnx.NodeProto:
    """Return a Constant whose output is named by a node's output and what it is for."""
    tensor = numpy_helper.from_array(np.asarray(values, dtype), what)
    return helper.make_node("Constant", [], [f"{node.output[0]}::{what}"], value=tensor)


def _as_inputs(node: onnx.NodeProto, attributes: dict[str, int], dtype: Any) -> list[onnx.NodeProto]:
    """Turn attributes into inputs at the places that are given."""
    made = []
    for name, place in attributes.items():
        values = attribute(node, name)
        if values is not None:
            made.append(_constant(node, name, values, dtype))
            node.input.extend([""] * (place + 1 - len(node.input)))
            node.input[place] = made[-1].output[0]
    _drop(node, *attributes)
    return [*made, node]


@before(7, "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", "Gemm", "PRelu")
def _without_broadcast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if attribute(node, "broadcast", 0):
        around.warn(f"TensorRT 8.6 ignores broadcast of {node.name!r} ({node.op_type}), of opset {opset}.")
    _drop(node, "axis", "broadcast")
    return [node]


@before(9, "BatchNormalization")
def _batch_norm(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if not attribute(node, "spatial", 1):
        raise Refusal("BatchNormalization with spatial 0", "Normalise each channel.")
    _drop(node, "spatial", "is_test")
    return [node]


@before(6, "Cast")
def _cast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    wanted = onnx.TensorProto.DataType.Value(attribute(node, "to").decode().upper())
    _drop(node, "to")
    node.attribute.append(helper.make_attribute("to", wanted))
    return [node]


@before(5, "Reshape")
def _reshape(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"shape": 1}, np.int64)


@before(7, "Dropout")
def _tested(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if not attribute(node, "is_test", 1):
        words = "TensorRT does not support the Droupout operator with training mode."
        raise Refusal(words, "Export the model in its evaluation mode.")
    _drop(node, "is_test")
    return [node]


@before(12, "Dropout")
def _dropout(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"ratio": 1}, np.float32)


@before(11, "Clip")
def _clip(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"min": 1, "max": 2}, np.float32)


@before(11, "Pad")
def _pad(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    for item in node.attribute:
        if item.name == "paddings":  # of opset 1
            item.name = "pads"
    *made, node = _as_inputs(node, {"pads": 1}, np.int64)
    return [*made, *_as_inputs(node, {"value": 2}, np.float32)]


@before(10, "Slice")
def _slice(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"starts": 1, "ends": 2, "axes": 3}, np.int64)


@before(10, "TopK")
def _topk(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    count = attribute(node, "k")
    _drop(node, "k")
    made = _constant(node, "k", [count], np.int64)
    node.input.append(made.output[0])
    return [made, node]


@before(13, "Squeeze", "Unsqueeze", "ReduceSum")
def _axes(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"axes": 1}, np.int64)


@before(13, "Split")
def _split(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _as_inputs(node, {"split": 1}, np.int64)


@before(11, "Scatter")
def _scatter(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.op_type = "ScatterElements"
    return [node]


@before(11, "Resize")
def _resize(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.input.insert(1, "")
    return [_asymmetric(node)]


@before(OPSET + 1, "Resize")
def _without_empty(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Leave out inputs that hold nothing, which stood for such until opset 12."""
    for place, name in enumerate(node.input):
        values = around.constant(name)
        if values is not None and not values.size:
            node.input[place] = ""
    return [node]


@before(OPSET + 1, "Upsample")
def _upsample(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    *made, node = _as_inputs(node, {"scales": 1}, np.float32)
    node.op_type = "Resize"
    node.input.insert(1, "")
    return [*made, _asymmetric(node)]


def _asymmetric(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a Resize as it was before opset 11: the only coordinates there were, and rounding down."""
    if attribute(node, "mode") == b"bilinear":  # of opset 1
        _drop(node, "mode")
        node.attribute.append(helper.make_attribute("mode", "linear"))
    node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
    node.attribute.append(helper.make_attribute("nearest_mode", "floor"))
    return node


@before(13, "Softmax", "LogSoftmax", "Hardmax")
def _flat_softmax(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Flatten from the axis on, as these did until opset 12; the last axis alone means the same in both."""
    axis, rank = attribute(node, "axis", 1), around.rank(node.input[0])
    last = axis in (-1, None if rank is None else rank - 1)
    _drop(node, "axis")
    node.attribute.append(helper.make_attribute("axis", -1))
    if last:
        return [node]
    data, result = node.input[0], node.output[0]
    flat, normed, shape = (f"{result}::{what}" for what in ("flat", "normed", "shape"))
    node.input[0], node.output[0] = flat, normed
    return [
        helper.make_node("Flatten", [data], [flat], f"{node.name}_flat" if node.name else "", axis=axis),
        node,
        helper.make_node("Shape", [data], [shape]),
        helper.make_node("Reshape", [normed, shape], [result], f"{node.name}_shape" if node.name else ""),
    ]


@before(9, "Scan")
def _batched_scan(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Scan of opset 8 runs over a batch: that of one picture is Scan of today."""
    if node.input[0]:
        raise Refusal("TensorRT doesn't support sequence_lens input for this node!", "Leave sequence_lens out.")
    if any(around.size(name, 0) != 1 for name in node.input[1:]):
        raise Refusal("Scan of opset 8 over a batch", EXPORT_AGAIN)
    made = [_constant(node, "axes", [0], np.int64)]
    axes = made[0].output[0]
    inputs = [f"{node.output[0]}::{name}" for name in node.input[1:]]
    outputs = [f"{name}::single" if name else "" for name in node.output]
    made += [
        helper.make_node("Squeeze", [name, axes], [single]) for name, single in zip(node.input[1:], inputs, strict=True)
    ]
    wide = [
        helper.make_node("Unsqueeze", [single, axes], [name])
        for name, single in zip(node.output, outputs, strict=True)
        if name
    ]
    for item in node.attribute:
        if item.name == "directions":
            item.name = "scan_input_directions"
    del node.input[:], node.output[:]
    node.input.extend(inputs)
    node.output.extend(outputs)
    return [*made, node, *wide]


@before(16, "RoiAlign")
def _roi_align(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "output_half_pixel"))
    return [node]


@before(OPSET + 1, "LSTM", "GRU", "RNN")
def _batch_first(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Put the sequence first: ONNX Runtime has no layout 1."""
    if not attribute(node, "layout", 0):
        return [node]
    around.warn(f"TensorRT 8.6 ignores the layout of {node.name!r} ({node.op_type}): its values differ.")
    _drop(node, "layout")
    made, behind_it = [], []
    for place, perm in ((0, [1, 0, 2]), (5, [1, 0, 2]), (6, [1, 0, 2])):
        if place < len(node.input) and node.input[place]:
            turned = f"{node.output[0] or node.name}::{node.input[place]}"
            made.append(helper.make_node("Transpose", [node.input[place]], [turned], perm=perm))
            node.input[place] = turned
    for place, perm in enumerate([[2, 0, 1, 3], [1, 0, 2], [1, 0, 2]][: len(node.output)]):
        if node.output[place]:
            behind_it.append(
                helper.make_node("Transpose", [f"{node.output[place]}::turned"], [node.output[place]], perm=perm)
            )
            node.output[place] = f"{node.output[place]}::turned"
    return [*made, node, *behind_it]


@behind("LSTM", "GRU", "RNN")
def _recurrent(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return _batch_first(node, opset, around)


def _known(node: onnx.NodeProto, place: int, what: str, around: Around) -> list[int] | None:
    """Return an input of whole numbers as a list, None where it is left out.

    Raises:
        Refusal: it is not constant.
    """
    if len(node.input) <= place or not node.input[place]:
        return None
    values = around.constant(node.input[place])
    if values is None:
        raise Refusal(f"{node.op_type} with {what} that are not constant", EXPORT_AGAIN)
    return [int(value) for value in values.ravel()]


@behind("ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp")
@behind("ReduceSumSquare")
def _reduce(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    axes, noop = _known(node, 1, "axes", around), attribute(node, "noop_with_empty_axes", 0)
    _drop(node, "noop_with_empty_axes")
    del node.input[1:]
    if axes:
        node.attribute.append(helper.make_attribute("axes", axes))
    elif noop:
        raise Refusal(f"{node.op_type} with noop_with_empty_axes and no axes", EXPORT_AGAIN)
    return [node]


@behind("Split")
def _split_evenly(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    count, size = attribute(node, "num_outputs"), around.size(node.input[0], attribute(node, "axis", 0))
    _drop(node, "num_outputs")
    if count is None or (size is not None and size % count == 0):
        return [node]
    if size is None:
        raise Refusal("Split with num_outputs of a size that is not known", EXPORT_AGAIN)
    chunk = -(-size // count)
    made = _constant(node, "split", [chunk] * (count - 1) + [size - chunk * (count - 1)], np.int64)
    node.input.extend([made.output[0]] if len(node.input) == 1 else [])
    return [made, node]


@behind("Pad")
def _pad_axes(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    axes = _known(node, 3, "axes", around)
    if attribute(node, "mode") == b"wrap":
        raise Refusal(f"Pad with mode wrap, which opset {OPSET} does not know", EXPORT_AGAIN)
    if axes is None:
        del node.input[3:]
        return [node]
    pads, rank = _known(node, 1, "pads", around), around.rank(node.input[0])
    if rank is None or pads is None:
        raise Refusal("Pad with axes of a value whose rank is not known", EXPORT_AGAIN)
    every = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        every[axis % rank], every[rank + axis % rank] = pads[index], pads[len(axes) + index]
    made = _constant(node, "pads", every, np.int64)
    node.input[1] = made.output[0]
    del node.input[3:]
    return [made, node]


@behind("Resize")
def _resize_axes(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    _without_empty(node, opset, around)
    axes, policy = attribute(node, "axes"), attribute(node, "keep_aspect_ratio_policy", b"stretch")
    if attribute(node, "antialias", 0) or policy != b"stretch":
        what = "antialias" if attribute(node, "antialias", 0) else "keep_aspect_ratio_policy"
        raise Refusal(f"Resize with {what}, which opset {OPSET} does not know", EXPORT_AGAIN)
    _drop(node, "antialias", "keep_aspect_ratio_policy", "axes")
    rank = around.rank(node.input[0])
    if axes is None or (rank is not None and [axis % rank for axis in axes] == list(range(rank))):
        return [node]
    place = 3 if len(node.input) > 3 and node.input[3] else 2
    given = around.constant(node.input[place])
    whole = [1.0 if place == 2 else around.size(node.input[0], axis) for axis in range(rank or 0)]
    if rank is None or given is None:
        raise Refusal("Resize with axes of a value whose rank is not known", EXPORT_AGAIN)
    for axis, value in zip(axes, given.tolist(), strict=True):
        whole[axis % rank] = value
    if None in whole:  # by scales, which leave the others as they are
        known = [around.size(node.input[0], axis) for axis in range(rank)]
        whole = [1.0 if axis not in axes else size for axis, size in enumerate(whole)]
        if any(axis in axes and known[axis] is None for axis in range(rank)):
            raise Refusal("Resize with axes and sizes of a value whose sizes are not known", EXPORT_AGAIN)
        whole = [value / (known[axis] or 1) if axis in axes else 1.0 for axis, value in enumerate(whole) if value]
        node.input[place], place = "", 2
    made = _constant(node, "sizes", whole, np.int64 if place == 3 else np.float32)
    node.input[place] = made.output[0]
    return [made, node]


@behind("GridSample")
def _grid_sample(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    modes = {b"linear": "bilinear", b"cubic": "bicubic"}
    mode = attribute(node, "mode", b"linear")
    _drop(node, "mode")
    node.attribute.append(helper.make_attribute("mode", modes.get(mode, mode.decode())))
    return [node]


@behind("AveragePool", "LpPool")
def _dilated_pool(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if set(attribute(node, "dilations", [1])) == {1}:
        _drop(node, "dilations")
    if node.op_type == "LpPool" and not attribute(node, "ceil_mode", 0):
        _drop(node, "ceil_mode")
    return [node]


@behind("ScatterND", "ScatterElements")
def _scatter_reduction(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    reduction = attribute(node, "reduction", b"none").decode()
    if reduction in ("max", "min"):
        raise Refusal(f"{node.op_type} with reduction {reduction}, which opset {OPSET} does not know", EXPORT_AGAIN)
    return [node]


@behind("Cast")
def _saturating_cast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    _drop(node, "saturate", "round_mode")  # of the eight-bit floats, which TensorRT's parser does not take
    return [node]


@behind("GroupNormalization")
def _group_norm(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    _drop(node, "stash_type")
    return [node]
