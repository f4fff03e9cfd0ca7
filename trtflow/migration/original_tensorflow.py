"""A frozen TensorFlow graph in TensorFlow, up to what a preprocessor put in its place for TensorRT.

A preprocessor gives the graph other inputs and plugins. TensorFlow is fed where these inputs are read, and the values
that plugins read are compared, or the outputs where there is no plugin.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from trtflow.converters.frozen_graph import FrozenGraph
from trtflow.formats import UserError
from trtflow.formats.uff import MetaGraph, read_uff
from trtflow.migration.agreement import compare
from trtflow.migration.lowering import Lowered, values_of
from trtflow.migration.originals import Asked, Original


def ask_tensorflow(original: Original, lowered: Lowered, feeds: Mapping[str, np.ndarray]) -> Asked:
    """Return how the lowered network differs from the graph in TensorFlow.

    Raises:
        UserError: TensorFlow cannot run the graph.
    """
    assert original.uff is not None
    uff = read_uff(original.uff)
    graph = FrozenGraph(original.path, [])
    names, replaced = _compared(uff, graph)
    asked = Asked(f"TensorFlow {tf.__version__}")
    asked.left_out += [f"{name}: the preprocessor put it there" for name in replaced]
    tensors = [name for name in names if name in lowered.tensors]
    if not tensors:
        raise UserError("the preprocessor left no node of the graph that could be compared")
    ours = values_of(lowered, tensors, feeds)
    wanted = graph.run_from({_fed(uff, graph, name): values for name, values in feeds.items()}, tensors)
    wanted = {name: _turned(values, ours[name].shape) for name, values in wanted.items()}
    asked.differences = compare(ours, wanted)
    if lowered.scales:
        asked.quantised = compare(values_of(lowered, tensors, feeds, quantised=True), wanted)
    return asked


def _compared(uff: MetaGraph, graph: FrozenGraph) -> tuple[list[str], list[str]]:
    """Return the nodes of the graph that something else than the graph reads, and the nodes that are not its own."""
    nodes = {node.id: node for node in uff.graphs[0].nodes}
    others = [name for name, node in nodes.items() if name not in graph.nodes and node.operation not in _NOT_COMPUTED]
    others = [name for name in others if not name.endswith(":out")]
    readers = [node for node in nodes.values() if node.id in others or node.operation == "MarkOutput"]
    wanted = dict.fromkeys(source for node in readers for source in node.inputs)
    own = [name for name in wanted if name in graph.nodes and nodes[name].operation not in _NOT_COMPUTED]
    return own, others


_NOT_COMPUTED = ("Input", "Const", "MarkOutput")


def _fed(uff: MetaGraph, graph: FrozenGraph, name: str) -> str:
    """Return the tensor of the graph that an input stands for: itself, or what the input's reader reads there."""
    if name in graph.nodes:
        return f"{name}:0"
    for node in uff.graphs[0].nodes:
        if name in node.inputs and node.id in graph.nodes:
            return graph.nodes[node.id].inputs[list(node.inputs).index(name)].name
    raise UserError(f"no node of the graph reads the input {name!r}")


def _turned(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a value in TensorRT's shape: channels in front, and three dimensions behind the batch."""
    if values.ndim == 4:
        turned = values.transpose(0, 3, 1, 2)
        if turned.shape == shape:
            return turned
    if values.size != int(np.prod(shape)):
        raise UserError(f"a value of shape {values.shape} in TensorFlow has {shape} in ONNX")
    return values.reshape(shape)
