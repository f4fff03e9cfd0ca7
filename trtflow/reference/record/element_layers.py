"""Layers on single elements: functions, comparisons, conversions; and those that normalise elements by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.attributes import WeightsAttribute
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    LayerType,
    ScaleMode,
    UnaryOperation,
)
from trtflow.reference.record.layer import (
    ANY,
    BOOL,
    FLOATS,
    NUMBERS,
    ILayer,
    Types,
    alias,
    axes_of,
    broadcast,
)
from trtflow.reference.record.shape_values import constant_values
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights, volume

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

LOGICAL = (ElementWiseOperation.AND, ElementWiseOperation.OR, ElementWiseOperation.XOR)
FLOAT_MAX = 3.4028234663852886e38
UNSET = {  # alpha and beta of functions that have them, until they are set, as TensorRT 8.6.0 was seen to have them
    ActivationType.LEAKY_RELU: (0.01, 0.0),
    ActivationType.ELU: (1.0, 0.0),
    ActivationType.SELU: (1.6732632423543772, 1.0507009873554805),
    ActivationType.SOFTPLUS: (1.0, 1.0),
    ActivationType.CLIP: (-FLOAT_MAX, FLOAT_MAX),
    ActivationType.HARD_SIGMOID: (0.2, 0.5),
    ActivationType.SCALED_TANH: (1.0, 1.0),
    ActivationType.THRESHOLDED_RELU: (1.0, 0.0),
}
COMPARISONS = (ElementWiseOperation.EQUAL, ElementWiseOperation.GREATER, ElementWiseOperation.LESS)


class IActivationLayer(ILayer):
    """An activation function; alpha and beta are its parameters where it has them.

    Attributes:
        type: the function, here and on TensorRT's layer; of what a network gives, the kind of the layer.
    """

    layer_type, title = LayerType.ACTIVATION, "Activation"
    takes = (FLOATS,)

    def __init__(self, network: INetworkDefinition, input: ITensor, type: ActivationType) -> None:
        super().__init__(network, [input])
        self.activation_type = ActivationType(type)
        self.alpha, self.beta = UNSET.get(self.activation_type, (0.0, 0.0))

    type = alias("activation_type", "The function.")


class IParametricReLULayer(ILayer):
    """The input where it is not negative, else the input times a slope, which is stretched to the input's shape."""

    layer_type, title = LayerType.PARAMETRIC_RELU, "Parametric ReLU"
    takes = (FLOATS,)

    def __init__(self, network: INetworkDefinition, input: ITensor, slopes: ITensor) -> None:
        super().__init__(network, [input, slopes])

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape."""
        return stretched(self, self.inputs[1:])


def stretched(layer: ILayer, others: list[ITensor]) -> tuple[int, ...]:
    """Return the shape of a layer's first input.

    Raises:
        NetworkError: another cannot be stretched to it.
    """
    shape = tuple(layer.inputs[0].shape)
    together = broadcast(layer, shape, *(tuple(tensor.shape) for tensor in others))
    if together != shape and -1 not in shape:
        listed = " and ".join(str(tensor.shape) for tensor in others)
        raise NetworkError(layer.name, f"{listed} cannot be stretched to the input's shape {shape}")
    return shape


class IScaleLayer(ILayer):
    """(x * scale + shift) ** power, per tensor, channel or element."""

    layer_type, title = LayerType.SCALE, "Scale"
    takes = (FLOATS,)
    weight_names = ("shift", "scale", "power")
    shift, scale, power = WeightsAttribute(), WeightsAttribute(), WeightsAttribute()

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        mode: ScaleMode,
        shift: Weights,
        scale: Weights,
        power: Weights,
        channel_axis: int | None = None,
    ) -> None:
        super().__init__(network, [input])
        least = 3 if network.has_implicit_batch_dimension else 4
        if len(input.shape) < least:
            fault = f"its input {input.name!r} has shape {input.shape}"
            raise NetworkError(self.name, fault, f"TensorRT scales tensors of at least {least} dimensions.")
        self.mode, self.shift, self.scale, self.power = ScaleMode(mode), shift, scale, power
        self.channel_axis = len(input.shape) - 3 if channel_axis is None else int(channel_axis)

    def weights_shape(self) -> tuple[int, ...]:
        """Return the shape that the weights are stretched from, checked against their number."""
        shape, channel = self.inputs[0].shape, self.channel_axis
        if not 0 <= channel < len(shape):
            raise NetworkError(self.name, f"channel axis {channel} of an input of shape {shape}", "Choose one of its.")
        wanted = {
            ScaleMode.UNIFORM: (1,) * len(shape),
            ScaleMode.CHANNEL: (1,) * channel + (shape[channel],) + (1,) * (len(shape) - channel - 1),
            ScaleMode.ELEMENTWISE: (1,) * channel + tuple(shape[channel:]),
        }[self.mode]
        if -1 in wanted:
            fault = f"mode {self.mode.name} on an input of shape {shape}"
            raise NetworkError(self.name, fault, "Its weights have a fixed size: fix the dimensions along them.")
        for name in self.weight_names:
            count = self.held(name).size
            if count not in (0, volume(wanted)):
                fault = f"{count} {name} weights, but mode {self.mode.name} on an input of shape {shape}"
                raise NetworkError(self.name, f"{fault} needs {volume(wanted)}")
        return wanted


class IElementWiseLayer(ILayer):
    """A binary function of two tensors of equal rank; sizes of 1 are stretched."""

    layer_type, title = LayerType.ELEMENTWISE, "ElementWise"

    def __init__(self, network: INetworkDefinition, input1: ITensor, input2: ITensor, op: ElementWiseOperation) -> None:
        super().__init__(network, [input1, input2])
        self.op = ElementWiseOperation(op)

    def allowed_types(self, index: int) -> Types:
        """Return BOOL for logical functions, floats for powers, else any numbers, alike in both inputs."""
        if self.op in LOGICAL:
            return BOOL
        if self.op == ElementWiseOperation.POW:
            return FLOATS
        first = self.inputs[0].native_dtype
        return NUMBERS if index == 0 else FLOATS if first in FLOATS else (first,)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the broadcast shape."""
        return broadcast(self, *(tuple(tensor.shape) for tensor in self.inputs))

    def output_dtype(self, index: int) -> DataType:
        """Return BOOL for comparisons, else the inputs' type: of a float and a half float."""
        if self.op in COMPARISONS:
            return DataType.BOOL
        types = [tensor.native_dtype for tensor in self.inputs]
        return DataType.FLOAT if set(types) == {DataType.FLOAT, DataType.HALF} else types[0]


