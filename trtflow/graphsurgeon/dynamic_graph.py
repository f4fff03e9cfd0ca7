"""A TensorFlow graph to change."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from trtflow.formats.graphdef import owner
from trtflow.graphsurgeon.static_graph import StaticGraph, as_list


class DynamicGraph(StaticGraph):
    """A graph whose nodes can be added, removed and put together."""

    def append(self, node: Any) -> None:
        """Add a node; one whose name is taken is an error."""
        self.extend([node])

    add = append  # the name that some scripts call it by

    def extend(self, node_list: Iterable[Any]) -> None:
        """Add nodes; one whose name is taken is an error."""
        names = set(self.node_map)
        for node in node_list:
            if node.name in names:
                raise ValueError(f"a node named {node.name!r} is in the graph already")
            names.add(node.name)
            self._internal_graphdef.node.add().CopyFrom(node)
        self._index()

    def remove(self, nodes: Any, remove_exclusive_dependencies: bool = False) -> None:
        """Remove nodes, and what reads them loses that input.

        Args:
            nodes: nodes of the graph, or their names.
            remove_exclusive_dependencies: remove as well what only these nodes depend on.
        """
        names = {node if isinstance(node, str) else node.name for node in as_list(nodes)}
        if remove_exclusive_dependencies:
            names |= self._exclusive_dependencies(names)
        self._delete(names)
        for node in self:
            _set_inputs(node, [name for name in node.input if owner(name) not in names])
        self._index()

    def _exclusive_dependencies(self, names: set[str]) -> set[str]:
        found: set[str] = set()
        pending = [name for name in names if name in self.node_map]
        while pending:
            for source in self.find_node_inputs(self.node_map[pending.pop()]):
                readers = {node.name for node in self.node_outputs[source.name]}
                if source.name not in names | found and readers <= names | found:
                    found.add(source.name)
                    pending.append(source.name)
        return found

    def forward_inputs(self, nodes: Any) -> None:
        """Remove nodes and give their inputs to those that read them, as one removes an Identity.

        A node with control inputs stays, as in NVIDIA's: remove those first to forward it.
        """
        forwarded = {
            node.name: list(self.node_map[node.name].input)
            for node in as_list(nodes)
            if not any(name.startswith("^") for name in self.node_map[node.name].input)
        }
        self._delete(forwarded)
        for node in self:
            _set_inputs(node, [name for source in node.input for name in _forwarded(source, forwarded)])
        self._index()

    def collapse_namespaces(
        self, namespace_map: Mapping[str, Any], exclude_nodes: Iterable[Any] = (), unique_inputs: bool = True
    ) -> None:
        """Put all nodes of a namespace together into one, which reads what they read from outside.

        Args:
            namespace_map: for each namespace the node that takes its place; several may share one. Of namespaces that
                lie in each other the longest decides.
            exclude_nodes: nodes that stay as they are.
            unique_inputs: whether a new node reads each of its inputs once only.

        Raises:
            ValueError: a new node has the name of one that stays and is of another operation. With one of the same
                operation, from a call before this one, it is put together.
        """
        kept = {node.name for node in exclude_nodes}
        collapsed = {
            name: namespace_map[namespace]
            for name in self.node_map
            if name not in kept and (namespace := _namespace_of(name, namespace_map)) is not None
        }
        new_names = {name: node.name for name, node in collapsed.items()}
        inputs: dict[str, list[str]] = {node.name: list(node.input) for node in namespace_map.values()}
        for name, plugin in collapsed.items():
            inputs[plugin.name] += _inputs_from_outside(self.node_map[name], plugin, new_names)
        self._delete(collapsed)
        for node in self:
            _set_inputs(node, _renamed_once(node.input, new_names))
        self._index()
        self._add_collapsed(namespace_map, inputs, unique_inputs)

    def _add_collapsed(self, namespace_map: Mapping[str, Any], inputs: Mapping[str, list[str]], unique: bool) -> None:
        for plugin in {node.name: node for node in namespace_map.values()}.values():
            node = self.node_map.get(plugin.name)
            if node is not None and node.op != plugin.op:
                raise ValueError(f"a node named {plugin.name!r} ({node.op}) is in the graph already")
            before = [] if node is None else list(node.input)
            node = self._internal_graphdef.node.add() if node is None else node
            node.CopyFrom(plugin)
            sources = [*before, *inputs[plugin.name]]
            _set_inputs(node, list(dict.fromkeys(sources)) if unique else sources)
        self._index()

    def _delete(self, names: Container[str]) -> None:
        """Delete nodes; the others stay the objects they are, so that references that users hold remain good."""
        nodes = self._internal_graphdef.node
        for index in reversed(range(len(nodes))):
            if nodes[index].name in names:
                del nodes[index]


def _set_inputs(node: Any, sources: list[str]) -> None:
    if sources != list(node.input):
        del node.input[:]
        node.input.extend(sources)


def _forwarded(source: str, forwarded: Mapping[str, list[str]]) -> list[str]:
    """Return what takes the place of an input: of a control input only control inputs."""
    if owner(source) not in forwarded:
        return [source]
    found = [name for item in forwarded[owner(source)] for name in _forwarded(item, forwarded)]
    return [f"^{owner(name)}" for name in found] if source.startswith("^") else found


def _namespace_of(name: str, namespaces: Container[str]) -> str | None:
    """Return the longest of the namespaces that a node lies in, its own name being the longest there can be."""
    while name not in namespaces:
        name, slash, _ = name.rpartition("/")
        if not slash:
            return None
    return name


def _inputs_from_outside(node: Any, plugin: Any, new_names: Mapping[str, str]) -> list[str]:
    """Return what the node that takes a node's place has to read for it.

    A stand-in for a placeholder keeps an input such as image_tensor:0 that it has swallowed itself. It means nothing,
    but NVIDIA's leaves it there, and scripts written for that take it away by name.
    """
    sources = []
    for source in node.input:
        inside = new_names.get(owner(source)) == plugin.name
        if not inside:
            sources.append(_renamed(source, new_names))
        elif plugin.op == "Placeholder" and source == f"{owner(source)}:0":
            sources.append(source)
    return sources


def _renamed_once(sources: Iterable[str], new_names: Mapping[str, str]) -> list[str]:
    """Return the inputs of a node that stays, which reads each new node once, and all others as it did."""
    renamed: list[str] = []
    for source in sources:
        name = _renamed(source, new_names)
        if name == source or name not in renamed:
            renamed.append(name)
    return renamed


def _renamed(source: str, new_names: Mapping[str, str]) -> str:
    """Return an input by the name of the node that took the place of its own."""
    new = new_names.get(owner(source))
    if new is None:
        return source
    return f"^{new}" if source.startswith("^") else new
