"""What a file holds, in one form for all kinds of files: as data, as JSON, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trtflow.cli import columns

SCHEMA = 1  # of the JSON
Shape = list[int | str]
BATCH = "N"  # the size that networks with an implicit batch leave out
FLOAT = "float32"


@dataclass(frozen=True)
class Tensor:
    """A tensor: its name, its type as NumPy has it, and its shape, with a name or -1 for a size that is open.

    Type and shape are None where the file does not tell.
    """

    name: str
    dtype: str | None = None
    shape: Shape | None = None


@dataclass(frozen=True)
class Layer:
    """A layer: its name and type in the file's own words, what it reads and gives.

    Attributes:
        precision: what it computes in, as NumPy has it, such as float32 or int8; None where the file does not tell.
        weights: how many numbers of weights it has.
    """

    name: str
    type: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    precision: str | None = None
    weights: int = 0


@dataclass(frozen=True)
class Range:
    """INT8 of a tensor: its scale, and its range, the largest absolute value, 127 times that."""

    tensor: str
    scale: float
    range: float


@dataclass(frozen=True)
class Blob:
    """Weights by name."""

    name: str
    dtype: str
    shape: Shape


@dataclass
class Description:
    """What a file holds.

    Attributes:
        file: its path, as it was given.
        form: one of `FORMS`.
        facts: what it says of itself besides, such as an opset or a version.
        inputs, outputs: of the network.
        layers: of the network, in the file's order.
        ranges: of a calibration table or a file of dynamic ranges.
        blobs: of a file of weights.
        notes: what could not be told, and why.
    """

    file: str
    form: str
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON, every key of the attributes above and `schema`, its version."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_text(self) -> str:
        """Return it as tables, one after another."""
        facts = "".join(f", {name} {value}" for name, value in self.facts.items())
        parts = [f"{self.file}: {self.form}{facts}"]
        for title, tensors in (("input", self.inputs), ("output", self.outputs)):
            if tensors:
                parts.append(columns((title, "type", "shape"), [_row(tensor) for tensor in tensors]))
        if self.layers:
            parts.append(self._layers())
        if self.ranges:
            rows = [(entry.tensor, f"{entry.scale:.9g}", f"{entry.range:.9g}") for entry in self.ranges]
            parts.append(f"{columns(('tensor', 'scale', 'range'), rows)}\n\n{_count(rows, 'tensor')}")
        if self.blobs:
            rows = [(blob.name, blob.dtype, shape_text(blob.shape)) for blob in self.blobs]
            parts.append(f"{columns(('weights', 'type', 'shape'), rows)}\n\n{_count(rows, 'blob')}")
        parts += [f"note: {note}" for note in self.notes]
        return "\n\n".join(parts)

    def _layers(self) -> str:
        heading = ("", "layer", "type", "output", "precision", "weights")
        rows = [
            (
                str(index),
                layer.name,
                layer.type,
                ", ".join(shape_text(tensor.shape) for tensor in layer.outputs),
                layer.precision or "",
                f"{layer.weights:,}" if layer.weights else "",
            )
            for index, layer in enumerate(self.layers)
        ]
        total = sum(layer.weights for layer in self.layers)
        weights = f", {total:,} weights" if total else ""
        return f"{columns(heading, rows)}\n\n{_count(rows, 'layer')}{weights}"


def shape_text(shape: Shape | None) -> str:
    """Return a shape as 1x3x300x300; a question mark where it is not known, `scalar` where it has no sizes."""
    if shape is None:
        return "?"
    return "x".join(map(str, shape)) or "scalar"


def _row(tensor: Tensor) -> tuple[str, str, str]:
    return tensor.name, tensor.dtype or "?", shape_text(tensor.shape)


def _count(rows: Sequence[Any], noun: str) -> str:
    return f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"