class IUnaryLayer(ILayer):
    """A function of each element."""

    layer_type, title = LayerType.UNARY, "Unary"

    def __init__(self, network: INetworkDefinition, input: ITensor, op: UnaryOperation) -> None:
        super().__init__(network, [input])
        self.op = UnaryOperation(op)

    def allowed_types(self, index: int) -> Types:
        """Return BOOL for NOT, numbers for SIGN and ABS, else floats."""
        if self.op == UnaryOperation.NOT:
            return BOOL
        return NUMBERS if self.op in (UnaryOperation.SIGN, UnaryOperation.ABS) else FLOATS

    def output_dtype(self, index: int) -> DataType:
        """Return BOOL for ISINF, else the input's type."""
        return DataType.BOOL if self.op == UnaryOperation.ISINF else self.inputs[0].native_dtype


class ISelectLayer(ILayer):
    """The second input where the first, a BOOL, is true, else the third; sizes of 1 are stretched."""

    layer_type, title = LayerType.SELECT, "Select"
    explicit_batch_only = True

    def __init__(
        self, network: INetworkDefinition, condition: ITensor, then_input: ITensor, else_input: ITensor
    ) -> None:
        super().__init__(network, [condition, then_input, else_input])

    def allowed_types(self, index: int) -> Types:
        """Return BOOL for the condition, and for the others one type."""
        chosen = self.inputs[1].native_dtype
        return BOOL if index == 0 else FLOATS if chosen in FLOATS else (chosen,)

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the broadcast shape."""
        return broadcast(self, *(tuple(tensor.shape) for tensor in self.inputs))

    def output_dtype(self, index: int) -> DataType:
        """Return the type of what is chosen from."""
        return self.inputs[1].native_dtype


class IIdentityLayer(ILayer):
    """The input as it is, or in the type that is set for the output."""

    layer_type, title = LayerType.IDENTITY, "Identity"

    def output_dtype(self, index: int) -> DataType:
        """Return the type that was set, else the input's, of floats FLOAT: they stay floats where INT8 stores them."""
        given = super().output_dtype(index)
        wanted = self._output_types.get(index, given)
        return given if wanted == DataType.INT8 and given in FLOATS else wanted


class ICastLayer(ILayer):
    """The input in another type."""

    layer_type, title = LayerType.CAST, "Cast"

    def __init__(self, network: INetworkDefinition, input: ITensor, to_type: DataType) -> None:
        super().__init__(network, [input])
        self.to_type = DataType(to_type)

    def allowed_types(self, index: int) -> Types:
        """Return every type but UINT8, which TensorRT converts from and to floats alone."""
        if self.to_type in FLOATS:
            return ANY
        if self.to_type == DataType.UINT8:
            return (*FLOATS, DataType.UINT8)
        return tuple(dtype for dtype in ANY if dtype != DataType.UINT8)

    def output_dtype(self, index: int) -> DataType:
        """Return the new type."""
        return self.to_type


ZERO_POINTS: Types = (*FLOATS, DataType.INT8)  # of which all are 0


