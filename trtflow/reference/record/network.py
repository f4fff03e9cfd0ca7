"""The network definition: it records layers and tensors and computes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    GatherMode,
    MatrixOperation,
    NetworkDefinitionCreationFlag,
    PoolingType,
    ReduceOperation,
    RNNOperation,
    ScaleMode,
    TopKOperation,
    UnaryOperation,
)
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, ILogger, Logger, Weights

Layer = TypeVar("Layer", bound=L.ILayer)


class INetworkDefinition(Scope):
    """A network under construction; made by `Builder.create_network`.

    Args:
        flags: bits of `NetworkDefinitionCreationFlag`; without EXPLICIT_BATCH shapes leave the batch out.

    Attributes:
        logger: takes the warnings of parsers that are given none: the builder's.
        in_order: whether layers read those before them only; not so where `set_input` was used.
    """

    def __init__(self, flags: int = 0) -> None:
        self.name = "Unnamed Network 0"
        self.has_implicit_batch_dimension = not flags & (1 << int(NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        self.revision = 0
        self.logger: ILogger = Logger()
        self.in_order = True
        self._inputs: list[ITensor] = []
        self._outputs: list[ITensor] = []
        self._layers: list[L.ILayer] = []

    num_inputs = property(lambda self: len(self._inputs), doc="Number of inputs.")
    num_outputs = property(lambda self: len(self._outputs), doc="Number of marked outputs.")
    num_layers = property(lambda self: len(self._layers), doc="Number of layers.")
    has_explicit_precision = False  # TensorRT 8.6 ignores the flag

    def __len__(self) -> int:
        return len(self._layers)

    def __getitem__(self, index: int) -> L.ILayer:
        return self._layers[index]

    def __iter__(self) -> Iterator[L.ILayer]:
        return iter(self._layers)

    def get_input(self, index: int) -> ITensor:
        """Return an input."""
        return self._inputs[index]

    def get_output(self, index: int) -> ITensor:
        """Return a marked output."""
        return self._outputs[index]

    def get_layer(self, index: int) -> L.ILayer:
        """Return a layer."""
        return self._layers[index]

    def add_input(self, name: str, dtype: DataType, shape: Any) -> ITensor:
        """Add an input; with an implicit batch the shape leaves the batch out."""
        if any(tensor.name == name for tensor in self._inputs):
            raise NetworkError(name, "a network input of this name is there already", "Give each input its own name.")
        tensor = ITensor(name, network=self)
        tensor.shape, tensor.dtype = shape, dtype
        self._inputs.append(tensor)
        return tensor

    def mark_output(self, tensor: ITensor) -> None:
        """Make a tensor an output of the network."""
        if tensor is None:
            raise NetworkError("output", "no such tensor to mark", "Look up the name of the blob in the prototxt.")
        if not tensor.is_network_output:
            tensor.is_network_output = True
            self._outputs.append(tensor)

    def unmark_output(self, tensor: ITensor) -> None:
        """Make a tensor internal again."""
        tensor.is_network_output = False
        self._outputs.remove(tensor)

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

    def add_convolution(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any, bias: Any = None
    ) -> L.IConvolutionLayer:
        """Add a convolution; kernel [K, C / groups, R, S]."""
        layer = L.IConvolutionLayer(self, input, num_output_maps, kernel_shape, Weights.of(kernel), Weights.of(bias))
        return self._add(layer)

    def add_fully_connected(
        self, input: ITensor, num_outputs: int, kernel: Any, bias: Any = None
    ) -> L.IFullyConnectedLayer:
        """Add a fully connected layer; kernel [K, C * H * W]."""
        return self._add(L.IFullyConnectedLayer(self, input, num_outputs, Weights.of(kernel), Weights.of(bias)))

    def add_activation(self, input: ITensor, type: ActivationType) -> L.IActivationLayer:
        """Add an activation function."""
        return self._add(L.IActivationLayer(self, input, type))

    def add_pooling(self, input: ITensor, type: PoolingType, window_size: Any) -> L.IPoolingLayer:
        """Add a pooling layer."""
        return self._add(L.IPoolingLayer(self, input, type, window_size))

    def add_lrn(self, input: ITensor, window: int, alpha: float, beta: float, k: float) -> L.ILRNLayer:
        """Add a local response normalisation."""
        return self._add(L.ILRNLayer(self, input, window, alpha, beta, k))

    def add_scale(
        self, input: ITensor, mode: ScaleMode, shift: Any = None, scale: Any = None, power: Any = None
    ) -> L.IScaleLayer:
        """Add (x * scale + shift) ** power; absent weights leave their part out."""
        return self._add(L.IScaleLayer(self, input, mode, Weights.of(shift), Weights.of(scale), Weights.of(power)))

    def add_scale_nd(
        self,
        input: ITensor,
        mode: ScaleMode,
        shift: Any = None,
        scale: Any = None,
        power: Any = None,
        *,
        channel_axis: int,
    ) -> L.IScaleLayer:
        """Add what `add_scale` does, with channels along any axis."""
        weights = (Weights.of(shift), Weights.of(scale), Weights.of(power))
        return self._add(L.IScaleLayer(self, input, mode, *weights, channel_axis))

    def add_softmax(self, input: ITensor) -> L.ISoftMaxLayer:
        """Add a softmax."""
        return self._add(L.ISoftMaxLayer(self, input))

    def add_concatenation(self, inputs: list[ITensor]) -> L.IConcatenationLayer:
        """Join tensors."""
        return self._add(L.IConcatenationLayer(self, list(inputs)))

    def add_elementwise(self, input1: ITensor, input2: ITensor, op: ElementWiseOperation) -> L.IElementWiseLayer:
        """Add a binary function."""
        return self._add(L.IElementWiseLayer(self, input1, input2, op))

    def add_shuffle(self, input: ITensor) -> L.IShuffleLayer:
        """Add a transpose and reshape."""
        return self._add(L.IShuffleLayer(self, input))

    def add_constant(self, shape: Any, weights: Any) -> L.IConstantLayer:
        """Add a constant."""
        return self._add(L.IConstantLayer(self, Dims(shape), Weights.of(weights)))

    def add_deconvolution(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any, bias: Any = None
    ) -> L.IDeconvolutionLayer:
        """Add a transposed convolution; kernel [C, K / groups, R, S]."""
        return self._add(
            L.IDeconvolutionLayer(self, input, num_output_maps, kernel_shape, Weights.of(kernel), Weights.of(bias))
        )

    def add_matrix_multiply(
        self, input0: ITensor, op0: MatrixOperation, input1: ITensor, op1: MatrixOperation
    ) -> L.IMatrixMultiplyLayer:
        """Add a product of matrices."""
        return self._add(L.IMatrixMultiplyLayer(self, input0, op0, input1, op1))

    def add_unary(self, input: ITensor, op: UnaryOperation) -> L.IUnaryLayer:
        """Add a function of each element."""
        return self._add(L.IUnaryLayer(self, input, op))

    def add_reduce(self, input: ITensor, op: ReduceOperation, axes: int, keep_dims: bool) -> L.IReduceLayer:
        """Add a reduction along the axes whose bits are set."""
        return self._add(L.IReduceLayer(self, input, op, axes, keep_dims))

    def add_topk(self, input: ITensor, op: TopKOperation, k: int, axes: int) -> L.ITopKLayer:
        """Add a choice of the k largest or smallest elements."""
        return self._add(L.ITopKLayer(self, input, op, k, axes))

    def add_gather(self, input: ITensor, indices: ITensor, axis: int) -> L.IGatherLayer:
        """Add a look-up of slices."""
        return self._add(L.IGatherLayer(self, input, indices, axis))

    def add_gather_v2(self, input: ITensor, indices: ITensor, mode: GatherMode) -> L.IGatherLayer:
        """Add a look-up of slices, of elements, or of what n-dimensional indices point to."""
        return self._add(L.IGatherLayer(self, input, indices, mode=mode))

    def add_slice(self, input: ITensor, start: Any, shape: Any, stride: Any) -> L.ISliceLayer:
        """Add a cut."""
        return self._add(L.ISliceLayer(self, input, start, shape, stride))

    def add_padding(self, input: ITensor, pre_padding: Any, post_padding: Any) -> L.IPaddingLayer:
        """Add noughts around the last two dimensions."""
        return self._add(L.IPaddingLayer(self, input, pre_padding, post_padding))

    def add_identity(self, input: ITensor) -> L.IIdentityLayer:
        """Add a layer that changes nothing but the type, where one is set."""
        return self._add(L.IIdentityLayer(self, [input]))

    def add_cast(self, input: ITensor, to_type: DataType) -> L.ICastLayer:
        """Add a conversion to another type."""
        return self._add(L.ICastLayer(self, input, to_type))

    def add_shape(self, input: ITensor) -> L.IShapeLayer:
        """Add a layer that gives the sizes of a tensor."""
        return self._add(L.IShapeLayer(self, [input]))

    def add_select(self, condition: ITensor, then_input: ITensor, else_input: ITensor) -> L.ISelectLayer:
        """Add a choice between two tensors, element by element."""
        return self._add(L.ISelectLayer(self, condition, then_input, else_input))

    def add_resize(self, input: ITensor) -> L.IResizeLayer:
        """Add a resize; set its `shape` or its `scales`."""
        return self._add(L.IResizeLayer(self, input))

    def add_parametric_relu(self, input: ITensor, slopes: ITensor) -> L.IParametricReLULayer:
        """Add a ReLU with slopes below 0."""
        return self._add(L.IParametricReLULayer(self, input, slopes))

    def add_one_hot(self, indices: ITensor, values: ITensor, depth: ITensor, axis: int) -> L.IOneHotLayer:
        """Add a one-hot encoding; values are (off, on)."""
        return self._add(L.IOneHotLayer(self, indices, values, depth, axis))

    def add_quantize(self, input: ITensor, scale: ITensor) -> L.IQuantizeLayer:
        """Add a conversion of floats to INT8 steps of a scale."""
        return self._add(L.IQuantizeLayer(self, input, scale))

    def add_dequantize(self, input: ITensor, scale: ITensor) -> L.IDequantizeLayer:
        """Add a conversion of INT8 steps of a scale to floats."""
        return self._add(L.IDequantizeLayer(self, input, scale))

    def add_normalization(
        self,
        input: ITensor,
        scale: ITensor,
        bias: ITensor,
        axesMask: int,  # noqa: N803 - TensorRT's name
    ) -> L.INormalizationLayer:
        """Add a normalisation by the moments along the axes whose bits are set."""
        return self._add(L.INormalizationLayer(self, input, scale, bias, axesMask))

    def add_rnn_v2(
        self, input: ITensor, layer_count: int, hidden_size: int, max_seq_length: int, op: RNNOperation
    ) -> L.IRNNv2Layer:
        """Add recurrent layers over sequences [S, E]; their weights are set gate by gate."""
        return self._add(L.IRNNv2Layer(self, input, layer_count, hidden_size, max_seq_length, op))

    def add_ragged_softmax(self, input: ITensor, bounds: ITensor) -> L.IRaggedSoftMaxLayer:
        """Add a softmax over rows [Z, S] of different lengths [Z, 1]."""
        return self._add(L.IRaggedSoftMaxLayer(self, [input, bounds]))

    def add_plugin_v2(self, inputs: list[ITensor], plugin: IPluginV2) -> L.IPluginV2Layer:
        """Add a layer that a plugin computes."""
        return self._add(L.IPluginV2Layer(self, list(inputs), plugin))

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
        return self.in_order and (not hasattr(layer, "outputs") or not self._layers or self._layers[-1] is layer)

    def _add(self, layer: Layer) -> Layer:
        if layer.explicit_batch_only and self.has_implicit_batch_dimension:
            raise NetworkError(layer.name, f"{layer.title} with an implicit batch", "Make the batch explicit.")
        if layer.implicit_batch_only and not self.has_implicit_batch_dimension:
            raise NetworkError(layer.name, f"{layer.title} with an explicit batch", "Make the batch implicit.")
        layer.add_outputs()
        self._layers.append(layer)
        return layer

    # TensorRT has these under a second name since 7.0
    add_convolution_nd, add_pooling_nd = add_convolution, add_pooling
    add_deconvolution_nd, add_padding_nd = add_deconvolution, add_padding
