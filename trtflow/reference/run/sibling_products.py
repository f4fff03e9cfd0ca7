"""Integer convolutions of one input and one form, computed as one, as TensorRT does with the branches of Inception.

A small convolution takes as long to begin as to compute, and with it the clip behind it. Each result keeps its own
scale: the rows of the joined kernel are scaled such that they come out in steps of a common one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.run.graph_index import Index, drop_unread, replace_nodes
from trtflow.reference.run.integer_fusions import kernel_of


@dataclass
class _Branch:
    """A convolution of steps, its quantiser, and the clip of the steps if there is one.

    Attributes:
        key: equal for convolutions that can be one.
    """

    nodes: list[onnx.NodeProto]
    kernel: onnx.NodeProto
    bias: onnx.NodeProto | None
    key: tuple[object, ...]

    conv = property(lambda self: self.nodes[0])
    quantiser = property(lambda self: self.nodes[1])
    result = property(lambda self: self.nodes[-1].output[0])


def join_siblings(graph: onnx.GraphProto) -> None:
    """Rewrite a graph whose products have been fitted to integer kernels, in place."""
    index = Index(graph)
    groups: dict[tuple[object, ...], list[_Branch]] = {}
    for node in graph.node:
        branch = _branch(node, index)
        if branch is not None:
            groups.setdefault(branch.key, []).append(branch)
    joined = {group[0].conv.output[0]: _joined(group, index) for group in groups.values() if len(group) > 1}
    gone = {node.output[0] for group in groups.values() if len(group) > 1 for branch in group for node in branch.nodes}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += joined.get(node.output[0], [] if node.output[0] in gone else [node])
    replace_nodes(graph, nodes)
    drop_unread(graph)


def _branch(node: onnx.NodeProto, index: Index) -> _Branch | None:
    """Return a convolution that ONNX Runtime computes in integers with what follows it; None where it does not."""
    if node.op_type != "Conv" or (kernel := kernel_of(node, index)) is None:
        return None
    source, quantiser = index.producers.get(node.input[0]), index.only_consumer(node)
    bias = index.producers.get(node.input[2]) if len(node.input) > 2 else None
    grouped = any(item.name == "group" and item.i != 1 for item in node.attribute)
    if grouped or source is None or source.op_type != "DequantizeLinear" or (len(node.input) > 2 and bias is None):
        return None
    if quantiser is None or quantiser.op_type != "QuantizeLinear" or not index.is_scalar(quantiser.input[1]):
        return None
    nodes, bounds = [node, quantiser], []
    clip = index.only_consumer(quantiser)
    if clip is not None and clip.op_type == "Clip" and all(map(index.is_scalar, clip.input[1:])):
        nodes.append(clip)
        bounds = [int(index.array(name)) for name in clip.input[1:]]
    steps = index.array(kernel.input[0])
    form = sorted(item.SerializeToString() for item in node.attribute if item.name != "group")
    zero = int(index.array(quantiser.input[2]))
    key = (node.input[0], *form, steps.dtype, steps.shape[1:], bias is None, zero, *bounds)
    return _Branch(nodes, kernel, bias, key)


def _joined(group: list[_Branch], index: Index) -> list[onnx.NodeProto]:
    """Return the nodes that give the results of convolutions of one key, under their names."""
    first = group[0]
    name, step = f"{first.conv.name}/joined", index.array(first.quantiser.input[1])
    factors = [step / index.array(branch.quantiser.input[1]) for branch in group]
    nodes = [_stacked(f"{name}/kernel", [branch.kernel for branch in group], factors, index)]
    biases = [branch.bias for branch in group if branch.bias is not None]
    if biases:
        nodes.append(_stacked(f"{name}/bias", biases, factors, index))
    value = first.conv.input[0]
    inputs = [value, *(node.output[0] for node in nodes)]
    for node in first.nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = value = f"{node.output[0]}/joined"
        copy.input[: len(inputs)] = inputs
        copy.output[0] = value
        nodes.append(copy)
        inputs = [value]
    rows = [index.array(branch.kernel.input[0]).shape[0] for branch in group]
    sizes = index.add(f"{name}/rows", np.array(rows))
    results = [branch.result for branch in group]
    return [*nodes, helper.make_node("Split", [value, sizes], results, name=f"{name}/rows", axis=1)]


def _stacked(name: str, sources: list[onnx.NodeProto], factors: list[np.ndarray], index: Index) -> onnx.NodeProto:
    """Return the DequantizeLinear of kernels or biases above each other, the scales of each times a factor."""
    parts = [index.array(node.input[0]) for node in sources]
    scales = [
        np.broadcast_to(index.array(node.input[1]) * factor, len(part))
        for node, part, factor in zip(sources, parts, factors, strict=True)
    ]
    steps = np.concatenate(parts)
    values = (steps, np.concatenate(scales).astype(np.float32), np.zeros(len(steps), steps.dtype))
    names = [index.add(f"{name}{end}", given) for end, given in zip(("", "_scale", "_zero"), values, strict=True)]
    return helper.make_node("DequantizeLinear", names, [f"{name}_float"], name=f"{name}_float", axis=0)
