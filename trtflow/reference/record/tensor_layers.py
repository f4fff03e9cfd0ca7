"""Layers on whole tensors: products, reductions, look-ups, cuts, new shapes. Axes do not count an implicit batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.attributes import OrderAttribute, SizesAttribute, WeightsAttribute
from trtflow.reference.record.dims import sizes_of
from trtflow.reference.record.enums import (
    DataType,
    GatherMode,
    LayerType,
    MatrixOperation,
    ReduceOperation,
    SampleMode,
    TopKOperation,
)
from trtflow.reference.record.layer import (
    ANY,
    BOOL,
    FLOATS,
    INT32,
    NUMBERS,
    ILayer,
    Types,
    axes_of,
    broadcast,
    one_axis,
)
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.shape_values import constant_values, known_values
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights, volume

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

LARGEST_K = 3840  # TensorRT's limit


class IFullyConnectedLayer(ILayer):
    """Matrix product over the last three dimensions; kernel weights [K, C * H * W], bias [K]."""

    layer_type, title = LayerType.FULLY_CONNECTED, "Fully Connected"
    takes = (FLOATS,)
    weight_names = ("kernel", "bias")
    kernel, bias = WeightsAttribute(), WeightsAttribute()

    def __init__(
        self, network: INetworkDefinition, input: ITensor, num_outputs: int, kernel: Weights, bias: Weights
    ) -> None:
        super().__init__(network, [input])
        if len(input.shape) < 3:
            raise NetworkError(self.name, f"its input {input.name!r} has shape {input.shape}, not (…, C, H, W)")
        self.num_output_channels, self.kernel, self.bias = int(num_outputs), kernel, bias

    def kernel_shape(self) -> tuple[int, int]:
        """Return (K, C * H * W), checked against the number of weights, which may be set after the layer is added."""
        outputs, shape = self.num_output_channels, self.inputs[0].shape
        wanted, count = outputs * volume(shape[-3:]), self.held("kernel").size
        if count != wanted:
            fault = f"{count} kernel weights, but {outputs} outputs of an input {shape} need {wanted}"
            raise NetworkError(self.name, fault)
        if self.held("bias").size not in (0, outputs):
            raise NetworkError(self.name, f"{self.held('bias').size} bias weights for {outputs} outputs")
        return outputs, wanted // outputs

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, K, 1, 1)."""
        return (*self.inputs[0].shape[:-3], self.num_output_channels, 1, 1)


class IMatrixMultiplyLayer(ILayer):
    """Product of matrices in the last two dimensions, or of vectors in the last; the others are stretched."""

    layer_type, title = LayerType.MATRIX_MULTIPLY, "Matrix Multiply"
    takes = (FLOATS,)

    def __init__(
        self, network: INetworkDefinition, input0: ITensor, op0: MatrixOperation, input1: ITensor, op1: MatrixOperation
    ) -> None:
        super().__init__(network, [input0, input1])
        self.op0, self.op1 = MatrixOperation(op0), MatrixOperation(op1)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, rows, columns), of a vector without its dimension."""
        first, second = (
            self._as_matrices(tuple(tensor.shape), op, place)
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
            if not shape:
                raise NetworkError(self.name, "an input of shape () is no vector", "Reshape it to one dimension.")
            return (*shape[:-1], 1, shape[-1]) if place == 0 else (*shape, 1)
        if len(shape) < 2:
            raise NetworkError(self.name, f"an input of shape {shape} is no matrix", "Use MatrixOperation.VECTOR.")
        return (*shape[:-2], shape[-1], shape[-2]) if op == MatrixOperation.TRANSPOSE else tuple(shape)


class IReduceLayer(ILayer):
    """Sum, product, maximum, minimum or mean along axes, given as a bit mask."""

    layer_type, title = LayerType.REDUCE, "Reduce"
    takes = (NUMBERS,)

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
    """The largest or smallest k elements along one axis: values, and their places as INT32; input 1 can give k."""

    layer_type, title = LayerType.TOPK, "TopK"
    num_outputs = 2
    takes, most_inputs = (FLOATS, INT32), 2
    input_instead = {"k": 1}  # noqa: RUF012

    def __init__(self, network: INetworkDefinition, input: ITensor, op: TopKOperation, k: int, axes: int) -> None:
        super().__init__(network, [input])
        self.op, self.k, self.axes = TopKOperation(op), int(k), int(axes)

    def axis(self) -> int:
        """Return the one axis."""
        return one_axis(self, self.axes)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape with k along the axis."""
        shape, axis, given = list(self.inputs[0].shape), self.axis(), self.get_input(1)
        k = self.k if given is None else known_values(given, 1)[0]
        if 0 <= shape[axis] < k or k > LARGEST_K or (given is None and k < 1):
            remedy = f"k is 1 to the size of the axis, at most {LARGEST_K}."
            raise NetworkError(self.name, f"the largest {k} of {shape[axis]} elements", remedy)
        shape[axis] = k
        return tuple(shape)

    def output_dtype(self, index: int) -> DataType:
        """Return the input's type for the values, INT32 for the places."""
        return DataType.INT32 if index == 1 else super().output_dtype(index)


