"""What stands between a product of INT8 and the quantisation of its result, moved into one or behind the other.

- A scale and a shift of each channel, as a batch normalisation is, become the kernel's own scales and bias: TensorRT
  fuses them too.
- ReLU and clips move behind the quantisation: both are monotone, so that it is the same steps that are clipped.
- A maximum of what float kernels compute moves in front of it.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.run.graph_index import Index, drop_unread, replace_nodes
from trtflow.reference.run.step_ranges import STEPS, ZERO_POINT, Span, clip_bounds

LARGEST_STEP = 255
LEAST_CHANNELS = 16  # below, integer convolutions are slower than float ones (measured: 3 and 8 channels)
PRODUCTS = ("Conv", "Gemm")  # MatMul needs no help: ONNX Runtime takes it with a result in float too


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


def move_clip_behind(quantiser: onnx.NodeProto, span: Span, index: Index, nodes: list[onnx.NodeProto]) -> None:
    """Write a ReLU or a clip that a quantiser alone reads behind it, its bounds in steps.

    Args:
        quantiser: of uint8; above step 127 is room where its steps are not counted from 128.
        span: between what the values lie that it reads.
        index: of the graph.
        nodes: to add to.
    """
    clip = index.producers.get(quantiser.input[0])
    if clip is not None and (not is_clip(clip, index) or index.only_consumer(clip) is not quantiser):
        clip = None
    scale, zero = (float(index.array(name)) for name in quantiser.input[1:])
    low, high = clip_bounds(clip, index) if clip else (-np.inf, np.inf)
    if zero < ZERO_POINT and (clip or span.exceeds(scale)):
        high = min(high, STEPS * scale)
    steps = np.clip(np.rint(np.array([low, high]) / scale) + zero, 0, LARGEST_STEP)
    if clip:
        quantiser.input[0] = clip.input[0]
    if steps[0] == 0 and steps[1] == LARGEST_STEP:
        return
    name = quantiser.output[0]
    quantiser.output[0] = f"{name}/all"
    bounds = [
        index.add(f"{name}/{what}", step.astype(np.uint8)) for what, step in zip(("low", "high"), steps, strict=True)
    ]
    inputs = [quantiser.output[0], *(bounds if steps[1] < LARGEST_STEP else bounds[:1])]
    nodes.append(helper.make_node("Clip", inputs, [name], name=clip.name if clip else f"{name}/clip"))


def pool_before_quantising(graph: onnx.GraphProto) -> None:
    """Let the maximum of what float kernels compute be found before it is quantised, by the same scale behind it.

    Rounding is monotone, so that the steps are the same; pooling of uint8 is slow where channels are not last
    (measured: five times slower than of float32).
    """
    index = Index(graph)
    for node in graph.node:
        if node.op_type != "MaxPool" or len(node.output) != 1:
            continue
        quantiser, follower = _quantiser_of(node.input[0], index), index.only_consumer(node)
        if quantiser is None or follower is None or follower.op_type != "QuantizeLinear":
            continue
        same = all(index.is_scalar(name) for pair in (quantiser, follower) for name in pair.input[1:]) and all(
            index.array(one) == index.array(other)
            for one, other in zip(quantiser.input[1:], follower.input[1:], strict=True)
        )
        if same and not _is_integer(quantiser.input[0], index):
            node.input[0] = quantiser.input[0]
    drop_unread(graph)


def average_in_float(graph: onnx.GraphProto) -> None:
    """Keep averages of windows between a DequantizeLinear and a QuantizeLinear out of ONNX Runtime's integer kernel.

    That one computes in floats too, a value after the other (measured: 27 ms for the seven of SSD InceptionV2, which
    take 1 in float32). It would take the place of all three; so half of the average is quantised, by half of the scale,
    which are the same steps.
    """
    index = Index(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        follower = index.only_consumer(node) if node.op_type == "AveragePool" else None
        producer = index.producers.get(node.input[0]) if follower is not None else None
        if follower is None or producer is None or producer.op_type != "DequantizeLinear":
            continue
        if follower.op_type != "QuantizeLinear" or not index.is_scalar(follower.input[1]):
            continue
        half = index.add(f"{node.output[0]}/half", np.array(0.5, np.float32))
        halved = f"{node.output[0]}/halved"
        nodes.append(helper.make_node("Mul", [node.output[0], half], [halved], name=f"{node.name}/halved"))
        scale = index.array(follower.input[1]) / 2
        follower.input[0], follower.input[1] = halved, index.add(f"{halved}/scale", scale.astype(np.float32))
    replace_nodes(graph, nodes)


def _quantiser_of(name: str, index: Index) -> onnx.NodeProto | None:
    """Return the QuantizeLinear whose steps become a value."""
    node = index.producers.get(name)
    quantiser = index.producers.get(node.input[0]) if node is not None and node.op_type == "DequantizeLinear" else None
    return quantiser if quantiser is not None and quantiser.op_type == "QuantizeLinear" else None


def _is_integer(name: str, index: Index) -> bool:
    """Whether an integer kernel gives a value: what computes it reads steps, and is no convolution of few channels."""
    node = index.producers.get(name)
    while node is not None and is_clip(node, index):
        node = index.producers.get(node.input[0])
    if node is None or node.op_type not in PRODUCTS:
        return node is not None and any(_quantiser_of(name, index) is not None for name in node.input)
    kernel = kernel_of(node, index)
    return kernel is not None and is_wide(node, kernel, index) and _quantiser_of(node.input[0], index) is not None


def is_wide(node: onnx.NodeProto, kernel: onnx.NodeProto, index: Index) -> bool:
    """Whether integers are faster than floats for a product: it has many channels, or integers to read.

    Those would have to become floats in another layout first, and the result steps again, which is more than floats
    gain with few channels.
    """
    if node.op_type != "Conv" or index.array(kernel.input[0]).shape[1] >= LEAST_CHANNELS:
        return True
    quantiser = _quantiser_of(node.input[0], index)
    return quantiser is not None and _is_integer(quantiser.input[0], index)
