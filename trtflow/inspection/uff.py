"""A UFF graph: its nodes, with the shapes that TensorRT's parser gives their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.converters.uff_shapes import dimensions_of
from trtflow.formats import UserError
from trtflow.formats.uff import MetaGraph, Node, read_uff, value_of
from trtflow.inspection.description import BATCH, FLOAT, Description, Layer, Shape, Tensor
from trtflow.inspection.outline import empty_network
from trtflow.reference.record.enums import DataType, UffInputOrder
from trtflow.reference.record.uff_parser import Parse
from trtflow.reference.record.uff_values import Constant
from trtflow.reference.record.values import Dims

NO_LAYERS = ("Input", "Const", "MarkOutput")


def describe_uff(path: Path) -> Description:
    """Return what a UFF file holds; shapes are channels first, as TensorRT's parser has them, with a batch N.

    Raises:
        FormatError: the file is damaged.
    """
    graph = read_uff(path)
    described = Description(str(path), "UFF", {"version": graph.version})
    nodes = list(graph.graphs[0].nodes)
    shapes = _shapes(graph, path, described.notes)
    counts = {node.id: _size_of(node) for node in nodes if node.operation == "Const"}
    described.inputs = [_tensor(node.id, node, shapes) for node in nodes if node.operation == "Input"]
    described.outputs = [_tensor(name, None, shapes) for name in _outputs(nodes)]
    described.layers = [
        Layer(
            node.id,
            node.operation.removeprefix("_"),
            [name for name in node.inputs if name not in counts],
            [_tensor(node.id, None, shapes)],
            FLOAT,
            sum(counts.get(name, 0) for name in node.inputs),
        )
        for node in nodes
        if node.operation not in NO_LAYERS
    ]
    return described


def _size_of(node: Node) -> int:
    shape = value_of(node.fields["shape"]) if "shape" in node.fields else []
    return int(np.prod(shape, dtype=np.int64)) if isinstance(shape, list) else 0


def _tensor(name: str, node: Node | None, shapes: dict[str, Shape]) -> Tensor:
    dtype = FLOAT
    if node is not None and "dtype" in node.fields:
        stated = value_of(node.fields["dtype"])
        dtype = FLOAT if stated is None else np.dtype(stated).name
    return Tensor(name, dtype, shapes.get(name))


def _outputs(nodes: Sequence[Node]) -> list[str]:
    """Return the nodes that are marked, or, where none is, those that no other reads."""
    marked = [node.inputs[0] for node in nodes if node.operation == "MarkOutput" and node.inputs]
    read = {name for node in nodes for name in node.inputs}
    return marked or [node.id for node in nodes if node.id not in read and node.operation not in NO_LAYERS]


def _shapes(graph: MetaGraph, path: Path, notes: list[str]) -> dict[str, Shape]:
    """Return the shape of each node's value; what the parser refuses is a note."""
    nodes = list(graph.graphs[0].nodes)
    try:
        inputs = {
            node.id: (Dims(dimensions_of(node, graph, path)), UffInputOrder.NCHW)
            for node in nodes
            if node.operation == "Input"
        }
        parse = Parse(graph, str(path), empty_network(), DataType.FLOAT, inputs, "")
    except UserError as error:
        notes.append(f"no shapes: {error}")
        return {}
    for name in _outputs(nodes):
        try:
            parse.mark(name)
        except UserError as error:
            notes.append(f"no shapes from here on: {error}")
    return dict(_found(parse.values))


def _found(values: dict[str, Any]) -> Iterator[tuple[str, Shape]]:
    for name, value in values.items():
        if isinstance(value, Constant):
            yield name, list(value.array.shape)
        else:
            yield name, [BATCH, *value.tensor.shape]
