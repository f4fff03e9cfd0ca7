"""Patterns of TensorFlow's that stand for one operation; convert-to-uff looks for them by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.formats.graphdef import owner
from trtflow.graphsurgeon.dynamic_graph import DynamicGraph
from trtflow.graphsurgeon.nodes import extract_numpy_array
from trtflow.graphsurgeon.static_graph import NodeDef


def process_dilated_conv(dynamic_graph: DynamicGraph) -> None:
    """Put SpaceToBatchND, a convolution and BatchToSpaceND together: that is how TensorFlow 1 dilates.

    The convolution takes the block's shape as its dilation, the name of the last of the three, and SAME or VALID as its
    padding. Where the amounts of padding are not constant, or those of neither, the three stay as they are.
    """
    for space, convolution, batch in dynamic_graph.find_node_chains_by_op(
        ["SpaceToBatchND", ["Conv2D", "DepthwiseConv2dNative"], "BatchToSpaceND"]
    ):
        dilation = _dilation(dynamic_graph, space, convolution, batch)
        alone = all(len(dynamic_graph.node_outputs[node.name]) == 1 for node in (space, convolution))
        if dilation is None or not alone:
            continue
        block, padding = dilation
        merged = NodeDef()
        merged.CopyFrom(convolution)
        merged.name, merged.input[0] = batch.name, space.input[0]
        merged.attr["dilations"].list.i[:] = [1, *block, 1]
        merged.attr["padding"].s = padding
        spent = [space, convolution, *dynamic_graph.find_node_inputs(batch)[1:]]
        batch.CopyFrom(merged)
        _remove_unread(dynamic_graph, spent)


def _dilation(graph: DynamicGraph, space: Any, convolution: Any, batch: Any) -> tuple[list[int], bytes] | None:
    """Return the dilation that three nodes amount to and its padding, or None where they amount to none."""
    kernel, block, pads = _value(graph, convolution, 1), _value(graph, space, 1), _value(graph, space, 2)
    block_behind, crops = _value(graph, batch, 1), _value(graph, batch, 2)
    if kernel is None or block is None or pads is None or block_behind is None or crops is None:
        return None
    attributes = convolution.attr
    plain = attributes["padding"].s == b"VALID" and all(stride == 1 for stride in attributes["strides"].list.i)
    channels_last = attributes["data_format"].s in (b"", b"NHWC")
    if block.size != 2 or not np.array_equal(block, block_behind) or not (plain and channels_last) or crops[:, 0].any():
        return None
    # What makes a side divisible by the block is padded behind it, and cropped there again.
    before, after = pads[:, 0], pads[:, 1] - crops[:, 1]
    same = block * (np.array(kernel.shape[:2]) - 1)
    if (before == same // 2).all() and (after == same - same // 2).all():
        return block.tolist(), b"SAME"
    return None if before.any() or after.any() else (block.tolist(), b"VALID")


def process_softmax(dynamic_graph: DynamicGraph) -> None:
    """Take away the reshapes that TensorFlow 1 puts around a softmax, as it only has one of matrices.

    The first makes a matrix of a tensor, whose rows are the tensor's last axis; the second gives it its shape back.
    """
    for before, softmax, after in dynamic_graph.find_node_chains_by_op(["Reshape", "Softmax", "Reshape"]):
        alone = all(len(dynamic_graph.node_outputs[node.name]) == 1 for node in (before, softmax))
        if alone and _makes_a_matrix(dynamic_graph, before) and _restores(dynamic_graph, before, after):
            shapes = [dynamic_graph.node_map[owner(reshape.input[1])] for reshape in (before, after)]
            for reshape in (before, after):
                del reshape.input[1:]  # forwarding is to forward its data alone
            dynamic_graph.forward_inputs([before, after])
            _remove_unread(dynamic_graph, shapes)


def _remove_unread(graph: DynamicGraph, nodes: Sequence[Any]) -> None:
    """Remove those of these nodes that nothing reads any more, and what only they need."""
    graph._index()
    names = {node.name for node in nodes}
    unread = [node for node in nodes if {reader.name for reader in graph.node_outputs[node.name]} <= names]
    graph.remove(unread, remove_exclusive_dependencies=True)


def _makes_a_matrix(graph: DynamicGraph, reshape: Any) -> bool:
    """Whether a reshape is to [-1, n], or, as TensorFlow 1 writes it, to -1 and the end of its input's own shape."""
    shape = _value(graph, reshape, 1)
    if shape is not None:
        return shape.size == 2 and shape[0] == -1
    parts = graph.node_map[owner(reshape.input[1])]
    if parts.op != "ConcatV2" or len(parts.input) != 3:
        return False
    first, last = _value(graph, parts, 0), graph.node_map[owner(parts.input[1])]
    return first is not None and first.tolist() == [-1] and last.op == "Slice" and _is_shape_of(graph, last, reshape)


def _restores(graph: DynamicGraph, before: Any, after: Any) -> bool:
    """Whether the second reshape takes its shape from the very tensor that the first one reads."""
    return _is_shape_of(graph, after, before, index=1)


def _is_shape_of(graph: DynamicGraph, node: Any, reader: Any, index: int = 0) -> bool:
    """Whether an input of a node is the shape of the data that a reshape reads."""
    source = graph.node_map[owner(node.input[index])]
    return source.op == "Shape" and source.input[0].removesuffix(":0") == reader.input[0].removesuffix(":0")


def _value(graph: DynamicGraph, node: Any, index: int) -> np.ndarray | None:
    """Return the value of an input, past identities, or None where it is not constant."""
    source = graph.node_map.get(owner(node.input[index]))
    while source is not None and source.op == "Identity":
        source = graph.node_map.get(owner(source.input[0]))
    return extract_numpy_array(source) if source is not None and source.op == "Const" else None