class IGatherLayer(ILayer):
    """What the second input, which is INT32, picks from the first; see GatherMode."""

    layer_type, title = LayerType.GATHER, "Gather"
    takes = (ANY, INT32)

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        indices: ITensor,
        axis: int = 0,
        mode: GatherMode = GatherMode.DEFAULT,
    ) -> None:
        super().__init__(network, [input, indices])
        self.axis, self.num_elementwise_dims, self.mode = int(axis), 0, GatherMode(mode)
        if indices.dtype != DataType.INT32:
            raise NetworkError(self.name, f"indices of type {indices.dtype.name}", "They must be INT32.")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return what the mode makes of the shapes of data and indices."""
        data, indices = (tuple(tensor.shape) for tensor in self.inputs)
        self._check(data, indices)
        if self.mode == GatherMode.ELEMENT:
            return indices
        shared = self.num_elementwise_dims
        if self.mode == GatherMode.ND:
            return (*indices[:-1], *data[shared + indices[-1] :])
        leading = broadcast(self, data[:shared], indices[:shared])
        return (*leading, *data[shared : self.axis], *indices[shared:], *data[self.axis + 1 :])

    def _check(self, data: tuple[int, ...], indices: tuple[int, ...]) -> None:
        implicit, shared = self.network.has_implicit_batch_dimension, self.num_elementwise_dims
        if implicit and (self.mode != GatherMode.DEFAULT or shared):
            fault = f"mode {self.mode.name} with {shared} element-wise dimensions and an implicit batch"
            raise NetworkError(self.name, fault, "Make the batch explicit.")
        if self.mode != GatherMode.ND and not shared <= self.axis < len(data):
            remedy = "Choose one of its axes behind the element-wise ones."
            raise NetworkError(self.name, f"axis {self.axis} of data of shape {Dims(data)}", remedy)
        fits = {
            GatherMode.DEFAULT: shared <= 1 and shared <= len(indices),
            GatherMode.ELEMENT: shared == 0 and len(data) == len(indices),
            GatherMode.ND: indices != () and 0 < indices[-1] <= len(data) - shared and shared < len(indices),
        }
        if not fits[self.mode]:
            fault = f"mode {self.mode.name} with {shared} element-wise dimensions of data of shape {Dims(data)}"
            raise NetworkError(self.name, f"{fault} and indices of shape {Dims(indices)}")

    def output_dtype(self, index: int) -> DataType:
        """Return the data's type."""
        return self.inputs[0].native_dtype


