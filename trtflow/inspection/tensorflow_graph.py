"""A frozen TensorFlow graph: its operations, with the shapes that TensorFlow infers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtflow.cli import quiet_tensorflow
from trtflow.formats import FormatError
from trtflow.inspection.description import Description, Layer, Shape, Tensor

NO_LAYERS = ("Const", "Placeholder", "PlaceholderWithDefault", "NoOp")
SAVED_MODEL = "saved_model.pb"
CONSTANT = "Const"
PASSING = "Identity"  # how a frozen variable is read


def describe_graph(path: Path) -> Description:
    """Return what a frozen graph holds.

    Raises:
        FormatError: the file is damaged, a SavedModel, or TensorFlow does not take it.
    """
    if path.name == SAVED_MODEL:
        remedy = f"Freeze it: python scripts/freeze.py {path.parent} --out frozen.pb"
        raise FormatError(path, "a SavedModel and not a frozen graph", remedy)
    quiet_tensorflow()
    from trtflow.converters.frozen_graph import FrozenGraph  # noqa: PLC0415 - loads TensorFlow

    nodes = FrozenGraph(path, []).nodes
    if not nodes:
        raise FormatError(path, "not a TensorFlow graph, or a damaged one: it has no nodes", "Freeze the model again.")
    described = Description(str(path), "TensorFlow")
    weights = {name: _weights(operation) for name, operation in nodes.items()}
    read = {source.op.name for operation in nodes.values() for source in operation.inputs}
    constant = {name for name, count in weights.items() if count}
    for name, operation in nodes.items():
        outputs = [_tensor(value) for value in operation.outputs]
        if operation.type.startswith("Placeholder"):
            described.inputs += [Tensor(name, value.dtype, value.shape) for value in outputs]
        elif operation.type not in NO_LAYERS and name not in constant:
            described.layers.append(_layer(operation, outputs, weights))
            if name not in read:
                described.outputs += [Tensor(name, value.dtype, value.shape) for value in outputs[:1]]
    return described


def _weights(operation: Any) -> int:
    """Return how many numbers a constant holds, or what reads one and does no more; 0 for all else."""
    while operation.type == PASSING and len(operation.inputs) == 1:
        operation = operation.inputs[0].op
    return int(operation.outputs[0].shape.num_elements() or 0) if operation.type == CONSTANT else 0


def _layer(operation: Any, outputs: list[Tensor], weights: Mapping[str, int]) -> Layer:
    names = [source.op.name for source in operation.inputs]
    sources = [name for name in names if not weights[name]]
    precision = outputs[0].dtype if outputs else None
    return Layer(operation.name, operation.type, sources, outputs, precision, sum(weights[name] for name in names))


def _tensor(value: Any) -> Tensor:
    shape: Shape | None = None
    if value.shape.rank is not None:
        shape = [-1 if size is None else size for size in value.shape.as_list()]
    return Tensor(value.name, value.dtype.name, shape)
