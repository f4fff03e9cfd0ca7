"""Layers on whole tensors, without windows: products, reductions, look-ups, cuts.

As in `layers`, each class states its type, its attributes with TensorRT's defaults, and the shape of its output; axes
do not count an implicit batch dimension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    DataType,
    GatherMode,
    LayerType,
    MatrixOperation,
    ReduceOperation,
    TopKOperation,
    UnaryOperation,
)
from trtflow.reference.record.layers import ILayer, _Window
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights, volume

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition


def broadcast(layer: ILayer, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """Return what two shapes of equal rank give together; sizes of 1 are stretched."""
    pairs = list(zip(first, second, strict=False))
    if len(first) != len(second) or any(a != b and 1 not in (a, b) and -1 not in (a, b) for a, b in pairs):
        raise NetworkError(layer.name, f"inputs of shapes {Dims(first)} and {Dims(second)} do not fit together")
    return tuple(b if a == 1 else a for a, b in pairs)


def axes_of(mask: int, rank: int) -> list[int]:
    """Return the axes whose bits are set."""
    return [axis for axis in range(rank) if mask >> axis & 1]


class IDeconvolutionLayer(_Window):
    """Transposed convolution; kernel weights [C, K / groups, R, S], bias [K]."""

    type, title = LayerType.DECONVOLUTION, "Deconvolution"

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        num_output_maps: int,
        kernel_shape: tuple[int, int],
        kernel: Weights,
        bias: Weights,
    ) -> None:
        super().__init__(network, [input], kernel_shape)
        self.num_output_maps, self.num_groups = int(num_output_maps), 1
        self.kernel, self.bias = kernel, bias

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.window

    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Return [C, K / groups, R, S], checked against the number of weights."""
        shape = (self.inputs[0].shape[-3], self.num_output_maps // self.num_groups, *self.window)
        if self.kernel.size != volume(shape):
            raise NetworkError(
                self.name, f"{self.kernel.size} kernel weights, but its shape {shape} needs {volume(shape)}"
            )
        return shape

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, K, H', W')."""
        sizes = [
            (self.inputs[0].shape[axis - 2] - 1) * self.stride[axis]
            + self.dilation[axis] * (self.window[axis] - 1)
            + 1
            - self.pre_padding[axis]
            - self.post_padding[axis]
            for axis in (0, 1)
        ]
        return (*self.inputs[0].shape[:-3], self.num_output_maps, *sizes)


class IMatrixMultiplyLayer(ILayer):
    """Product of matrices in the last two dimensions, or of vectors in the last; the others are stretched."""

    type, title = LayerType.MATRIX_MULTIPLY, "Matrix Multiply"

    def __init__(
        self, network: INetworkDefinition, input0: ITensor, op0: MatrixOperation, input1: ITensor, op1: MatrixOperation
    ) -> None:
        super().__init__(network, [input0, input1])
        self.op0, self.op1 = MatrixOperation(op0), MatrixOperation(op1)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, rows, columns), of a vector without its dimension."""
        first, second = (
            self._as_matrices(tensor.shape, op, place)
            for place, (tensor, op) in enumerate(zip(self.inputs, (self.op0, self.op1), strict=True))
        )
        if first[-1] != second[-2] and -1 not in (first[-1], second[-2]):
            shapes = " and ".join(str(tensor.shape) for tensor in self.inputs)
            raise NetworkError(self.name, f"matrices of shapes {shapes} cannot be multiplied")
        leading = broadcast(self, first[:-2], second[:-2])
        rows = () if self.op0 == MatrixOperation.VECTOR else first[-2:-1]
        columns = () if self.op1 == MatrixOperation.VECTOR else second[-1:]
        return (*leading, *rows, *columns)

    def _as_matrices(self, shape: tuple[int, ...], op: MatrixOperation, place: int) -> tuple[int, ...]:
        if op == MatrixOperation.VECTOR:
            return (*shape[:-1], 1, shape[-1]) if place == 0 else (*shape, 1)
        if len(shape) < 2:
            raise NetworkError(self.name, f"an input of shape {shape} is no matrix", "Use MatrixOperation.VECTOR.")
        return (*shape[:-2], shape[-1], shape[-2]) if op == MatrixOperation.TRANSPOSE else tuple(shape)


class IUnaryLayer(ILayer):
    """A function of each element."""

    type, title = LayerType.UNARY, "Unary"

    def __init__(self, network: INetworkDefinition, input: ITensor, op: UnaryOperation) -> None:
        super().__init__(network, [input])
        self.op = UnaryOperation(op)