class ISliceLayer(ILayer):
    """A part of a tensor: from `start`, `shape` elements, `stride` apart; inputs 1, 2 and 3 can give them.

    Elements outside the input are an error or what `mode` says; for FILL, input 4 can give their value, else it is 0.
    """

    layer_type, title = LayerType.SLICE, "Slice"
    most_inputs = 5
    input_instead = {"start": 1, "shape": 2, "stride": 3}  # noqa: RUF012

    def __init__(self, network: INetworkDefinition, input: ITensor, start: Any, shape: Any, stride: Any) -> None:
        super().__init__(network, [input])
        self.start, self.shape, self.stride, self.mode = start, shape, stride, SampleMode.STRICT_BOUNDS

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, sizes_of(value) if name in self.input_instead else value)

    def allowed_types(self, index: int) -> Types:
        """Return INT32 for start, shape and stride."""
        data = self.inputs[0].native_dtype
        if index in (1, 2, 3):
            return INT32
        return ANY if index == 0 else FLOATS if data in FLOATS else (data,)

    def bounds(self) -> list[tuple[int, ...]]:
        """Return start, shape and stride, -1 where they are only known at run time (in place of any start or stride).

        Raises:
            NetworkError: one of them does not have an entry for each axis.
        """
        rank, found = len(self.inputs[0].shape), []
        for name, place in self.input_instead.items():
            tensor = self.get_input(place)
            values = tuple(getattr(self, name)) if tensor is None else known_values(tensor, rank)
            if len(values) != rank:
                fault = f"{name} {Dims(values)} for an input of shape {self.inputs[0].shape}"
                raise NetworkError(self.name, fault, "start, shape and stride must have an entry for each axis.")
            found.append(values)
        return found

    def is_static(self) -> bool:
        """Whether start, shape and stride are attributes."""
        return not any(self.get_input(place) for place in self.input_instead.values())

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return `shape`, checked against the input's."""
        whole, (start, shape, stride) = self.inputs[0].shape, self.bounds()
        if not self.is_static() or self.mode != SampleMode.STRICT_BOUNDS:
            return shape
        parts = zip(whole, start, shape, stride, strict=True)
        if any(
            not (0 <= first < total and 0 <= first + (size - 1) * step < total)
            for total, first, size, step in parts
            if size and total >= 0
        ):
            fault = f"start {self.start}, shape {self.shape}, stride {self.stride} leave the input of shape {whole}"
            raise NetworkError(self.name, fault, "Keep the slice inside, or choose another mode than STRICT_BOUNDS.")
        return shape


class IConcatenationLayer(ILayer):
    """Tensors joined along an axis; by default the third from the end."""

    layer_type, title = LayerType.CONCATENATION, "Concatenation"

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor]) -> None:
        super().__init__(network, inputs)
        self.axis = max(0, len(inputs[0].shape) - 3)

    def allowed_types(self, index: int) -> Types:
        """Return one type for all."""
        first = self.inputs[0].native_dtype
        return FLOATS if first in FLOATS else (first,)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the first input's shape with the sum of all inputs along the axis."""
        shapes = [tuple(tensor.shape) for tensor in self.inputs]
        if not 0 <= self.axis < len(shapes[0]) or len({len(shape) for shape in shapes}) > 1:
            self._refuse()
        rest = [shape[: self.axis] + shape[self.axis + 1 :] for shape in shapes]
        together = [max(sizes) for sizes in zip(*rest, strict=True)]
        if any(size not in (-1, common) for shape in rest for size, common in zip(shape, together, strict=True)):
            self._refuse()
        sizes = [shape[self.axis] for shape in shapes]
        return (*together[: self.axis], -1 if -1 in sizes else sum(sizes), *together[self.axis :])

    def _refuse(self) -> None:
        shapes = ", ".join(str(tensor.shape) for tensor in self.inputs)
        remedy = "They must have the same sizes along all others."
        raise NetworkError(self.name, f"inputs of shapes {shapes} cannot be joined along axis {self.axis}", remedy)


