"""A TensorFlow graph to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trtflow.graphsurgeon.static_graph import NodeDef, StaticGraph, as_list, is_below, owner


class DynamicGraph(StaticGraph):
    """A graph whose nodes can be added, removed and put together."""

    def append(self, node: Any) -> None:
        """Add a node."""
        self.extend([node])

    def extend(self, nodes: Iterable[Any]) -> None:
        """Add nodes; one whose name is taken is an error."""
        for node in nodes:
            if any(known.name == node.name for known in self._graph.node):
                raise ValueError(f"a node named {node.name!r} is in the graph already")
            self._graph.node.add().CopyFrom(node)
        self._index()

    def remove(self, nodes: Any, remove_exclusive_dependencies: bool = False) -> None:
        """Remove nodes, and what reads them loses that input.

        Args:
            nodes: nodes of the graph.
            remove_exclusive_dependencies: remove as well what only these nodes depend on.
        """
        names = {node.name for node in as_list(nodes)}
        if remove_exclusive_dependencies:
            names |= self._exclusive_dependencies(names)
        self._keep(lambda node: node.name not in names)

    def _exclusive_dependencies(self, names: set[str]) -> set[str]:
        found: set[str] = set()
        pending = list(names)
        while pending:
            for source in self.find_node_inputs(self.node_map[pending.pop()]):
                readers = {node.name for node in self.node_outputs[source.name]}
                if source.name not in names | found and readers <= names | found:
                    found.add(source.name)
                    pending.append(source.name)
        return found

    def forward_inputs(self, nodes: Any) -> None:
        """Remove nodes and give their inputs to those that read them, as one removes an Identity."""
        for removed in [self.node_map[node.name] for node in as_list(nodes)]:
            forwarded = list(removed.input)
            for node in self.node_outputs[removed.name]:
                sources = [
                    source
                    for name in node.input
                    for source in (_forwarded(name, forwarded) if owner(name) == removed.name else [name])
                ]
                del node.input[:]
                node.input.extend(dict.fromkeys(sources) if any(s.startswith("^") for s in sources) else sources)
            self._keep(lambda node, name=removed.name: node.name != name)

    def collapse_namespaces(
        self, namespace_map: Mapping[str, Any], exclude_nodes: Iterable[Any] = (), unique_inputs: bool = True
    ) -> None:
        """Put all nodes of a namespace together into one.

        Args:
            namespace_map: for each namespace the node that takes its place; several may share one. Of namespaces that
                lie in each other the longest decides.
            exclude_nodes: nodes that stay as they are.
            unique_inputs: whether a new node reads each of its inputs once only.
        """
        kept = {node.name for node in exclude_nodes}
        places = {name: self._place(name, namespace_map) for name in self.node_map if name not in kept}
        found = {name: namespace_map[place].name for name, place in places.items() if place is not None}
        inputs: dict[str, list[str]] = {node.name: list(node.input) for node in namespace_map.values()}
        for node in self._graph.node:
            if node.name in found:
                outside = [_renamed(name, found) for name in node.input]
                inputs[found[node.name]] += [name for name in outside if owner(name) != found[node.name]]
        self._keep(lambda node: node.name not in found, forget=False)
        for node in self._graph.node:
            sources = [_renamed(name, found) for name in node.input]
            if sources != list(node.input):
                del node.input[:]
                node.input.extend(dict.fromkeys(sources) if unique_inputs else sources)
        self._add_collapsed(namespace_map, inputs, unique_inputs)

    def _add_collapsed(self, namespace_map: Mapping[str, Any], inputs: Mapping[str, list[str]], unique: bool) -> None:
        for node in {node.name: node for node in namespace_map.values()}.values():
            added = next((known for known in self._graph.node if known.name == node.name), None)
            if added is None:
                added = self._graph.node.add()
            added.CopyFrom(node)
            del added.input[:]
            added.input.extend(dict.fromkeys(inputs[node.name]) if unique else inputs[node.name])
        self._index()

    @staticmethod
    def _place(name: str, namespace_map: Mapping[str, Any]) -> str | None:
        """Return the longest of the namespaces that a node lies in."""
        return max((place for place in namespace_map if is_below(name, place)), key=len, default=None)

    def _keep(self, wanted: Any, forget: bool = True) -> None:
        """Keep the nodes that are wanted, and with `forget` no input that names another."""
        nodes = [node for node in self._graph.node if wanted(node)]
        left = [NodeDef.FromString(node.SerializeToString()) for node in nodes]
        del self._graph.node[:]
        self._graph.node.extend(left)
        names = {node.name for node in left}
        if forget:
            for node in self._graph.node:
                sources = [name for name in node.input if owner(name) in names]
                if len(sources) != len(node.input):
                    del node.input[:]
                    node.input.extend(sources)
        self._index()


def _forwarded(name: str, inputs: list[str]) -> list[str]:
    """Return what takes the place of an input: of a control input only control inputs."""
    return [f"^{owner(item)}" for item in inputs] if name.startswith("^") else inputs


def _renamed(name: str, found: Mapping[str, str]) -> str:
    """Return an input by the name of the node that took the place of its own."""
    new = found.get(owner(name))
    if new is None:
        return name
    return f"^{new}" if name.startswith("^") else new
