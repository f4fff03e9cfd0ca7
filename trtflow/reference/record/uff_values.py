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
        logical: the order that the graph means, or "" as long as no node has told it.
        rows: number of the tensor's first axes that the graph takes for more of its batch, as sampleMovieLens does with
            the 100 items that it asks for at once.
        turned: whether the graph's own shape shows that an input was registered in the other order.
        picture: the order of an input's three registered dimensions where the graph declares fewer axes, else "". A
            convolution or the like takes it for the picture that it is registered as.
    """

    tensor: ITensor
    rank: int
    order: str = ""
    logical: str = ""
    rows: int = 0
    turned: bool = False
    picture: str = ""

    def permutation(self) -> tuple[int, ...]:
        """Return for each axis in the graph, the batch included, where it lies in the tensor with its batch.

        Raises:
            NetworkError: the tensor's order is not the graph's, and no node has told what that is. (TensorRT's parser
                then takes the tensor's axes for the graph's, and says nothing.)
        """
        if self.turned and not self.logical:
            fault = "its axes are needed, but the input it comes from is registered in another order than the graph's"
            raise NetworkError(self.tensor.name, fault, "Register that input in the order of the graph's own shape.")
        axes = tuple(range(self.rank))
        if self.order == self.logical or not self.logical or self.rank < LEAST_DIMS:
            return axes
        spatial = axes[1:-1] if self.order == "N+C" else axes[2:]
        channel = self.rank - 1 if self.order == "N+C" else 1
        return (0, *spatial, channel) if self.logical == "N+C" else (0, channel, *spatial)

    def place(self, axis: int) -> int:
        """Return which axis of the tensor, which leaves the batch out, another axis of the graph than the batch is."""
        return self.rows + self.permutation()[axis] - 1


Operand = Constant | Value


class Axes:
    """Reshapes and transposes of values, as layers of a network with an implicit batch."""

    def __init__(self, network: INetworkDefinition) -> None:
        self.network = network
        if not network.has_implicit_batch_dimension:
            remedy = "Create the network without EXPLICIT_BATCH, as every UFF sample does."
            raise NetworkError("UFF", "the parser makes networks with an implicit batch", remedy)

    def shape(self, value: Value) -> tuple[int, ...]:
        """Return a value's shape as the graph means it; the batch is -1."""
        sizes = (-1, *value.tensor.shape[value.rows :])
        return tuple(sizes[place] for place in value.permutation())

    def channels_first(self, value: Value, logical: str) -> Value:
        """Return a value whose tensor has its channels first, given the order that the graph means."""
        if value.picture and value.rank < LEAST_DIMS + 1:
            value = replace(value, rank=LEAST_DIMS + 1, order=value.picture)
        order = value.order or logical
        known = replace(value, order=order, logical=logical)
        if order != "N+C" or value.rank < LEAST_DIMS + 1:
            return known
        rank = value.rank
        return replace(self.transposed(known, (0, rank - 1, *range(1, rank - 1))), order="NC+", logical=logical)

    def as_meant(self, value: Value) -> Value:
        """Return a value whose tensor has the axes as the graph means them."""
        permutation = value.permutation()
        if permutation == tuple(range(value.rank)):
            return value
        return replace(self.transposed(value, permutation), order=value.logical)

    def alike(self, values: list[Value]) -> list[Value]:
        """Return values with one order of axes; an input whose order no node told yet means what the others mean."""
        known = {value.rank: value.logical for value in reversed(values) if value.logical}
        values = [
            replace(value, logical=known.get(value.rank, "")) if value.order and not value.logical else value
            for value in values
        ]
        if len({(value.rank, value.order, value.logical) for value in values}) == 1:
            return values
        if len({value.permutation() for value in values}) == 1:
            return values
        return [self.as_meant(value) for value in values]

    def reshaped(self, value: Value, shape: tuple[int, ...], name: str) -> Value:
        """Return a value in a new shape, the batch included; what was known of its axes is lost.

        Raises:
            NetworkError: the shape changes the batch, or the number of elements.
        """
        meant = self.as_meant(value)
        old = self.shape(meant)
        if len(shape) < 1 or (shape[0] not in (-1, 0, 1) and -1 in shape[1:]):
            raise NetworkError(name, f"a reshape to {list(shape)}, which moves the batch", "Keep the batch first.")
        sizes = tuple(
            old[axis] if size == 0 and axis < len(old) else size for axis, size in enumerate(shape[1:] or (1,), start=1)
        )
        total, rest = prod(meant.tensor.shape[meant.rows :]), abs(prod(sizes))
        if -1 in sizes and rest and total % rest == 0:
            sizes = tuple(total // rest if size == -1 else size for size in sizes)
        if prod(sizes) != total:
            raise NetworkError(name, f"a value of shape {old} cannot take the shape {list(shape)}")
        rank = len(sizes) + 1
        order = "NC+" if rank == 2 else ""  # a matrix is its own channels
        rows = tuple(meant.tensor.shape[: meant.rows])
        dims = rows + sizes + (1,) * (LEAST_DIMS - len(sizes))
        result = Value(meant.tensor, rank, order, order, meant.rows)
        if dims == tuple(meant.tensor.shape):
            return result
        layer = self.network.add_shuffle(meant.tensor)
        layer.reshape_dims = dims
        layer.name = f"{name}_reshape"
        return replace(result, tensor=layer.outputs[0])

    def aligned(self, constant: Constant, value: Value, name: str) -> ITensor:
        """Return a constant as a tensor that can be added to a value, stretched as NumPy does in the graph's order."""
        array, dims = constant.array, len(value.tensor.shape)
        if array.size == 1:
            return self.constant(Constant(array.reshape((1,) * dims)), name)
        if array.ndim > value.rank:
            raise NetworkError(name, f"a constant of shape {array.shape} with a value of {value.rank} axes")
        array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
        if array.shape[0] != 1:
            raise NetworkError(name, f"a constant with a batch of {array.shape[0]}", "Leave the batch out.")
        permutation = value.permutation()
        array = array.transpose([permutation.index(axis) for axis in range(value.rank)])[0]
        behind = dims - value.rows - array.ndim
        return self.constant(Constant(array.reshape((1,) * value.rows + array.shape + (1,) * behind)), name)

    def constant(self, constant: Constant, name: str) -> ITensor:
        """Return a constant as a tensor of its own shape."""
        layer = self.network.add_constant(constant.array.shape, np.ascontiguousarray(constant.array))
        layer.name = f"{name}_constant"
        return layer.outputs[0]

    def transposed(self, value: Value, permutation: tuple[int, ...]) -> Value:
        """Return a value whose tensor has its axes, the batch included, permuted; what is known of them stays."""
        rows, dims = value.rows, len(value.tensor.shape)
        layer = self.network.add_shuffle(value.tensor)
        behind = range(rows + value.rank - 1, dims)  # the 1s
        layer.first_transpose = (*range(rows), *(rows + axis - 1 for axis in permutation[1:]), *behind)
        return replace(value, tensor=layer.outputs[0])
