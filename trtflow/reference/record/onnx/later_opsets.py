"""What nodes of opsets behind 17 say, in the form of opset 17, as far as that can say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.record.onnx.earlier_opsets import batch_first, without_empty
from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.opsets import BRING_DOWN, EXPORT_AGAIN, Around, behind, constant_node, drop
from trtflow.reference.record.onnx.registry import OPSET, attribute


def _object(node: onnx.NodeProto, around: Around, what: str) -> None:
    """Tell of a form that opset 17 can say otherwise, and that TensorRT 8.6 takes for another or refuses."""
    around.object_to(node, Refusal(f"TensorRT 8.6 {what}", BRING_DOWN))


@behind("LSTM", "GRU", "RNN")
def _recurrent(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    return batch_first(node, opset, around)


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
    drop(node, "noop_with_empty_axes")
    del node.input[1:]
    if axes:
        rank = around.rank(node.input[0])
        # seen on an H200: [2, 8, 4, 4] gave [1, 1, 1, 1]
        if rank is None or len({axis % rank for axis in axes}) < rank:
            _object(node, around, "ignores axes that are an input, as since opset 18, and reduces along all")
        node.attribute.append(helper.make_attribute("axes", axes))
    elif noop:
        raise Refusal(f"{node.op_type} with noop_with_empty_axes and no axes", EXPORT_AGAIN)
    return [node]


@behind("Split")
def _split_evenly(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    count, size = attribute(node, "num_outputs"), around.size(node.input[0], attribute(node, "axis", 0))
    drop(node, "num_outputs")
    if count is None or (size is not None and size % count == 0):
        return [node]
    if size is None:
        raise Refusal("Split with num_outputs of a size that is not known", EXPORT_AGAIN)
    _object(node, around, "ignores num_outputs, and makes parts that are all as large as the whole ones")
    chunk = -(-size // count)
    made = constant_node(node, "split", [chunk] * (count - 1) + [size - chunk * (count - 1)], np.int64)
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
    _object(node, around, "refuses axes of Pad, an input since opset 18")
    every = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        every[axis % rank], every[rank + axis % rank] = pads[index], pads[len(axes) + index]
    made = constant_node(node, "pads", every, np.int64)
    node.input[1] = made.output[0]
    del node.input[3:]
    return [made, node]


@behind("Resize")
def _resize_axes(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    without_empty(node, opset, around)
    axes, policy = attribute(node, "axes"), attribute(node, "keep_aspect_ratio_policy", b"stretch")
    if attribute(node, "antialias", 0) or policy != b"stretch":
        what = "antialias" if attribute(node, "antialias", 0) else "keep_aspect_ratio_policy"
        raise Refusal(f"Resize with {what}, which opset {OPSET} does not know", EXPORT_AGAIN)
    if attribute(node, "coordinate_transformation_mode", b"half_pixel") == b"half_pixel_symmetric":
        raise Refusal(f"Resize with half_pixel_symmetric, which opset {OPSET} does not know", EXPORT_AGAIN)
    drop(node, "antialias", "keep_aspect_ratio_policy", "axes")
    rank = around.rank(node.input[0])
    if axes is None or (rank is not None and [axis % rank for axis in axes] == list(range(rank))):
        return [node]
    _object(node, around, "ignores axes of Resize, an attribute since opset 18, and refuses the scales or sizes")
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
    made = constant_node(node, "sizes", whole, np.int64 if place == 3 else np.float32)
    node.input[place] = made.output[0]
    return [made, node]


@behind("GridSample")
def _grid_sample(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    modes = {b"linear": "bilinear", b"cubic": "bicubic"}
    mode = attribute(node, "mode", b"linear")
    if mode in modes:
        _object(node, around, f"does not know the mode {mode.decode()}, of opset 20, and takes the nearest")
    drop(node, "mode")
    node.attribute.append(helper.make_attribute("mode", modes.get(mode, mode.decode())))
    return [node]


@behind("AveragePool", "LpPool")
def _dilated_pool(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    if set(attribute(node, "dilations", [1])) == {1}:
        drop(node, "dilations")
    if node.op_type == "LpPool" and not attribute(node, "ceil_mode", 0):
        drop(node, "ceil_mode")
    return [node]


@behind("ScatterND", "ScatterElements")
def _scatter_reduction(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    reduction = attribute(node, "reduction", b"none").decode()
    if reduction in ("max", "min"):
        raise Refusal(f"{node.op_type} with reduction {reduction}, which opset {OPSET} does not know", EXPORT_AGAIN)
    return [node]


@behind("Cast")
def _saturating_cast(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    drop(node, "saturate", "round_mode")  # of the eight-bit floats, which TensorRT's parser does not take
    return [node]


@behind("GroupNormalization")
def _group_norm(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Tell of one group of several channels: with num_groups 1 TensorRT normalises each channel by itself."""
    drop(node, "stash_type")
    groups, channels = attribute(node, "num_groups"), around.size(node.input[0], 1)
    if groups == 1 and channels != 1:  # seen on an H200: 0.44 of the largest value off
        _object(node, around, "normalises each channel by itself where num_groups is 1")
    return _plain_group_norm(node, around) if around.plain else [node]


