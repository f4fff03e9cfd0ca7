"""A TensorFlow graph to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from trtflow.formats import FormatError
from trtflow.formats.files import write_bytes

GraphDef, NodeDef = tf.compat.v1.GraphDef, tf.compat.v1.NodeDef


def owner(source: str) -> str:
    """Return the name of the node that an input names: of `^x` and of `x:1` it is x."""
    return source.lstrip("^").partition(":")[0]


def as_list(value: Any) -> list[Any]:
    """Return one thing, or several, as a list."""
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


class StaticGraph:
    """A graph with its nodes indexed.

    Args:
        graphdef: a GraphDef, the path of a frozen one, or a tf.Graph.

    Attributes:
        node_map: nodes by name.
        node_outputs: for each node's name the nodes that read it.
        graph_inputs: the placeholders.
        graph_outputs: nodes that no other reads.
    """

    def __init__(self, graphdef: Any = None) -> None:
        self._graph = GraphDef()
        if isinstance(graphdef, (str, Path)):
            self.read(graphdef)
        elif hasattr(graphdef, "as_graph_def"):
            self._graph.CopyFrom(graphdef.as_graph_def())
        elif graphdef is not None:
            self._graph.CopyFrom(graphdef)
        self._index()

    def _index(self) -> None:
        self.node_map: dict[str, Any] = {node.name: node for node in self._graph.node}
        self.node_outputs: dict[str, list[Any]] = {name: [] for name in self.node_map}
        for node in self._graph.node:
            for name in dict.fromkeys(owner(source) for source in node.input):
                self.node_outputs.setdefault(name, []).append(node)
        self.graph_inputs = [node for node in self._graph.node if node.op.startswith("Placeholder")]
        self.graph_outputs = [node for node in self._graph.node if not self.node_outputs[node.name]]

    def __iter__(self) -> Any:
        return iter(self._graph.node)

    def as_graph_def(self) -> Any:
        """Return a copy of the graph."""
        copy = GraphDef()
        copy.CopyFrom(self._graph)
        return copy

    def read(self, filename: str | Path) -> None:
        """Take the graph from a file.

        Raises:
            FormatError: the file holds no graph.
        """
        try:
            self._graph = GraphDef.FromString(Path(filename).read_bytes())
        except DecodeError as error:
            raise FormatError(
                filename, "not a TensorFlow graph, or a damaged one", "Freeze the model again."
            ) from error
        self._index()

    def write(self, filename: str | Path) -> None:
        """Write the graph; the same graph gives the same bytes."""
        write_bytes(filename, self._graph.SerializeToString(deterministic=True))

    def write_tensorboard(self, logdir: str | Path) -> None:
        """Write the graph for TensorBoard; nodes of plugins, which TensorFlow does not know, are there too."""
        with tf.Graph().as_default():
            writer = tf.compat.v1.summary.FileWriter(str(logdir))
            event = tf.compat.v1.Event(graph_def=self._graph.SerializeToString(deterministic=True))
            writer.add_event(event)
            writer.close()

    def find_nodes_by_op(self, op: str | Iterable[str]) -> list[Any]:
        """Return the nodes of an operation, or of several."""
        operations = set(as_list(op))
        return [node for node in self._graph.node if node.op in operations]

    def find_nodes_by_name(self, name: str | Iterable[str]) -> list[Any]:
        """Return the nodes whose whole name matches one of these regular expressions, or equals one."""
        return [node for node in self._graph.node if any(_matches(pattern, node.name) for pattern in as_list(name))]

    def find_nodes_by_path(self, path: str | Iterable[str]) -> list[Any]:
        """Return the nodes in one of these namespaces, which may be regular expressions, or of that very name."""
        patterns = [pattern.rstrip("/") for pattern in as_list(path)]
        return [node for node in self._graph.node if any(is_below(node.name, pattern) for pattern in patterns)]

    def find_node_inputs(self, node: Any) -> list[Any]:
        """Return the nodes that a node reads."""
        return [self.node_map[name] for name in map(owner, node.input) if name in self.node_map]

    def find_node_inputs_by_name(self, node: Any, name: str | Iterable[str]) -> list[Any]:
        """Return those of a node's inputs whose name matches."""
        return [item for item in self.find_node_inputs(node) if any(_matches(p, item.name) for p in as_list(name))]

    def find_node_inputs_by_op(self, node: Any, op: str | Iterable[str]) -> list[Any]:
        """Return those of a node's inputs that are of an operation."""
        return [item for item in self.find_node_inputs(node) if item.op in set(as_list(op))]

    def find_node_chains_by_op(self, chain: Sequence[str | Iterable[str]]) -> list[list[Any]]:
        """Return all chains of nodes, each reading the one before it, whose operations are these in order."""
        chains = [[node] for node in self.find_nodes_by_op(chain[0])]
        for op in chain[1:]:
            wanted = set(as_list(op))
            chains = [
                [*start, node] for start in chains for node in self.node_outputs[start[-1].name] if node.op in wanted
            ]
        return chains


def _matches(pattern: str, name: str) -> bool:
    if pattern == name:
        return True
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error:  # a plain name with characters that a pattern cannot have
        return False


def is_below(name: str, namespace: str) -> bool:
    """Whether a node's name is a namespace's, or lies in it; the namespace may be a regular expression."""
    if name == namespace or name.startswith(f"{namespace}/"):
        return True
    try:
        return re.match(rf"(?:{namespace})(?:/|$)", name) is not None
    except re.error:
        return False