class IReduceLayer(ILayer):
    """Sum, product, maximum, minimum or mean along axes, given as a bit mask."""

    type, title = LayerType.REDUCE, "Reduce"

    def __init__(
        self, network: INetworkDefinition, input: ITensor, op: ReduceOperation, axes: int, keep_dims: bool
    ) -> None:
        super().__init__(network, [input])
        self.op, self.axes, self.keep_dims = ReduceOperation(op), int(axes), bool(keep_dims)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape with 1 for each reduced size, or without it."""
        shape = self.inputs[0].shape
        reduced = axes_of(self.axes, len(shape))
        if not reduced or self.axes >> len(shape):
            raise NetworkError(self.name, f"axes {self.axes:#b} of an input of shape {shape}", "Set bits of its axes.")
        kept = [1 if axis in reduced else size for axis, size in enumerate(shape)]
        return tuple(size for axis, size in enumerate(kept) if self.keep_dims or axis not in reduced)


class ITopKLayer(ILayer):
    """The largest or smallest k elements along one axis: values, and their places as INT32."""

    type, title = LayerType.TOPK, "TopK"
    num_outputs = 2

    def __init__(self, network: INetworkDefinition, input: ITensor, op: TopKOperation, k: int, axes: int) -> None:
        super().__init__(network, [input])
        self.op, self.k, self.axes = TopKOperation(op), int(k), int(axes)

    def axis(self) -> int:
        """Return the one axis."""
        axes = axes_of(self.axes, len(self.inputs[0].shape))
        if len(axes) != 1:
            raise NetworkError(self.name, f"TopK along the axes {axes}", "Set exactly one bit in axes.")
        return axes[0]

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape with k along the axis."""
        shape, axis = list(self.inputs[0].shape), self.axis()
        if 0 <= shape[axis] < self.k:
            raise NetworkError(self.name, f"the largest {self.k} of {shape[axis]} elements", "Lower k.")
        shape[axis] = self.k
        return tuple(shape)

    def output_dtype(self, index: int) -> DataType:
        """Return the input's type for the values, INT32 for the places."""
        return DataType.INT32 if index == 1 else super().output_dtype(index)


class IGatherLayer(ILayer):
    """Slices of the first input along an axis, picked by the second, which is INT32."""

    type, title = LayerType.GATHER, "Gather"

    def __init__(self, network: INetworkDefinition, input: ITensor, indices: ITensor, axis: int) -> None:
        super().__init__(network, [input, indices])
        self.axis, self.num_elementwise_dims, self.mode = int(axis), 0, GatherMode.DEFAULT
        if indices.dtype != DataType.INT32:
            raise NetworkError(self.name, f"indices of type {indices.dtype.name}", "They must be INT32.")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the data's shape with that of the indices in place of the axis."""
        data, indices = (tuple(tensor.shape) for tensor in self.inputs)
        if not 0 <= self.axis < len(data):
            raise NetworkError(self.name, f"axis {self.axis} of data of shape {Dims(data)}", "Choose one of its axes.")
        return (*data[: self.axis], *indices, *data[self.axis + 1 :])

    def output_dtype(self, index: int) -> DataType:
        """Return the data's type."""
        return self.inputs[0].dtype


class ISliceLayer(ILayer):
    """A part of a tensor: from `start`, `shape` elements, `stride` apart."""

    type, title = LayerType.SLICE, "Slice"

    def __init__(self, network: INetworkDefinition, input: ITensor, start: Any, shape: Any, stride: Any) -> None:
        super().__init__(network, [input])
        self.start, self.shape, self.stride = Dims(start), Dims(shape), Dims(stride)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return `shape`, checked against the input's."""
        whole = self.inputs[0].shape
        if not len(whole) == len(self.start) == len(self.shape) == len(self.stride):
            raise NetworkError(self.name, f"start, shape and stride must have an entry for each axis of {whole}")
        parts = zip(whole, self.start, self.shape, self.stride, strict=True)
        if any(
            not (0 <= start < total and 0 <= start + (size - 1) * step < total)
            for total, start, size, step in parts
            if size and total >= 0
        ):
            fault = f"start {self.start}, shape {self.shape}, stride {self.stride} leave the input of shape {whole}"
            raise NetworkError(self.name, fault, "Keep the slice inside.")
        return self.shape


class IPaddingLayer(ILayer):
    """Noughts around the last two dimensions; negative amounts cut off."""

    type, title = LayerType.PADDING, "Padding"

    def __init__(self, network: INetworkDefinition, input: ITensor, pre_padding: Any, post_padding: Any) -> None:
        super().__init__(network, [input])
        self.pre_padding, self.post_padding = Dims(pre_padding), Dims(post_padding)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, H + before + after, W + before + after)."""
        shape = self.inputs[0].shape
        sizes = [shape[axis - 2] + self.pre_padding[axis] + self.post_padding[axis] for axis in (0, 1)]
        if min(sizes) < 1:
            raise NetworkError(self.name, f"nothing is left of an input of shape {shape}", "Cut off less.")
        return (*shape[:-2], *sizes)


class IIdentityLayer(ILayer):
    """The input as it is, or in the type that is set for the output."""

    type, title = LayerType.IDENTITY, "Identity"
