"""The network definition: it records layers and tensors and computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.adders import Adders, Layer
from trtflow.reference.record.answers import answers
from trtflow.reference.record.enums import DataType, NetworkDefinitionCreationFlag
from trtflow.reference.record.layer import as_layer
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.shape_tensors import MOST_DIMENSIONS, TYPES
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import ILogger, Weights


class INetworkDefinition(Scope, Adders):
    """A network under construction; made by `Builder.create_network`.

    Args:
        flags: bits of `NetworkDefinitionCreationFlag`; without EXPLICIT_BATCH shapes leave the batch out.
        builder: what made it, whose logger takes the warnings of parsers that are given none.

    Attributes:
        in_order: whether layers read those before them only; not so where `set_input` was used.
        shape_outputs: tensors that are marked as outputs because their values are sizes.
        beyond_tensorrt: operators of its ONNX model that TensorRT 8.6 refuses and the parser was told to take.
    """

    read_only = ("has_implicit_batch_dimension", "has_explicit_precision", "builder")

    def __init__(self, flags: int = 0, builder: Any = None) -> None:
        super().__init__(getattr(builder, "logger", None), getattr(builder, "error_recorder", None))
        self.name, self.builder = "Unnamed Network 0", builder
        self.has_implicit_batch_dimension = not flags & (1 << int(NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        self.revision = 0
        self.in_order = True
        self.shape_outputs: list[ITensor] = []
        self.beyond_tensorrt: list[str] = []
        self._inputs: list[ITensor] = []
        self._outputs: list[ITensor] = []
        self._layers: list[L.ILayer] = []

    num_inputs = property(lambda self: len(self._inputs), doc="Number of inputs.")
    num_outputs = property(lambda self: len(self._outputs), doc="Number of marked outputs.")
    num_layers = property(lambda self: len(self._layers), doc="Number of layers.")
    has_explicit_precision = False  # TensorRT 8.6 ignores the flag

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, arg0: int) -> L.ILayer:
        return as_layer(self._layers[arg0])

    def __iter__(self) -> Iterator[L.ILayer]:
        return map(as_layer, list(self._layers))

    def __bool__(self) -> bool:
        return True

    @property
    def _network(self) -> INetworkDefinition:
        return self

    @property
    def has_flows(self) -> bool:
        """Whether there are loops or conditionals."""
        return self._flows > 0

    @property
    def logger(self) -> ILogger:
        """What takes the warnings of parsers."""
        return self._logger

    @answers(None)
    def get_input(self, index: int) -> ITensor:
        """Return an input; None where there is none of this index."""
        return self._inputs[self._checked(index, self._inputs, "input")]

    @answers(None)
    def get_output(self, index: int) -> ITensor:
        """Return a marked output; None where there is none of this index."""
        return self._outputs[self._checked(index, self._outputs, "output")]

    @answers(None)
    def get_layer(self, index: int) -> L.ILayer:
        """Return a layer; None where there is none of this index."""
        return as_layer(self._layers[self._checked(index, self._layers, "layer")])

    def _checked(self, index: int, items: Sequence[Any], what: str) -> int:
        if not 0 <= index < len(items):
            raise NetworkError(self.name, f"no {what} {index}", f"There are {len(items)}, counted from 0.")
        return index

    @answers(None)
    def add_input(self, name: str, dtype: DataType, shape: Any) -> ITensor:
        """Add an input; with an implicit batch the shape leaves the batch out."""
        if any(tensor.name == name for tensor in self._inputs):
            raise NetworkError(name, "a network input of this name is there already", "Give each input its own name.")
        tensor = ITensor(name, network=self)
        tensor.shape, tensor.dtype = shape, dtype
        self._inputs.append(tensor)
        return tensor

    @answers(None)
    def mark_output(self, tensor: ITensor) -> None:
        """Make a tensor an output of the network."""
        if tensor is None:
            raise NetworkError("output", "no such tensor to mark", "Look up the name of the blob in the prototxt.")
        if not tensor.is_network_output:
            tensor.mark(True)
            self._outputs.append(tensor)

    @answers(None)
    def unmark_output(self, tensor: ITensor) -> None:
        """Make a tensor internal again."""
        if tensor not in self._outputs:
            raise NetworkError(tensor.name, "this tensor is no marked output", "Mark it first.")
        tensor.mark(False)
        self._outputs.remove(tensor)

    @answers(False)
    def mark_output_for_shapes(self, tensor: ITensor) -> bool:
        """Make a tensor an output because its values are sizes; False where they cannot be."""
        if len(tensor.shape) > MOST_DIMENSIONS or tensor.native_dtype not in TYPES:
            fault = f"{tensor.native_dtype.name} of shape {tensor.shape} holds no sizes"
            raise NetworkError(tensor.name, fault, "Mark it with mark_output.")
        if tensor not in self.shape_outputs:
            self.shape_outputs.append(tensor)
            self.mark_output(tensor)
        return True

    @answers(False)
    def unmark_output_for_shapes(self, tensor: ITensor) -> bool:
        """Make such a tensor internal again; False where it is not marked so."""
        if tensor not in self.shape_outputs:
            return False
        self.shape_outputs.remove(tensor)
        self.unmark_output(tensor)
        return True

    @answers(None)
    def remove_tensor(self, tensor: ITensor) -> None:
        """Remove an input that no layer reads.

        Raises:
            NetworkError: a layer makes the tensor, or one reads it.
        """
        readers = [layer.name for layer in self if tensor in layer.inputs]
        if tensor not in self._inputs or readers:
            fault = f"layer {readers[0]!r} reads this tensor" if readers else "this tensor is no input of the network"
            raise NetworkError(tensor.name, fault, "Only inputs that nothing reads can be removed.")
        self._inputs.remove(tensor)

    def set_weights_name(self, weights: Any, name: str) -> bool:
        """Name weights for a refitter; they are found by the memory that they share with a layer's weights."""
        array = Weights.of(weights).numpy()
        found = [
            held
            for layer in self
            for held in vars(layer).values()
            if isinstance(held, Weights) and held.size and np.shares_memory(held.numpy(), array)
        ]
        for held in found:
            held.name = name
        return bool(found)

    def is_newest(self, layer: L.ILayer) -> bool:
        """Whether no layer can read a layer: it was added last, or is about to be."""
        return self.in_order and (not layer.outputs or not self._layers or self._layers[-1] == layer)

    def add_layer(self, layer: Layer) -> Layer:
        """Take a layer.

        Raises:
            NetworkError: it is not for a network with such a batch.
        """
        if layer.explicit_batch_only and self.has_implicit_batch_dimension:
            raise NetworkError(layer.name, f"{layer.title} with an implicit batch", "Make the batch explicit.")
        if layer.implicit_batch_only and not self.has_implicit_batch_dimension:
            raise NetworkError(layer.name, f"{layer.title} with an explicit batch", "Make the batch implicit.")
        layer.add_outputs()
        self._layers.append(layer)
        return layer