class IShuffleLayer(ILayer):
    """Transpose, reshape, transpose; input 1 can give the sizes of the reshape.

    In them -1 takes what is left, and 0 copies a size unless `zero_is_placeholder` is false.
    """

    layer_type, title = LayerType.SHUFFLE, "Shuffle"
    takes, most_inputs = (ANY, INT32), 2
    input_instead = {"reshape_dims": 1}  # noqa: RUF012
    first_transpose, second_transpose, reshape_dims = OrderAttribute(), OrderAttribute(), SizesAttribute()
    _first_transpose: tuple[int, ...] | None
    _second_transpose: tuple[int, ...] | None
    _reshape_dims: tuple[int, ...] | None

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])
        self.first_transpose = self.reshape_dims = self.second_transpose = None
        self.zero_is_placeholder = True

    def sizes(self) -> tuple[int, ...] | None:
        """Return the sizes of the reshape as they are given, None where there is none; -1 also where unknown."""
        given = self.get_input(1)
        if given is None:
            return self._reshape_dims
        if len(given.shape) != 1 or given.shape[0] < 0:
            fault = f"sizes of shape {given.shape} for its reshape"
            raise NetworkError(self.name, fault, "Give them as a tensor of one dimension, whose size is known.")
        return known_values(given, given.shape[0])

    def reshaped(self) -> tuple[int, ...]:
        """Return the shape after the reshape."""
        shape, given = self._permuted(tuple(self.inputs[0].shape), self._first_transpose), self.sizes()
        if given is None:
            return shape
        if self.zero_is_placeholder and any(size == 0 and axis >= len(shape) for axis, size in enumerate(given)):
            raise NetworkError(self.name, f"a 0 in {Dims(given)} has no size of {Dims(shape)} to copy")
        copies = [size == 0 and self.zero_is_placeholder for size in given]
        sizes = [shape[axis] if copies[axis] else size for axis, size in enumerate(given)]
        if self.get_input(1) is not None and given.count(-1) > 1:
            return tuple(sizes)  # more than one is unknown until run time
        if given.count(-1) > 1:
            raise NetworkError(self.name, f"{Dims(given)} leaves more than one size open")
        if -1 in shape:
            return self._reshaped_dynamic(shape, sizes, given)
        total, known = volume(shape), abs(volume(tuple(sizes)))
        if -1 in sizes and total >= 0 and known and total % known == 0:
            sizes[sizes.index(-1)] = total // known
        if volume(tuple(sizes)) != total:
            raise NetworkError(self.name, f"an input of shape {Dims(shape)} cannot take the shape {Dims(given)}")
        return tuple(sizes)

    def _reshaped_dynamic(self, shape: tuple[int, ...], sizes: list[int], given: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape after the reshape of a dynamic one; what -1 stands for is known if the rest was copied."""
        total, known = (volume(tuple(size for size in sides if size >= 0)) for sides in (shape, sizes))
        free = [axis for axis, size in enumerate(given) if size == -1]
        copied = sizes.count(-1) - len(free)
        if copied == shape.count(-1) and (not known or total % known if free else total != known):
            raise NetworkError(self.name, f"an input of shape {Dims(shape)} cannot take the shape {Dims(given)}")
        if free and copied == shape.count(-1):
            sizes[free[0]] = total // known
        return tuple(sizes)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape after all three steps."""
        return self._permuted(self.reshaped(), self._second_transpose)

    def axes(self, order: tuple[int, ...] | None, shape: Any) -> tuple[int, ...] | None:
        """Return as many axes of an order as a shape has, which are all that is read; None where there is no order.

        Raises:
            NetworkError: they do not name each axis once.
        """
        if order is None:
            return None
        read = order[: len(shape)]
        if sorted(read) != list(range(len(shape))):
            fault = f"the transposition {tuple(order)} of a shape {Dims(shape)}"
            raise NetworkError(self.name, fault, "Name each of its axes once.")
        return read

    def _permuted(self, shape: tuple[int, ...], order: tuple[int, ...] | None) -> tuple[int, ...]:
        axes = self.axes(order, shape)
        return tuple(shape) if axes is None else tuple(shape[axis] for axis in axes)


class IShapeLayer(ILayer):
    """The sizes of a tensor, as INT32 of one dimension."""

    layer_type, title = LayerType.SHAPE, "Shape"
    explicit_batch_only = True

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the number of dimensions."""
        return (len(self.inputs[0].shape),)

    def output_dtype(self, index: int) -> DataType:
        """Return INT32."""
        return DataType.INT32


class IOneHotLayer(ILayer):
    """Rows of `values[0]` with `values[1]` where the indices say, along a new axis as long as `depth`, a constant."""

    layer_type, title = LayerType.ONE_HOT, "OneHot"
    takes, explicit_batch_only = (INT32, (*NUMBERS, *BOOL), INT32), True

    def __init__(
        self, network: INetworkDefinition, indices: ITensor, values: ITensor, depth: ITensor, axis: int = -1
    ) -> None:
        super().__init__(network, [indices, values, depth])
        self.axis = int(axis)

    def depth(self) -> int:
        """Return how long the new axis is."""
        depth = constant_values(self.inputs[2])
        if depth is None or depth.size != 1 or depth.item() < 1:
            raise NetworkError(self.name, f"its depth {self.inputs[2].name!r}", "It must be a constant, 1 or more.")
        return int(depth.item())

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the indices' shape with the new axis."""
        shape = list(self.inputs[0].shape)
        if not -len(shape) - 1 <= self.axis <= len(shape) or tuple(self.inputs[1].shape) != (2,):
            fault = f"axis {self.axis} of indices of shape {Dims(shape)}, values of shape {self.inputs[1].shape}"
            raise NetworkError(self.name, fault, "Choose an axis of the result; values are off and on, shape (2).")
        shape.insert(self.axis % (len(shape) + 1), self.depth())
        return tuple(shape)

    def output_dtype(self, index: int) -> DataType:
        """Return the values' type."""
        return self.inputs[1].native_dtype


class IConstantLayer(ILayer):
    """A constant tensor; in a network with an implicit batch it has no batch dimension and is broadcast."""

    layer_type, title = LayerType.CONSTANT, "Constant"
    weight_names = ("weights",)
    weights = WeightsAttribute()

    def __init__(self, network: INetworkDefinition, shape: Any, weights: Weights) -> None:
        super().__init__(network, [])
        self.shape, self.weights = sizes_of(shape), weights
        if weights.size != volume(self.shape):
            raise NetworkError(self.name, f"{weights.size} weights for the shape {self.shape}")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the constant's shape."""
        return self.shape

    def output_dtype(self, index: int) -> DataType:
        """Return the weights' type; floats of any precision are FLOAT."""
        dtype = self.held("weights").dtype
        return DataType.FLOAT if dtype in FLOATS else dtype


class IPluginV2Layer(ILayer):
    """A layer that a plugin computes."""

    read_only = ("plugin",)
    layer_type, title = LayerType.PLUGIN_V2, "PluginV2"

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor], plugin: IPluginV2) -> None:
        super().__init__(network, inputs)
        self.plugin, self.num_outputs = plugin, plugin.num_outputs
        if plugin.dynamic and network.has_implicit_batch_dimension:
            fault = f"{plugin.plugin_type}, a plugin of dynamic shapes, with an implicit batch"
            raise NetworkError(self.name, fault, "Make the batch explicit.")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the plugin's answer, with the batch dimension where it is explicit."""
        if self.plugin.dynamic:
            return tuple(self.plugin.get_output_shape(index, [Dims(tensor.shape) for tensor in self.inputs]))
        skip = 0 if self.network.has_implicit_batch_dimension else 1
        inner = self.plugin.get_output_shape(index, [Dims(tensor.shape[skip:]) for tensor in self.inputs])
        batch = self.inputs[0].shape[:skip] if self.inputs else (1,) * skip
        return (*batch, *inner)

    def output_dtype(self, index: int) -> DataType:
        """Return the plugin's answer."""
        return self.plugin.get_output_datatype(index, [tensor.dtype for tensor in self.inputs])
