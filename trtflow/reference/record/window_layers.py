"""Layers that look at a neighbourhood: convolution, deconvolution, pooling, padding, resize.

As in all modules of layers, each class states its type, its attributes with TensorRT's defaults, and the shape of its
output. Windows, strides and the like are (height, width) or (depth, height, width).
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.attributes import WeightsAttribute
from trtflow.reference.record.dims import sizes_of
from trtflow.reference.record.enums import (
    InterpolationMode,
    LayerType,
    PaddingMode,
    PoolingType,
    ResizeCoordinateTransformation,
    ResizeRoundMode,
    ResizeSelector,
)
from trtflow.reference.record.layer import FLOATS, INT32, NUMBERS, ILayer, Types, alias
from trtflow.reference.record.shape_values import known_values
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights, volume

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

CAFFE = (PaddingMode.CAFFE_ROUND_DOWN, PaddingMode.CAFFE_ROUND_UP)
SAME = (PaddingMode.SAME_UPPER, PaddingMode.SAME_LOWER)
ROUND_UP = (PaddingMode.EXPLICIT_ROUND_UP, PaddingMode.CAFFE_ROUND_UP)


class WindowLayer(ILayer):
    """A layer that slides a window over the last two or three dimensions."""

    takes: tuple[Types, ...] = (FLOATS,)
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pre_padding: tuple[int, ...]
    post_padding: tuple[int, ...]

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor], window: Any) -> None:
        super().__init__(network, inputs)
        self.window = sizes_of(window)
        count = len(self.window)
        if count not in (2, 3):
            raise NetworkError(self.name, f"a window {self.window}", "It has two or three dimensions.")
        if len(inputs[0].shape) < count + 1:
            axes = "(…, C, H, W)" if count == 2 else "(…, C, D, H, W)"
            raise NetworkError(self.name, f"its input {inputs[0].name!r} has shape {inputs[0].shape}, not {axes}")
        self.stride = self.dilation = sizes_of([1] * count)
        self.pre_padding = self.post_padding = sizes_of([0] * count)
        self.padding_mode = PaddingMode.EXPLICIT_ROUND_DOWN

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("window", "stride", "dilation", "pre_padding", "post_padding"):
            super().__setattr__(name, value)
            return
        sizes = sizes_of(value)
        with self.network.telling():  # the setters of TensorRT's layers refuse it, and the layer keeps what it has
            if name != "window" and len(sizes) != len(self.window):
                fault = f"{name} {sizes} for a window {self.window}"
                raise NetworkError(self.name, fault, "Give a number for each of the window's dimensions.")
            super().__setattr__(name, sizes)

    @property
    def padding(self) -> tuple[int, ...]:
        """Padding on both sides."""
        return self.pre_padding

    @padding.setter
    def padding(self, padding: Any) -> None:
        self.pre_padding = self.post_padding = padding

    stride_nd = alias("stride", "Steps between windows.")
    padding_nd = alias("padding", "Padding on both sides.")
    dilation_nd = alias("dilation", "Steps between the elements of a window.")

    @property
    def channels(self) -> int:
        """Number of channels of the input."""
        return self.inputs[0].shape[-len(self.window) - 1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the input that the window slides over."""
        return self.inputs[0].shape[-len(self.window) :]

    def reach(self, axis: int) -> int:
        """Return how many elements a window spans."""
        return self.dilation[axis] * (self.window[axis] - 1) + 1

    def spatial_shape(self) -> tuple[int, ...]:
        """Return the sizes of the output that the window has made."""
        return tuple(self._output_size(axis) for axis in range(len(self.window)))

    def _output_size(self, axis: int) -> int:
        raise NotImplementedError

    def same_padding(self, excess: int) -> tuple[int, int]:
        """Split the padding that a SAME mode needs into that before and that behind."""
        less = max(excess, 0) // 2
        more = max(excess, 0) - less
        return (less, more) if self.padding_mode == PaddingMode.SAME_UPPER else (more, less)