def _plain_group_norm(node: onnx.NodeProto, around: Around) -> list[onnx.NodeProto]:
    """Return a GroupNormalization as an InstanceNormalization of its groups, with scale and bias behind it."""
    data, *factors = node.input
    groups, rank, count = attribute(node, "num_groups"), around.rank(data), around.size(factors[0], 0)
    if rank is None or count is None:
        raise Refusal("GroupNormalization of a value whose rank or channels are not known", EXPORT_AGAIN)
    made: list[onnx.NodeProto] = []

    def add(operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        name = output or f"{node.output[0]}::{operator}_{len(made)}"
        made.append(helper.make_node(operator, inputs, [name], f"{node.name}/{len(made)}", **attributes))
        return name

    def constant(what: str, values: Any, dtype: Any) -> str:
        made.append(constant_node(node, what, values, dtype))
        return str(made[-1].output[0])

    dtype = helper.tensor_dtype_to_np_dtype(around.elem_type(data) or onnx.TensorProto.FLOAT)
    ones, noughts = constant("ones", np.ones(groups), dtype), constant("noughts", np.zeros(groups), dtype)
    grouped = add("Reshape", [data, constant("groups", [0, groups, -1], np.int64)])
    epsilon = attribute(node, "epsilon", 1e-5)
    value, shape = add("InstanceNormalization", [grouped, ones, noughts], epsilon=epsilon), add("Shape", [data])
    by_group = count == groups
    width = constant("width", [-1, *[1] * (1 if by_group else rank - 2)], np.int64)
    gain, offset = (add("Reshape", [factor, width]) for factor in factors)
    value = value if by_group else add("Reshape", [value, shape])
    value = add("Mul", [value, gain])
    add("Add", [value, offset], "" if by_group else node.output[0])
    if by_group:
        add("Reshape", [made[-1].output[0], shape], node.output[0])
    return made


@behind("QuantizeLinear", "DequantizeLinear")
def _quantise(node: onnx.NodeProto, opset: int, around: Around) -> list[onnx.NodeProto]:
    """Turn the type that steps are to have, since opset 21, into a zero point of it; blocks are refused."""
    if attribute(node, "block_size", 0):
        raise Refusal(f"{node.op_type} with block_size, which opset {OPSET} does not know", EXPORT_AGAIN)
    wanted = attribute(node, "output_dtype", 0) if node.op_type == "QuantizeLinear" else 0
    without = len(node.input) < 3 or not node.input[2]
    if wanted and without:
        _object(node, around, "passes over output_dtype, of opset 21, and ends where there is no zero point")
    drop(node, "block_size", "output_dtype", "saturate", "precision")
    scale = around.constant(node.input[1])
    if not wanted or scale is None or not without:
        return [node]
    if wanted not in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8):
        kind = onnx.TensorProto.DataType.Name(wanted)
        raise Refusal(f"QuantizeLinear to {kind}, which opset {OPSET} does not know", "Quantise to INT8.")
    dtype = helper.tensor_dtype_to_np_dtype(wanted)
    made = constant_node(node, "zero_point", np.zeros(scale.shape), dtype)
    node.input[2:] = [made.output[0]]
    return [made, node]
