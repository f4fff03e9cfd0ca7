"""Brings pairs of Q/DQ into the form that ONNX Runtime's integer kernels take, without changing a value they stand for.

Integer products are fast for uint8 inputs only (measured: int8 inputs ten times slower), so zero points move from int8
0 to uint8 128, the same steps. What stands between a product and the quantisation of its result moves
(`integer_fusions.py`), so that ONNX Runtime recognises DequantizeLinear, Conv, QuantizeLinear as one QLinearConv.
Convolutions of few channels take the same quantised values through float kernels, which are faster there.

Pairs come from a calibration (scales of tensors, kernels stored in INT8) or from quantize and dequantize layers, whose
kernels are float constants in front of a pair.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtflow.reference.run.channel_order import separate_neighbours
from trtflow.reference.run.graph_index import Index, drop_unread, reads, replace_nodes
from trtflow.reference.run.integer_fusions import (
    PRODUCTS,
    average_in_float,
    fold_scales,
    is_clip,
    is_wide,
    kernel_of,
    move_clip_behind,
    pool_before_quantising,
)
from trtflow.reference.run.products import fits, overflows, risky_kernels
from trtflow.reference.run.sibling_products import join_siblings
from trtflow.reference.run.step_ranges import ZERO_POINT, Span, spans

MATRIX = 2  # axes
LARGEST_BIAS = 2**30  # leaves room for the sum of products


def use_integer_kernels(model: onnx.ModelProto) -> None:
    """Rewrite a lowered network in place; one without Q/DQ stays as it is."""
    graph = model.graph
    if not any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.node):
        return
    _pass_identities(graph)
    _fold_kernels(graph)
    _flatten_kernels(graph)
    fold_scales(graph)
    pool_before_quantising(graph)
    index = Index(graph)
    moved = [node for node in graph.node if _is_pair(node, index)]
    known = spans(graph, index)
    read = {node.output[0]: known.get(node.input[0], Span()) for node in moved}
    if overflows():
        separate_neighbours(graph, index, _lowest_zeros(moved, read, index))
    _move_zero_points(moved, read, index)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if is_clip(node, index) and index.only_consumer(node) in moved:
            continue  # it is written behind its quantiser
        nodes.append(node)
        if node in moved:
            move_clip_behind(node, read[node.output[0]], index, nodes)
        elif node.op_type in PRODUCTS and (kernel := kernel_of(node, index)) is not None:
            _fit_product(node, kernel, index, moved, nodes)
    replace_nodes(graph, nodes)
    average_in_float(graph)
    join_siblings(graph)
    if overflows():
        _widen_kernels(graph)


def _widen_kernels(graph: onnx.GraphProto) -> None:
    """Store kernels in uint8 where products of uint8 and int8 could overflow."""
    index = Index(graph)
    for kernel, zero in risky_kernels(index):
        if zero is None or zero.dtype != np.uint8:
            continue  # left to ONNX Runtime, which then takes care of all of them
        for place in (0, 2):
            steps = index.array(kernel.input[place]).astype(np.int16) + ZERO_POINT
            index.put(kernel, place, steps.astype(np.uint8))


def _pass_identities(graph: onnx.GraphProto) -> None:
    """Let nodes read what an Identity reads, as layers of constants and of no operation are one."""
    sources = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        for place, name in enumerate(node.input):
            while name in sources and name not in outputs:
                name = sources[name]  # noqa: PLW2901
            node.input[place] = name
    read = {name for node in graph.node for name in reads(node)} | outputs
    kept = [node for node in graph.node if node.op_type != "Identity" or node.output[0] in read]
    replace_nodes(graph, kept)


def _fold_kernels(graph: onnx.GraphProto) -> None:
    """Store the steps of a constant in place of its quantisation."""
    index = Index(graph)
    kept = []
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or any(name not in index.initializers for name in node.input):
            kept.append(node)
            continue
        values, scale = (index.array(name).astype(np.float32) for name in node.input[:2])
        steps = np.clip(np.rint(values / _along_axis(node, scale, values.ndim)), -128, 127).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(steps, node.output[0]))
    replace_nodes(graph, kept)


def _flatten_kernels(graph: onnx.GraphProto) -> None:
    """Take leading 1s from kernels of MatMul, and give stacks of kernels in float32, where they have several scales.

    ONNX Runtime's integer product has one scale a column for a matrix alone, and ends with an error for others. Both
    factors of a product have the same rank here, so that its result keeps its own.
    """
    index = Index(graph)
    for node in graph.node:
        producer = index.producers.get(node.input[1]) if node.op_type == "MatMul" else None
        if producer is None or producer.op_type != "DequantizeLinear" or producer.input[0] not in index.initializers:
            continue
        steps, scale = index.array(producer.input[0]), index.array(producer.input[1])
        if steps.ndim <= MATRIX or not scale.ndim:
            continue
        factors = _along_axis(producer, scale, steps.ndim)
        columns = scale.size == steps.shape[-1] == factors.shape[-1]
        if columns and set(steps.shape[:-MATRIX]) == {1} and index.only_consumer(producer) is node:
            index.put(producer, 0, steps.reshape(steps.shape[-MATRIX:]))
            del producer.attribute[:]
            producer.attribute.append(helper.make_attribute("axis", 1))
        else:
            node.input[1] = index.add(f"{node.name}/kernel", (steps * factors).astype(np.float32))
    drop_unread(graph)


def _along_axis(node: onnx.NodeProto, scale: np.ndarray, rank: int) -> np.ndarray:
    """Return the scales of a Q or DQ in a shape that is stretched over a tensor of some rank."""
    if not scale.ndim:
        return scale
    axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
    shape = [1] * rank
    shape[axis] = -1
    return scale.reshape(shape)


def _is_pair(node: onnx.NodeProto, index: Index) -> bool:
    """Whether a node quantises by one scale for DequantizeLinear alone, so that nothing else sees its steps."""
    if node.op_type != "QuantizeLinear" or node.output[0] in index.outputs:
        return False
    readers = index.consumers.get(node.output[0], [])
    dequantise = all(reader.op_type == "DequantizeLinear" for reader in readers)
    return dequantise and all(index.is_scalar(name) for pair in (node, *readers) for name in pair.input[1:])


def _move_zero_points(quantisers: list[onnx.NodeProto], read: Mapping[str, Span], index: Index) -> None:
    """Count the steps in uint8: from 0 where there are no negative ones, from 128 where nothing is known of them."""
    for node in quantisers:
        zero = _zero_point(node, read[node.output[0]], index)
        name = index.add(f"{node.output[0]}/zero", np.array(zero, np.uint8))
        for pair in (node, *index.consumers.get(node.output[0], [])):
            pair.input[2] = name


def _lowest_zeros(quantisers: list[onnx.NodeProto], read: Mapping[str, Span], index: Index) -> dict[str, int]:
    """Return from which byte on the values of each DequantizeLinear could count, by name."""
    return {
        pair.output[0]: read[node.output[0]].zero_point(float(index.array(node.input[1])))
        for node in quantisers
        for pair in index.consumers.get(node.output[0], [])
    }


def _zero_point(quantiser: onnx.NodeProto, span: Span, index: Index) -> int:
    """Return the byte of step 0; 128 where another one would have to be clipped and makes no kernel fit int8."""
    scale = float(index.array(quantiser.input[1]))
    zero = span.zero_point(scale)
    if zero == 0 or not span.exceeds(scale):
        return zero
    readers = [reader for pair in index.consumers[quantiser.output[0]] for reader in index.consumers[pair.output[0]]]
    kernels = [(reader, kernel_of(reader, index)) for reader in readers if reader.op_type in PRODUCTS]
    gains = overflows() and any(
        kernel and fits(reader, index.array(kernel.input[0]), zero) for reader, kernel in kernels
    )
    return zero if gains else ZERO_POINT


def _fit_product(
    node: onnx.NodeProto,
    kernel: onnx.NodeProto,
    index: Index,
    quantisers: list[onnx.NodeProto],
    nodes: list[onnx.NodeProto],
) -> None:
    """Quantise the bias of a product whose result is quantised; give any other its kernel in float32."""
    follower = index.only_consumer(node)
    if follower is not None and is_clip(follower, index):
        follower = index.only_consumer(follower)
    step = index.producers.get(node.input[0])
    scale = index.array(kernel.input[1])
    wide = is_wide(node, kernel, index)
    fixed = len(node.input) < 3 or node.input[2] in index.initializers
    if wide and fixed and follower in quantisers and step is not None and step.op_type == "DequantizeLinear":
        if len(node.input) > 2:
            _quantise_bias(node, index.array(node.input[2]), index.array(step.input[1]) * scale, nodes, index.graph)
        return
    values = index.array(kernel.input[0]).astype(np.float32)
    nodes.remove(kernel)
    node.input[1] = f"{node.name}/kernel"
    dequantised = values * scale.reshape(-1, *[1] * (values.ndim - 1))
    index.graph.initializer.append(numpy_helper.from_array(dequantised.astype(np.float32), node.input[1]))


def _quantise_bias(
    node: onnx.NodeProto, bias: np.ndarray, scale: np.ndarray, nodes: list[onnx.NodeProto], graph: onnx.GraphProto
) -> None:
    """Write the bias in steps of the accumulator, int32, as the integer kernels take it."""
    steps = np.clip(np.rint(bias.astype(np.float64) / scale), -LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
    names = [f"{node.name}/bias", f"{node.name}/bias_scale", f"{node.name}/bias_zero"]
    for name, array in zip(names, (steps, scale.astype(np.float32), np.zeros(scale.shape, np.int32)), strict=True):
        graph.initializer.append(numpy_helper.from_array(array, name))
    node.input[2] = f"{node.name}/bias_float"
    nodes.insert(-1, helper.make_node("DequantizeLinear", names, [node.input[2]], name=node.input[2], axis=0))
