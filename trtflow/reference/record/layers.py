"""Layers of a network under construction: TensorRT's names and shapes, no arithmetic.

Each class states its type, its attributes with TensorRT's defaults, and the shape of its output.
Kernels and strides are (height, width); axes do not count an implicit batch dimension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    LayerType,
    PaddingMode,
    PoolingType,
    ScaleMode,
)
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights, volume

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

Pair = tuple[int, int]


class ILayer:
    """What all layers share: name, inputs, outputs, precision.

    Attributes:
        network: the network that the layer belongs to.
        title: TensorRT's word for the kind, used in default names and in profiles.
    """

    network: INetworkDefinition
    type: LayerType
    title: str
    num_outputs = 1

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor]) -> None:
        object.__setattr__(self, "network", network)
        self.name = f"(Unnamed Layer* {network.num_layers}) [{self.title}]"
        self.inputs = inputs
        self._precision: DataType | None = None
        self._output_types: dict[int, DataType] = {}

    def add_outputs(self) -> None:
        """Create the output tensors; called when the layer's attributes are set."""
        count = self.num_outputs
        names = [f"{self.name}_output" if count == 1 else f"{self.name}_output_{i}" for i in range(count)]
        self.outputs = [ITensor(name, self, index) for index, name in enumerate(names)]

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        self.network.revision += 1  # shapes downstream may have changed

    @property
    def num_inputs(self) -> int:
        """Number of input tensors."""
        return len(self.inputs)

    def get_input(self, index: int) -> ITensor | None:
        """Return an input tensor, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def set_input(self, index: int, tensor: ITensor) -> None:
        """Replace an input tensor."""
        self.inputs[index] = tensor
        self.network.revision += 1

    def get_output(self, index: int) -> ITensor | None:
        """Return an output tensor, or None."""
        return self.outputs[index] if index < len(self.outputs) else None

    @property
    def precision(self) -> DataType:
        """Type the layer computes in, once it is set."""
        return DataType.FLOAT if self._precision is None else self._precision

    @precision.setter
    def precision(self, dtype: DataType) -> None:
        self._precision = DataType(dtype)

    @property
    def precision_is_set(self) -> bool:
        """Whether `precision` was set."""
        return self._precision is not None

    def reset_precision(self) -> None:
        """Leave the precision to the builder."""
        self._precision = None

    def set_output_type(self, index: int, dtype: DataType) -> None:
        """Set the type of an output."""
        self._output_types[index] = DataType(dtype)

    def output_type_is_set(self, index: int) -> bool:
        """Whether an output's type was set."""
        return index in self._output_types

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an output."""
        return self.inputs[0].shape

    def output_dtype(self, index: int) -> DataType:
        """Return the type of an output as the network defines it."""
        return self._output_types.get(index, self.inputs[0].dtype)


class _Window(ILayer):
    """A layer that slides a window over the last two dimensions."""

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor], window: Pair) -> None:
        super().__init__(network, inputs)
        if len(inputs[0].shape) < 3:
            raise NetworkError(self.name, f"its input {inputs[0].name!r} has shape {inputs[0].shape}, not (…, C, H, W)")
        self.window: Pair = (int(window[0]), int(window[1]))
        self.stride: Pair = (1, 1)
        self.pre_padding: Pair = (0, 0)
        self.post_padding: Pair = (0, 0)
        self.dilation: Pair = (1, 1)
        self.padding_mode = PaddingMode.EXPLICIT_ROUND_DOWN

    @property
    def padding(self) -> Pair:
        """Padding on both sides."""
        return self.pre_padding

    @padding.setter
    def padding(self, padding: Pair) -> None:
        self.pre_padding = self.post_padding = (int(padding[0]), int(padding[1]))

    def spatial_shape(self) -> Pair:
        """Return the height and width of the output."""
        height, width = (self._output_size(axis) for axis in (0, 1))
        return height, width

    def _output_size(self, axis: int) -> int:
        size, step = self.inputs[0].shape[axis - 2], self.stride[axis]
        if size < 0:
            return -1
        reach = self.dilation[axis] * (self.window[axis] - 1) + 1
        room = size + self.pre_padding[axis] + self.post_padding[axis] - reach
        if room < 0:
            raise NetworkError(self.name, f"its window of {reach} does not fit its input {self.inputs[0].shape}")
        round_up = self.padding_mode in (PaddingMode.EXPLICIT_ROUND_UP, PaddingMode.CAFFE_ROUND_UP)
        count = (room + step - 1 if round_up else room) // step + 1
        caffe = self.padding_mode in (PaddingMode.CAFFE_ROUND_UP, PaddingMode.CAFFE_ROUND_DOWN)
        return count - 1 if caffe and (count - 1) * step >= size + self.pre_padding[axis] else count


class IConvolutionLayer(_Window):
    """Convolution; kernel weights [K, C / groups, R, S], bias [K]."""

    type, title = LayerType.CONVOLUTION, "Convolution"

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        num_output_maps: int,
        kernel_shape: Pair,
        kernel: Weights,
        bias: Weights,
    ) -> None:
        super().__init__(network, [input], kernel_shape)
        self.num_output_maps, self.num_groups = int(num_output_maps), 1
        self.kernel, self.bias = kernel, bias

    @property
    def kernel_size(self) -> Pair:
        """Height and width of the kernel."""
        return self.window

    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Return [K, C / groups, R, S], checked against the number of weights."""
        shape = (self.num_output_maps, self.inputs[0].shape[-3] // self.num_groups, *self.window)
        if self.kernel.size != volume(shape):
            raise NetworkError(
                self.name, f"{self.kernel.size} kernel weights, but its shape {shape} needs {volume(shape)}"
            )
        if self.bias.size not in (0, self.num_output_maps):
            raise NetworkError(self.name, f"{self.bias.size} bias weights for {self.num_output_maps} output maps")
        return shape

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, K, H', W')."""
        return (*self.inputs[0].shape[:-3], self.num_output_maps, *self.spatial_shape())


class IPoolingLayer(_Window):
    """Max or average pooling."""

    type, title = LayerType.POOLING, "Pooling"

    def __init__(self, network: INetworkDefinition, input: ITensor, type: PoolingType, window_size: Pair) -> None:
        super().__init__(network, [input], window_size)
        self.pooling_type = PoolingType(type)
        self.average_count_excludes_padding = True

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, C, H', W')."""
        return (*self.inputs[0].shape[:-2], *self.spatial_shape())