class _Quantisation(ILayer):
    """Steps of a scale, a constant: one for the tensor, or one for each index along an axis."""

    most_inputs = 3

    def __init__(self, network: INetworkDefinition, input: ITensor, scale: ITensor) -> None:
        super().__init__(network, [input, scale])
        self.axis = -1

    def steps(self) -> tuple[np.ndarray, int | None]:
        """Return the scale, float32 [], and None; or one for each index of an axis, float32 [K], and that axis.

        Raises:
            NetworkError: they are not constant, not positive or not as many as the axis is long, or there is a zero
                point other than 0.
        """
        scale, zero, shape = constant_values(self.inputs[1]), self.get_input(2), self.inputs[0].shape
        if scale is None or scale.ndim > 1 or not scale.size:
            fault = f"its scale {self.inputs[1].name!r}"
            raise NetworkError(self.name, fault, "It must be a constant, one number or a row, of positive numbers.")
        if not (scale > 0).all():
            fault = f"its scale {self.inputs[1].name!r}: scale coefficients must all be positive"
            raise NetworkError(self.name, fault, "Calibrate again, or leave this tensor without a pair.")
        if zero is not None and ((values := constant_values(zero)) is None or values.any()):
            fault = f"its zero point {zero.name!r}: TensorRT only supports symmetric quantization"
            raise NetworkError(self.name, fault, "Quantise with zero points of 0, or leave it out.")
        if scale.size == 1:
            return scale.astype(np.float32).reshape(()), None
        if not 0 <= self.axis < len(shape) or shape[self.axis] != scale.size:
            fault = f"{scale.size} scales along axis {self.axis} of an input of shape {shape}"
            raise NetworkError(self.name, fault, "Set axis, and give as many scales as it is long.")
        return scale.astype(np.float32), self.axis


class IQuantizeLayer(_Quantisation):
    """INT8 from floats: clamp(round(x / scale)), ties to even."""

    layer_type, title = LayerType.QUANTIZE, "Quantize"
    takes = (FLOATS, FLOATS, ZERO_POINTS)

    def output_dtype(self, index: int) -> DataType:
        """Return INT8."""
        return DataType.INT8


class IDequantizeLayer(_Quantisation):
    """Floats from INT8: x * scale."""

    layer_type, title = LayerType.DEQUANTIZE, "Dequantize"
    takes = ((DataType.INT8,), FLOATS, ZERO_POINTS)

    def output_dtype(self, index: int) -> DataType:
        """Return FLOAT."""
        return DataType.FLOAT


class ILRNLayer(ILayer):
    """Local response normalisation across channels."""

    layer_type, title = LayerType.LRN, "LRN"
    takes = (FLOATS,)

    def __init__(
        self, network: INetworkDefinition, input: ITensor, window: int, alpha: float, beta: float, k: float
    ) -> None:
        super().__init__(network, [input])
        self.window_size, self.alpha, self.beta, self.k = window, alpha, beta, k


class ISoftMaxLayer(ILayer):
    """Softmax over one axis, given as a bit mask; by default the third from the end."""

    layer_type, title = LayerType.SOFTMAX, "SoftMax"
    takes = (FLOATS,)

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])
        self.axes = 1 << max(0, len(input.shape) - 3)


class INormalizationLayer(ILayer):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, with the moments along axes, given as a bit mask.

    With groups, the axis behind the batch is divided into that many, and the moments go over each group too.

    Attributes:
        compute_precision: FLOAT even in networks of half precision, unless it is set to HALF.
    """

    layer_type, title = LayerType.NORMALIZATION, "Normalization"
    takes = (FLOATS,)

    def __init__(
        self, network: INetworkDefinition, input: ITensor, scale: ITensor, bias: ITensor, axes_mask: int
    ) -> None:
        super().__init__(network, [input, scale, bias])
        self.axes, self.epsilon, self.num_groups = int(axes_mask), 1e-5, 1
        self.compute_precision = DataType.FLOAT

    def moment_axes(self) -> list[int]:
        """Return the axes of the moments.

        Raises:
            NetworkError: there are none, or they do not fit the groups.
        """
        shape = self.inputs[0].shape
        axes, channel = axes_of(self.axes, len(shape)), 0 if self.network.has_implicit_batch_dimension else 1
        if not axes or self.axes >> len(shape):
            raise NetworkError(self.name, f"axes {self.axes:#b} of an input of shape {shape}", "Set bits of its axes.")
        if self.num_groups == 1:
            return axes
        if axes != list(range(channel + 1, len(shape))) or shape[channel] % self.num_groups:
            fault = f"{self.num_groups} groups and axes {axes} of an input of shape {Dims(shape)}"
            remedy = "Groups need all axes behind the channels, and a number of channels that they divide."
            raise NetworkError(self.name, fault, remedy)
        return axes

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the input's shape; with groups, scale and bias have an entry for each group."""
        return tuple(self.inputs[0].shape) if self.num_groups > 1 else stretched(self, self.inputs[1:])
