"""What stands between a product of INT8 and the quantisation of its result, moved into one or behind the other.

- A scale and a shift of each channel, as a batch normalisation is, become the kernel's own scales and bias: TensorRT
  fuses them too.
- ReLU and clips move behind the quantisation: both are monotone, so that it is the same steps that are clipped.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.run.graph_index import Index, replace_nodes

ZERO_POINT = 128
LARGEST_STEP = 255


def kernel_of(node: onnx.NodeProto, index: Index) -> onnx.NodeProto | None:
    """Return the DequantizeLinear of a product's INT8 kernel, rows along its first axis, that nothing else reads."""
    producer = index.producers.get(node.input[1])
    if producer is None or producer.op_type != "DequantizeLinear" or index.only_consumer(producer) is not node:
        return None
    axis = next((item.i for item in producer.attribute if item.name == "axis"), 1)
    rows = index.is_scalar(producer.input[1]) or axis == 0
    return producer if rows and producer.input[0] in index.initializers else None


def fold_scales(graph: onnx.GraphProto) -> None:
    """Multiply kernels in INT8 and biases by the factors of each channel that follow, in place of these nodes."""
    index = Index(graph)
    gone: dict[str, str] = {}
    for node in graph.node:
        if node.op_type != "Conv" or (kernel := kernel_of(node, index)) is None:
            continue
        for op_type, fold in (("Mul", _fold_factor), ("Add", _fold_shift)):
            follower = index.only_consumer(node)
            values = _each_channel(follower, node, index) if follower and follower.op_type == op_type else None
            if follower is None or values is None or not fold(node, kernel, values, index):
                continue
            gone[follower.name] = follower.output[0]
            index.pass_output(node, follower)
    replace_nodes(graph, [node for node in graph.node if gone.get(node.name) is None])


def _each_channel(node: onnx.NodeProto, product: onnx.NodeProto, index: Index) -> np.ndarray | None:
    """Return the constant operand of a node, one value for each channel of a convolution; None where it is another."""
    constants = [name for name in node.input if name in index.initializers]
    if len(constants) != 1:
        return None
    values = index.array(constants[0])
    rows = index.array(index.producers[product.input[1]].input[0])
    channel = values.ndim - (rows.ndim - 1)  # axis of the channels, counted from behind as it is stretched
    flat = channel >= 0 and values.shape[channel] in (1, len(rows)) and values.size == values.shape[channel]
    if not flat and values.size != 1:
        return None
    return np.broadcast_to(values.ravel().astype(np.float32), (len(rows),))


def _fold_factor(node: onnx.NodeProto, kernel: onnx.NodeProto, values: np.ndarray, index: Index) -> bool:
    """Multiply a kernel's scales and the bias; a negative factor turns the signs of a row's steps."""
    steps, scale = (index.array(name) for name in kernel.input[:2])
    if (steps == -128).any() or (len(node.input) > 2 and node.input[2] not in index.initializers):
        return False
    signs = np.sign(values).astype(np.int8)
    factors = np.where(values == 0, 1, np.abs(values) * scale).astype(np.float32)
    if not np.isfinite(factors).all() or (factors <= 0).any():
        return False
    index.put(kernel, 0, steps * signs.reshape(-1, *[1] * (steps.ndim - 1)))
    index.put(kernel, 1, factors)
    index.put(kernel, 2, np.zeros(factors.shape, np.int8))
    del kernel.attribute[:]
    kernel.attribute.append(helper.make_attribute("axis", 0))
    if len(node.input) > 2:
        index.put(node, 2, index.array(node.input[2]) * values)
    return True


def _fold_shift(node: onnx.NodeProto, kernel: onnx.NodeProto, values: np.ndarray, index: Index) -> bool:
    """Add to the bias, or be one."""
    if len(node.input) > 2 and node.input[2] not in index.initializers:
        return False
    if len(node.input) < 3:
        node.input.append("")
        index.put(node, 2, values)
    else:
        index.put(node, 2, index.array(node.input[2]) + values)
    return True


def is_clip(node: onnx.NodeProto, index: Index) -> bool:
    """Whether a node is a ReLU or clips to constant bounds."""
    bounds = all(not name or index.is_scalar(name) for name in node.input[1:])
    return node.op_type == "Relu" or (node.op_type == "Clip" and bounds)


def move_clip_behind(quantiser: onnx.NodeProto, index: Index, nodes: list[onnx.NodeProto]) -> None:
    """Write a ReLU or a clip that a quantiser alone reads behind it, its bounds in steps."""
    clip = index.producers.get(quantiser.input[0])
    if clip is None or not is_clip(clip, index) or index.only_consumer(clip) is not quantiser:
        return
    name = quantiser.output[0]
    low, high = _bounds(clip, float(index.array(quantiser.input[1])), index)
    bounds = [index.add(f"{name}/{what}", np.array(step, np.uint8)) for what, step in (("low", low), ("high", high))]
    quantiser.input[0], quantiser.output[0] = clip.input[0], f"{name}/signed"
    inputs = [quantiser.output[0], bounds[0], *([bounds[1]] if high < LARGEST_STEP else [])]
    nodes.append(helper.make_node("Clip", inputs, [name], name=clip.name))


def _bounds(clip: onnx.NodeProto, scale: float, index: Index) -> tuple[int, int]:
    """Return the bounds of a ReLU or a clip in steps counted from 128."""
    given = [float(index.array(name)) if name else None for name in clip.input[1:]] + [None, None]
    low = 0.0 if clip.op_type == "Relu" else given[0]
    low = low if low is not None else -np.inf
    high = given[1] if given[1] is not None else np.inf
    steps = np.clip(np.rint(np.array([low, high]) / scale) + ZERO_POINT, 0, LARGEST_STEP)
    return int(steps[0]), int(steps[1])
