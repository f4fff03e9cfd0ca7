"""What flows between the nodes of a UFF graph: constants, and tensors with what the graph thinks of their axes.

TensorFlow's graphs mostly have channels last, TensorRT's layers want them first. As TensorRT's parser does, each tensor
remembers the order that the graph means (`logical`) beside the one that it has (`order`), and is transposed only where
that makes a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.tensor import ITensor

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

LEAST_DIMS = 3  # of a tensor without its batch: fewer get 1s behind them


@dataclass(frozen=True)
class Constant:
    """A constant in the graph's own shape and order."""

    array: np.ndarray


@dataclass(frozen=True)
class Value:
    """A tensor.

    Attributes:
        tensor: the network's tensor.
        rank: number of axes in the graph, the batch included; the tensor may have 1s behind them.
        order: of the tensor's axes: NC+ or N+C, or "" where nothing is known of them.
        logical: the order that the graph means.
    """

    tensor: ITensor
    rank: int
    order: str = ""
    logical: str = ""

    def permutation(self) -> tuple[int, ...]:
        """Return for each axis in the graph, the batch included, where it lies in the tensor with its batch."""
        axes = tuple(range(self.rank))
        if self.order == self.logical or not self.logical or self.rank < LEAST_DIMS:
            return axes
        spatial = axes[1:-1] if self.order == "N+C" else axes[2:]
        channel = self.rank - 1 if self.order == "N+C" else 1
        return (0, *spatial, channel) if self.logical == "N+C" else (0, channel, *spatial)


class Axes:
    """Reshapes and transposes of values, as layers of a network.

    Args:
        network: the network; `skip` axes, the batch, are left out of its tensors' shapes.
    """

    def __init__(self, network: INetworkDefinition) -> None:
        self.network, self.skip = network, int(network.has_implicit_batch_dimension)
        if not self.skip:
            remedy = "Create the network without EXPLICIT_BATCH, as every UFF sample does."
            raise NetworkError("UFF", "the parser makes networks with an implicit batch", remedy)

    def shape(self, value: Value) -> tuple[int, ...]:
        """Return a value's shape as the graph means it; the batch is -1."""
        sizes = (-1, *value.tensor.shape)
        return tuple(sizes[place] for place in value.permutation())

    def channels_first(self, value: Value, logical: str) -> Value:
        """Return a value whose tensor has its channels first, given the order that the graph means."""
        order = value.order or logical
        known = replace(value, order=order, logical=logical)
        if order != "N+C" or value.rank < LEAST_DIMS + 1:
            return known
        rank = value.rank
        return replace(self._transposed(known, (0, rank - 1, *range(1, rank - 1))), order="NC+", logical=logical)

    def as_meant(self, value: Value) -> Value:
        """Return a value whose tensor has the axes as the graph means them."""
        permutation = value.permutation()
        if permutation == tuple(range(value.rank)):
            return replace(value, order=value.logical)
        return replace(self._transposed(value, permutation), order=value.logical)

    def reshaped(self, value: Value, shape: tuple[int, ...], name: str) -> Value:
        """Return a value in a new shape, the batch included; what was known of its axes is lost.

        Raises:
            NetworkError: the shape changes the batch, or the number of elements.
        """
        meant = self.as_meant(value)
        if len(shape) < 1 or (shape[0] not in (-1, 0) and -1 in shape[1:]):
            raise NetworkError(name, f"a reshape to {list(shape)}, which moves the batch", "Keep the batch first.")
        sizes = shape[1:] or (1,)
        total = prod(meant.tensor.shape)
        known = abs(prod(sizes))
        if -1 in sizes and known and total % known == 0:
            sizes = tuple(total // known if size == -1 else size for size in sizes)
        if prod(sizes) != total:
            raise NetworkError(name, f"a value of shape {self.shape(meant)} cannot take the shape {list(shape)}")
        rank = len(sizes) + 1
        sizes += (1,) * (LEAST_DIMS - len(sizes))
        if sizes == tuple(meant.tensor.shape):
            return Value(meant.tensor, rank, *(("NC+", "NC+") if rank == 2 else ("", "")))
        layer = self.network.add_shuffle(meant.tensor)
        layer.reshape_dims = sizes
        layer.name = f"{name}_reshape"
        return Value(layer.outputs[0], rank, *(("NC+", "NC+") if rank == 2 else ("", "")))

    def aligned(self, constant: Constant, value: Value, name: str) -> ITensor:
        """Return a constant as a tensor that can be added to a value, stretched as NumPy does in the graph's order."""
        array = constant.array
        if array.ndim > value.rank:
            raise NetworkError(name, f"a constant of shape {array.shape} with a value of {value.rank} axes")
        array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
        if array.shape[0] != 1:
            raise NetworkError(name, f"a constant with a batch of {array.shape[0]}", "Leave the batch out.")
        permutation = value.permutation()
        array = array.transpose([permutation.index(axis) for axis in range(value.rank)])[0]
        array = array.reshape(array.shape + (1,) * (len(value.tensor.shape) - array.ndim))
        return self.constant(Constant(array), name)

    def constant(self, constant: Constant, name: str) -> ITensor:
        """Return a constant as a tensor of its own shape."""
        layer = self.network.add_constant(constant.array.shape, np.ascontiguousarray(constant.array))
        layer.name = f"{name}_constant"
        return layer.outputs[0]

    def _transposed(self, value: Value, permutation: tuple[int, ...]) -> Value:
        layer = self.network.add_shuffle(value.tensor)
        behind = range(value.rank - 1, len(value.tensor.shape))  # the 1s
        layer.first_transpose = (*(axis - 1 for axis in permutation[1:]), *behind)
        return replace(value, tensor=layer.outputs[0])
