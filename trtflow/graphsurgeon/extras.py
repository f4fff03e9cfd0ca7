"""Patterns of TensorFlow's that stand for one operation; convert-to-uff looks for them by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from trtflow.graphsurgeon.dynamic_graph import DynamicGraph
from trtflow.graphsurgeon.nodes import extract_numpy_array
from trtflow.graphsurgeon.static_graph import NodeDef, owner


def process_dilated_conv(graph: DynamicGraph) -> None:
    """Put SpaceToBatchND, a convolution and BatchToSpaceND together: that is how TensorFlow 1 dilates.

    The convolution takes the block's shape as its dilation and the name of the last of the three. Where the blocks are
    padded such that the output is as large as the input its padding becomes SAME.
    """
    for chain in graph.find_node_chains_by_op(
        ["SpaceToBatchND", ["Conv2D", "DepthwiseConv2dNative"], "BatchToSpaceND"]
    ):
        space, convolution, batch = chain
        block, pads = (_constant(graph, space, index) for index in (1, 2))
        if block is None or pads is None:
            continue
        rate = [1, *block.tolist(), 1] if _channels_last(convolution) else [1, 1, *block.tolist()]
        kernel = _constant(graph, convolution, 1)
        merged = NodeDef.FromString(convolution.SerializeToString())
        merged.name = batch.name
        merged.input[0] = space.input[0]
        merged.attr["dilations"].list.i[:] = rate
        if kernel is not None and (pads.sum(1) >= block * (np.array(kernel.shape[:2]) - 1)).all():
            merged.attr["padding"].s = b"SAME"
        readers = [NodeDef.FromString(node.SerializeToString()) for node in graph.node_outputs[batch.name]]
        graph.remove([space, convolution, batch])
        graph.append(merged)
        for reader in readers:
            del graph.node_map[reader.name].input[:]
            graph.node_map[reader.name].input.extend(reader.input)
        graph._index()


def process_softmax(graph: DynamicGraph) -> None:
    """Take away the reshapes that TensorFlow 1 puts around a softmax, as it only has one of matrices."""
    for before, softmax, after in graph.find_node_chains_by_op(["Reshape", "Softmax", "Reshape"]):
        alone = all(len(graph.node_outputs[node.name]) == 1 for node in (before, softmax))
        shape = _constant(graph, before, 1)
        if alone and shape is not None and shape.size == 2 and _restores(graph, before, after):
            graph.forward_inputs(_without_shape(graph, before))
            graph.forward_inputs(_without_shape(graph, graph.node_map[after.name]))


def _restores(graph: DynamicGraph, before: Any, after: Any) -> bool:
    """Whether the second reshape takes its shape from the very tensor that the first one reads."""
    source = graph.node_map[owner(after.input[1])]
    return source.op == "Shape" and owner(source.input[0]) == owner(before.input[0])


def _without_shape(graph: DynamicGraph, node: Any) -> Any:
    """Leave a reshape its data alone, so that forwarding its inputs forwards that."""
    del node.input[1:]
    graph._index()
    return node


def _constant(graph: DynamicGraph, node: Any, index: int) -> np.ndarray | None:
    """Return the value of an input, past identities, or None where it is not constant."""
    source = graph.node_map.get(owner(node.input[index]))
    while source is not None and source.op == "Identity":
        source = graph.node_map.get(owner(source.input[0]))
    return extract_numpy_array(source) if source is not None and source.op == "Const" else None


def _channels_last(node: Any) -> bool:
    return node.attr["data_format"].s != tf.compat.as_bytes("NCHW")