class IFullyConnectedLayer(ILayer):
    """Matrix product over the last three dimensions; kernel weights [K, C * H * W], bias [K]."""

    type, title = LayerType.FULLY_CONNECTED, "Fully Connected"

    def __init__(
        self, network: INetworkDefinition, input: ITensor, num_outputs: int, kernel: Weights, bias: Weights
    ) -> None:
        super().__init__(network, [input])
        if len(input.shape) < 3:
            raise NetworkError(self.name, f"its input {input.name!r} has shape {input.shape}, not (…, C, H, W)")
        self.num_output_channels, self.kernel, self.bias = int(num_outputs), kernel, bias
        if kernel.size != self.num_output_channels * volume(input.shape[-3:]):
            raise NetworkError(
                self.name,
                f"{kernel.size} kernel weights, but {num_outputs} outputs of an input {input.shape} "
                f"need {self.num_output_channels * volume(input.shape[-3:])}",
            )

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, K, 1, 1)."""
        return (*self.inputs[0].shape[:-3], self.num_output_channels, 1, 1)


class IActivationLayer(ILayer):
    """An activation function; alpha and beta are its parameters where it has them."""

    type, title = LayerType.ACTIVATION, "Activation"

    def __init__(self, network: INetworkDefinition, input: ITensor, type: ActivationType) -> None:
        super().__init__(network, [input])
        self.activation_type, self.alpha, self.beta = ActivationType(type), 0.0, 0.0


class IScaleLayer(ILayer):
    """(x * scale + shift) ** power, per tensor, channel or element."""

    type, title = LayerType.SCALE, "Scale"

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        mode: ScaleMode,
        shift: Weights,
        scale: Weights,
        power: Weights,
    ) -> None:
        super().__init__(network, [input])
        self.mode, self.shift, self.scale, self.power = ScaleMode(mode), shift, scale, power


class ILRNLayer(ILayer):
    """Local response normalisation across channels."""

    type, title = LayerType.LRN, "LRN"

    def __init__(
        self, network: INetworkDefinition, input: ITensor, window: int, alpha: float, beta: float, k: float
    ) -> None:
        super().__init__(network, [input])
        self.window_size, self.alpha, self.beta, self.k = window, alpha, beta, k


class ISoftMaxLayer(ILayer):
    """Softmax over one axis, given as a bit mask."""

    type, title = LayerType.SOFTMAX, "SoftMax"

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])
        self.axes = 1 << max(0, len(input.shape) - 3)


class IConcatenationLayer(ILayer):
    """Tensors joined along an axis; by default the third from the end."""

    type, title = LayerType.CONCATENATION, "Concatenation"

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor]) -> None:
        super().__init__(network, inputs)
        self.axis = max(0, len(inputs[0].shape) - 3)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the first input's shape with the sum of all inputs along the axis."""
        shapes = [tensor.shape for tensor in self.inputs]
        rest = {shape[: self.axis] + shape[self.axis + 1 :] for shape in shapes}
        if len(rest) != 1:
            raise NetworkError(self.name, f"inputs of shapes {shapes} cannot be joined along axis {self.axis}")
        return (*shapes[0][: self.axis], sum(shape[self.axis] for shape in shapes), *shapes[0][self.axis + 1 :])