class SlidingLayer(WindowLayer):
    """A layer whose windows lie on its input: one element of the output for each of them.

    Attributes:
        clips: whether the CAFFE modes drop a last window that begins behind the input and the padding before it.
    """

    clips = False

    def paddings(self, axis: int) -> tuple[int, int]:
        """Return the padding before and behind that the padding mode stands for."""
        size, step = self.sizes[axis], self.stride[axis]
        if self.padding_mode in SAME:
            return self.same_padding((size - 1) // step * step + self.reach(axis) - size)
        before = self.pre_padding[axis]
        return (before, before if self.padding_mode in CAFFE else self.post_padding[axis])

    def _output_size(self, axis: int) -> int:
        size, step = self.sizes[axis], self.stride[axis]
        if size < 0:
            return -1
        if self.padding_mode in SAME:
            return -(-size // step)
        before, behind = self.paddings(axis)
        room = size + before + behind - self.reach(axis)
        if room < 0:
            shape = self.inputs[0].shape
            raise NetworkError(
                self.name, f"its window of {self.reach(axis)} does not fit its input {shape}", "Pad it, or shrink it."
            )
        count = (room + step - 1 if self.padding_mode in ROUND_UP else room) // step + 1
        clipped = self.clips and self.padding_mode in CAFFE and (count - 1) * step >= size + before
        return count - 1 if clipped else count


class KernelLayer(WindowLayer):
    """A layer whose window holds weights: a kernel and, per output map, a bias [K].

    Where the kernel or the bias is a tensor, as behind a dequantize layer, its weights are empty and the tensor is
    input 1 or 2.
    """

    most_inputs, weight_names = 3, ("kernel", "bias")
    kernel, bias = WeightsAttribute(), WeightsAttribute()

    def __init__(
        self,
        network: INetworkDefinition,
        input: ITensor,
        num_output_maps: int,
        kernel_shape: Any,
        kernel: Weights,
        bias: Weights,
    ) -> None:
        super().__init__(network, [input], kernel_shape)
        self.num_output_maps, self.num_groups = int(num_output_maps), 1
        self.kernel, self.bias = kernel, bias

    kernel_size = alias("window", "Sizes of the kernel.")
    kernel_size_nd = alias("window", "Sizes of the kernel.")

    def kernel_shape(self) -> tuple[int, ...]:
        """Return the shape of the kernel.

        Raises:
            NetworkError: channels are not known or do not divide into groups, or the kernel or the bias has another
                size.
        """
        if self.channels < 0:
            fault = f"the number of channels of its input {self.inputs[0].name!r} is only known at run time"
            raise NetworkError(self.name, fault, "Its weights have a fixed size: fix the channel dimension.")
        if self.channels % self.num_groups or self.num_output_maps % self.num_groups:
            fault = f"{self.num_groups} groups of {self.channels} channels and {self.num_output_maps} output maps"
            raise NetworkError(self.name, fault, "Both must be multiples of the number of groups.")
        shape = self._kernel_shape()
        self._check_tensor(1, "kernel", shape)
        self._check_tensor(2, "bias", (self.num_output_maps,))
        if self.get_input(1) is None and self.kernel.size != volume(shape):
            fault = f"{self.kernel.size} kernel weights, but its shape {Dims(shape)} needs {volume(shape)}"
            raise NetworkError(self.name, fault)
        if self.bias.size not in (0, self.num_output_maps):
            raise NetworkError(self.name, f"{self.bias.size} bias weights for {self.num_output_maps} output maps")
        return shape

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, K, H', W')."""
        leading = self.inputs[0].shape[: -len(self.window) - 1]
        return (*leading, self.num_output_maps, *self.spatial_shape())

    def _kernel_shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def _check_tensor(self, index: int, name: str, shape: tuple[int, ...]) -> None:
        tensor = self.get_input(index)
        if tensor is not None and self.held(name).size:
            raise NetworkError(self.name, f"its {name} is both weights and a tensor", f"Set {name} to None.")
        if tensor is not None and tuple(tensor.shape) != shape:
            raise NetworkError(self.name, f"a {name} of shape {tensor.shape}, but it needs {Dims(shape)}")


class IConvolutionLayer(KernelLayer, SlidingLayer):
    """Convolution; kernel [K, C / groups, R, S]."""

    layer_type, title = LayerType.CONVOLUTION, "Convolution"

    def _kernel_shape(self) -> tuple[int, ...]:
        return (self.num_output_maps, self.channels // self.num_groups, *self.window)


class IDeconvolutionLayer(KernelLayer):
    """Transposed convolution; kernel [C, K / groups, R, S]."""

    layer_type, title = LayerType.DECONVOLUTION, "Deconvolution"

    def paddings(self, axis: int) -> tuple[int, int]:
        """Return how much is cut off the output before and behind."""
        if self.padding_mode in SAME:
            return self.same_padding(self.reach(axis) - self.stride[axis])
        return self.pre_padding[axis], self.post_padding[axis]

    def _kernel_shape(self) -> tuple[int, ...]:
        return (self.channels, self.num_output_maps // self.num_groups, *self.window)

    def _output_size(self, axis: int) -> int:
        if self.sizes[axis] < 0:
            return -1
        size = (self.sizes[axis] - 1) * self.stride[axis] + self.reach(axis) - sum(self.paddings(axis))
        if size < 1:
            raise NetworkError(self.name, f"its padding leaves nothing of an input {self.inputs[0].shape}", "Cut less.")
        return size


class IPoolingLayer(SlidingLayer):
    """Maximum or mean of windows, or a blend: (1 - blend_factor) * maximum + blend_factor * mean.

    Attributes:
        type: maximum, mean or blend, here and on TensorRT's layer; of what a network gives, the kind of the layer.
    """

    layer_type, title, clips = LayerType.POOLING, "Pooling", True

    def __init__(self, network: INetworkDefinition, input: ITensor, type: PoolingType, window_size: Any) -> None:
        super().__init__(network, [input], window_size)
        self.pooling_type = PoolingType(type)
        self.blend_factor, self.average_count_excludes_padding = 0.0, True

    window_size = alias("window", "Sizes of the window.")
    window_size_nd = alias("window", "Sizes of the window.")

    type = alias("pooling_type", "Maximum, mean or blend.")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, C, H', W')."""
        return (*self.inputs[0].shape[: -len(self.window)], *self.spatial_shape())


class IPaddingLayer(ILayer):
    """Noughts around the last two dimensions; negative amounts cut off."""

    layer_type, title = LayerType.PADDING, "Padding"
    takes = (NUMBERS,)

    def __init__(self, network: INetworkDefinition, input: ITensor, pre_padding: Any, post_padding: Any) -> None:
        super().__init__(network, [input])
        self.pre_padding, self.post_padding = sizes_of(pre_padding), sizes_of(post_padding)
        if not len(self.pre_padding) == len(self.post_padding) == 2 or len(input.shape) < 2:
            fault = f"padding {self.pre_padding} and {self.post_padding} of an input of shape {input.shape}"
            raise NetworkError(self.name, fault, "Give the amounts for the last two dimensions.")

    pre_padding_nd = alias("pre_padding", "Noughts before the last two dimensions.")
    post_padding_nd = alias("post_padding", "Noughts behind the last two dimensions.")

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return (…, H + before + after, W + before + after)."""
        shape = self.inputs[0].shape
        amounts = [self.pre_padding[axis] + self.post_padding[axis] for axis in (0, 1)]
        sizes = [size if size < 0 else size + more for size, more in zip(shape[-2:], amounts, strict=True)]
        if any(size < 1 <= whole for size, whole in zip(sizes, shape[-2:], strict=True)):
            raise NetworkError(self.name, f"nothing is left of an input of shape {shape}", "Cut off less.")
        return (*shape[:-2], *sizes)


class IResizeLayer(ILayer):
    """The input at other sizes: those of `shape`, or its own times `scales`, or those of input 1."""

    layer_type, title = LayerType.RESIZE, "Resize"
    takes, most_inputs = (FLOATS, INT32), 2
    input_instead = {"shape": 1}  # noqa: RUF012
    shape: tuple[int, ...]
    scales: list[float]

    def __init__(self, network: INetworkDefinition, input: ITensor) -> None:
        super().__init__(network, [input])
        self.shape, self.scales = (), []
        self.resize_mode = InterpolationMode.NEAREST
        self.coordinate_transformation = ResizeCoordinateTransformation.ASYMMETRIC
        self.selector_for_single_pixel = ResizeSelector.FORMULA
        self.nearest_rounding = ResizeRoundMode.FLOOR
        self.exclude_outside, self.cubic_coeff = False, -0.75
        self._coordinates_are_set = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "scales":
            value = [float(scale) for scale in value]
        if name == "coordinate_transformation":
            self._coordinates_are_set = True
        super().__setattr__(name, sizes_of(value) if name == "shape" else value)

    @property
    def coordinates(self) -> ResizeCoordinateTransformation:
        """What the layer does: where nothing is set it reads ASYMMETRIC, and TensorRT 8.6 resizes LINEAR by HALF_PIXEL.

        Raises:
            NetworkError: CUBIC with nothing set, which TensorRT 8.6 does not build.
        """
        if self._coordinates_are_set or self.resize_mode == InterpolationMode.NEAREST:
            return self.coordinate_transformation
        if self.resize_mode == InterpolationMode.CUBIC:
            fault = "Could not find any implementation for a CUBIC resize without a coordinate_transformation"
            raise NetworkError(self.name, fault, "Set it.")
        return ResizeCoordinateTransformation.HALF_PIXEL

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the new sizes; the input's as long as none are set."""
        shape, sizes = self.inputs[0].shape, self.get_input(1)
        if sizes is not None:
            return known_values(sizes, len(shape))
        if not self.shape and not self.scales:
            return tuple(shape)  # as TensorRT: what is not asked for stays
        if len(self.shape or self.scales) != len(shape):
            fault = f"shape {self.shape} and scales {self.scales} for an input of shape {shape}"
            raise NetworkError(self.name, fault, "Set one of them, with an entry for each dimension.")
        if self.shape:
            return self.shape
        # in float32, as TensorRT and ONNX Runtime multiply: 7 * 13 / 7 is 13
        scales = np.array(self.scales, np.float32)
        return tuple(
            size if size < 0 else floor(np.float32(size) * scale) for size, scale in zip(shape, scales, strict=True)
        )
