"""Who makes and who reads each value of an ONNX graph, and changes to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper


class Index:
    """Who makes and who reads each value of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in reads(node):
                self.consumers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in graph.output}

    def only_consumer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the node that alone reads the single output of `node`, or None."""
        readers = self.consumers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 and node.output[0] not in self.outputs else None

    def pass_output(self, node: onnx.NodeProto, follower: onnx.NodeProto) -> None:
        """Let a node make what the only one that reads it made."""
        node.output[0] = follower.output[0]
        self.producers[node.output[0]] = node

    def add(self, name: str, values: np.ndarray) -> str:
        """Add an initializer; return its name."""
        self.graph.initializer.append(numpy_helper.from_array(np.require(values, requirements="C"), name))
        self.initializers[name] = self.graph.initializer[-1]
        return name

    def put(self, node: onnx.NodeProto, place: int, values: np.ndarray) -> None:
        """Give a node a constant input of its own, whoever else reads the one that it had."""
        node.input[place] = self.add(f"{node.name}/{place}/{len(self.initializers)}", values)

    def array(self, name: str) -> np.ndarray:
        """Return the values of an initializer."""
        return numpy_helper.to_array(self.initializers[name])

    def is_scalar(self, name: str) -> bool:
        """Whether a name is that of an initializer without dimensions."""
        return name in self.initializers and not self.initializers[name].dims


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those that graphs inside it read around them too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)


def replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Give a graph other nodes."""
    del graph.node[:]
    graph.node.extend(nodes)


def drop_unread(graph: onnx.GraphProto) -> None:
    """Remove nodes none of whose results anything reads."""
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if read.intersection(node.output):
            kept.append(node)
            read.update(reads(node))
    replace_nodes(graph, kept[::-1])


def set_initializer(tensor: TensorProto, array: np.ndarray) -> None:
    """Give an initializer other values; scalars stay scalars, which np.ascontiguousarray would not leave so."""
    tensor.CopyFrom(numpy_helper.from_array(np.require(array, requirements="C"), tensor.name))