class IElementWiseLayer(ILayer):
    """A binary function of two tensors of equal rank; sizes of 1 are stretched."""

    type, title = LayerType.ELEMENTWISE, "ElementWise"

    def __init__(self, network: INetworkDefinition, input1: ITensor, input2: ITensor, op: ElementWiseOperation) -> None:
        super().__init__(network, [input1, input2])
        self.op = ElementWiseOperation(op)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the broadcast shape."""
        first, second = (tensor.shape for tensor in self.inputs)
        pairs = list(zip(first, second, strict=False))
        if len(first) != len(second) or any(a != b and 1 not in (a, b) for a, b in pairs):
            raise NetworkError(self.name, f"inputs of shapes {first} and {second} do not fit together")
        return tuple(b if a == 1 else a for a, b in pairs)


class IShuffleLayer(ILayer):
    """Transpose, reshape, transpose; in reshape_dims 0 copies a size and -1 takes what is left."""

    type, title = LayerType.SHUFFLE, "Shuffle"

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])
        self.first_transpose: tuple[int, ...] | None = None
        self.reshape_dims: tuple[int, ...] | None = None
        self.second_transpose: tuple[int, ...] | None = None

    def reshaped(self) -> tuple[int, ...]:
        """Return the shape after the reshape."""
        shape = _permuted(self.inputs[0].shape, self.first_transpose)
        if self.reshape_dims is None:
            return shape
        sizes = [shape[axis] if size == 0 else size for axis, size in enumerate(self.reshape_dims)]
        if -1 in shape:
            return self._reshaped_dynamic(shape, sizes)
        total, known = volume(shape), abs(volume(tuple(sizes)))
        if -1 in sizes and total >= 0 and known and total % known == 0:
            sizes[sizes.index(-1)] = total // known
        if volume(tuple(sizes)) != total:
            raise NetworkError(self.name, f"an input of shape {shape} cannot take the shape {self.reshape_dims}")
        return tuple(sizes)

    def _reshaped_dynamic(self, shape: tuple[int, ...], sizes: list[int]) -> tuple[int, ...]:
        """Return the shape after the reshape of a dynamic one; what -1 stands for is known if the rest was copied."""
        assert self.reshape_dims is not None
        total, known = (volume(tuple(size for size in sides if size >= 0)) for sides in (shape, sizes))
        free = [axis for axis, size in enumerate(self.reshape_dims) if size == -1]
        copied = sizes.count(-1) - len(free)
        if copied == shape.count(-1) and (total % known if free else total != known):
            raise NetworkError(self.name, f"an input of shape {shape} cannot take the shape {self.reshape_dims}")
        if free and copied == shape.count(-1):
            sizes[free[0]] = total // known
        return tuple(sizes)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape after all three steps."""
        return _permuted(self.reshaped(), self.second_transpose)


def _permuted(shape: tuple[int, ...], order: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple(shape) if order is None else tuple(shape[axis] for axis in order)


class IConstantLayer(ILayer):
    """A constant tensor; in a network with an implicit batch it has no batch dimension and is broadcast."""

    type, title = LayerType.CONSTANT, "Constant"

    def __init__(self, network: INetworkDefinition, shape: Dims, weights: Weights) -> None:
        super().__init__(network, [])
        self.shape, self.weights = Dims(shape), weights
        if weights.size != volume(self.shape):
            raise NetworkError(self.name, f"{weights.size} weights for the shape {self.shape}")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the constant's shape."""
        return self.shape

    def output_dtype(self, index: int) -> DataType:
        """Return the weights' type."""
        return self.weights.dtype


class IPluginV2Layer(ILayer):
    """A layer that a plugin computes."""

    type, title = LayerType.PLUGIN_V2, "PluginV2"

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor], plugin: IPluginV2) -> None:
        super().__init__(network, inputs)
        self.plugin, self.num_outputs = plugin, plugin.num_outputs

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the plugin's answer, with the batch dimension where it is explicit."""
        skip = 0 if self.network.has_implicit_batch_dimension else 1
        inner = self.plugin.get_output_shape(index, [Dims(tensor.shape[skip:]) for tensor in self.inputs])
        return (*self.inputs[0].shape[:skip], *inner)

    def output_dtype(self, index: int) -> DataType:
        """Return the plugin's answer."""
        return self.plugin.get_output_datatype(index, [tensor.dtype for tensor in self.inputs])
