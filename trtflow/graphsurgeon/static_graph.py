"""A TensorFlow graph to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from trtflow.formats.files import write_bytes
from trtflow.formats.graphdef import owner
from trtflow.graphsurgeon.graph_file import read_graph_def

GraphDef, NodeDef = tf.compat.v1.GraphDef, tf.compat.v1.NodeDef


def as_list(value: Any) -> list[Any]:
    """Return one node or one name, or several, as a list."""
    return [value] if isinstance(value, (str, NodeDef)) else list(value)


class StaticGraph:
    """A graph with its nodes indexed.

    Args:
        graphdef: a GraphDef, the path of a frozen one, a tf.Graph or another graph of this kind; it is copied.

    Attributes:
        node_map: nodes by name.
        node_outputs: for each node's name the nodes that read it.
        graph_inputs: the placeholders and queues.
        graph_outputs: nodes that read others and that no other reads.

    Nodes are found in the order of the graph, and are the graph's own: a change to one is a change to the graph.
    """

    def __init__(self, graphdef: Any = None) -> None:
        self._internal_graphdef = GraphDef()  # NVIDIA's name, which users' scripts reach for
        if isinstance(graphdef, (str, Path)):
            self.read(graphdef)
        elif hasattr(graphdef, "as_graph_def"):
            self._internal_graphdef.CopyFrom(graphdef.as_graph_def())
        elif graphdef is not None:
            self._internal_graphdef.CopyFrom(graphdef)
        self._index()

    def _index(self) -> None:
        self.node_map: dict[str, Any] = {node.name: node for node in self._internal_graphdef.node}
        self.node_outputs: dict[str, list[Any]] = {name: [] for name in self.node_map}
        for node in self._internal_graphdef.node:
            for name in dict.fromkeys(owner(source) for source in node.input):
                self.node_outputs.setdefault(name, []).append(node)
        self.graph_inputs = self.find_nodes_by_op(("Placeholder", "FIFOQueue", "FIFOQueueV2"))
        self.graph_outputs = [
            node for node in self._internal_graphdef.node if node.input and not self.node_outputs[node.name]
        ]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._internal_graphdef.node)

    def __len__(self) -> int:
        return len(self._internal_graphdef.node)

    def __getitem__(self, key: str | int) -> Any:
        return self.node_map[key] if isinstance(key, str) else self._internal_graphdef.node[key]

    def as_graph_def(self) -> Any:
        """Return the graph itself, not a copy."""
        return self._internal_graphdef

    def read(self, filename: str | Path) -> None:
        """Take the graph from a file.

        Raises:
            FormatError: the file holds no graph, or one that TensorFlow does not survive.
        """
        self._internal_graphdef = read_graph_def(filename)
        self._index()

    def write(self, filename: str | Path) -> None:
        """Write the graph; the same graph gives the same bytes."""
        write_bytes(filename, self._internal_graphdef.SerializeToString(deterministic=True))

    def write_tensorboard(self, logdir: str | Path) -> None:
        """Write the graph for TensorBoard; nodes of plugins, which TensorFlow does not know, are there too."""
        with tf.Graph().as_default():
            writer = tf.compat.v1.summary.FileWriter(str(logdir))
            event = tf.compat.v1.Event(graph_def=self._internal_graphdef.SerializeToString(deterministic=True))
            writer.add_event(event)
            writer.close()

    def find_nodes_by_op(self, op: str | Iterable[str]) -> list[Any]:
        """Return the nodes of an operation, or of several."""
        operations = set(as_list(op))
        return [node for node in self if node.op in operations]

    def find_nodes_by_name(self, name: str | Iterable[str]) -> list[Any]:
        """Return the nodes whose name without its namespaces equals or, in whole, matches one of these expressions."""
        return [node for node in self if _matches(name, _last_part(node.name))]

    def find_nodes_by_path(self, path: str | Iterable[str]) -> list[Any]:
        """Return the nodes whose full name, namespaces included, equals or matches one of these expressions."""
        return [node for node in self if _matches(path, node.name)]

    def find_node_inputs(self, node: Any) -> list[Any]:
        """Return the nodes that a node reads."""
        return [self.node_map[name] for name in map(owner, node.input) if name in self.node_map]

    def find_node_inputs_by_name(self, node: Any, name: str | Iterable[str]) -> list[Any]:
        """Return those of a node's inputs whose name matches, as in `find_nodes_by_name`."""
        return [item for item in self.find_node_inputs(node) if _matches(name, _last_part(item.name))]

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


def _matches(patterns: str | Iterable[str], name: str) -> bool:
    return any(pattern == name or re.fullmatch(pattern, name) for pattern in as_list(patterns))


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
