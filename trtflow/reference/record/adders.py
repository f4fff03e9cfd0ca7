"""The calls that add a layer to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    FillOperation,
    GatherMode,
    MatrixOperation,
    PoolingType,
    ReduceOperation,
    RNNOperation,
    ScaleMode,
    ScatterMode,
    TopKOperation,
    UnaryOperation,
)
from trtflow.reference.record.plugins import IPluginV2
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

Layer = TypeVar("Layer", bound=L.ILayer)


class Adders(Reporter):
    """What a network can be given. Where a layer cannot be, the error is told and the answer None."""

    _flows = 0  # loops and conditionals

    @property
    def _network(self) -> INetworkDefinition:
        raise NotImplementedError

    def add_layer(self, layer: Layer) -> Layer:
        """Take a layer.

        Raises:
            NetworkError: it is not for a network with such a batch.
        """
        raise NotImplementedError

    def add_convolution(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any, bias: Any = None
    ) -> L.IConvolutionLayer:
        """Add a convolution; kernel [K, C / groups, R, S]."""
        layer = L.IConvolutionLayer(
            self._network, input, num_output_maps, kernel_shape, Weights.of(kernel), Weights.of(bias)
        )
        return self.add_layer(layer)

    def add_fully_connected(
        self, input: ITensor, num_outputs: int, kernel: Any, bias: Any = None
    ) -> L.IFullyConnectedLayer:
        """Add a fully connected layer; kernel [K, C * H * W]."""
        return self.add_layer(
            L.IFullyConnectedLayer(self._network, input, num_outputs, Weights.of(kernel), Weights.of(bias))
        )

    def add_activation(self, input: ITensor, type: ActivationType) -> L.IActivationLayer:
        """Add an activation function."""
        return self.add_layer(L.IActivationLayer(self._network, input, type))

    def add_pooling(self, input: ITensor, type: PoolingType, window_size: Any) -> L.IPoolingLayer:
        """Add a pooling layer."""
        return self.add_layer(L.IPoolingLayer(self._network, input, type, window_size))

    def add_lrn(self, input: ITensor, window: int, alpha: float, beta: float, k: float) -> L.ILRNLayer:
        """Add a local response normalisation."""
        return self.add_layer(L.ILRNLayer(self._network, input, window, alpha, beta, k))

    def add_scale(
        self, input: ITensor, mode: ScaleMode, shift: Any = None, scale: Any = None, power: Any = None
    ) -> L.IScaleLayer:
        """Add (x * scale + shift) ** power; absent weights leave their part out."""
        return self.add_layer(
            L.IScaleLayer(self._network, input, mode, Weights.of(shift), Weights.of(scale), Weights.of(power))
        )

    def add_scale_nd(
        self,
        input: ITensor,
        mode: ScaleMode,
        shift: Any = None,
        scale: Any = None,
        power: Any = None,
        channel_axis: int | None = None,
    ) -> L.IScaleLayer:
        """Add what `add_scale` does, with channels along any axis.

        Raises:
            TypeError: there is no channel axis. (In TensorRT it has no default, though it follows some that have.)
        """
        if channel_axis is None:
            raise TypeError("add_scale_nd() needs channel_axis")
        weights = (Weights.of(shift), Weights.of(scale), Weights.of(power))
        return self.add_layer(L.IScaleLayer(self._network, input, mode, *weights, channel_axis))

    def add_softmax(self, input: ITensor) -> L.ISoftMaxLayer:
        """Add a softmax."""
        return self.add_layer(L.ISoftMaxLayer(self._network, input))

    def add_concatenation(self, inputs: list[ITensor]) -> L.IConcatenationLayer:
        """Join tensors."""
        return self.add_layer(L.IConcatenationLayer(self._network, list(inputs)))

    def add_elementwise(self, input1: ITensor, input2: ITensor, op: ElementWiseOperation) -> L.IElementWiseLayer:
        """Add a binary function."""
        return self.add_layer(L.IElementWiseLayer(self._network, input1, input2, op))

    def add_shuffle(self, input: ITensor) -> L.IShuffleLayer:
        """Add a transpose and reshape."""
        return self.add_layer(L.IShuffleLayer(self._network, input))

    def add_constant(self, shape: Any, weights: Any) -> L.IConstantLayer:
        """Add a constant."""
        return self.add_layer(L.IConstantLayer(self._network, shape, Weights.of(weights)))

    def add_deconvolution(
        self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any, bias: Any = None
    ) -> L.IDeconvolutionLayer:
        """Add a transposed convolution; kernel [C, K / groups, R, S]."""
        return self.add_layer(
            L.IDeconvolutionLayer(
                self._network, input, num_output_maps, kernel_shape, Weights.of(kernel), Weights.of(bias)
            )
        )

    def add_matrix_multiply(
        self, input0: ITensor, op0: MatrixOperation, input1: ITensor, op1: MatrixOperation
    ) -> L.IMatrixMultiplyLayer:
        """Add a product of matrices."""
        return self.add_layer(L.IMatrixMultiplyLayer(self._network, input0, op0, input1, op1))

    def add_unary(self, input: ITensor, op: UnaryOperation) -> L.IUnaryLayer:
        """Add a function of each element."""
        return self.add_layer(L.IUnaryLayer(self._network, input, op))

    def add_reduce(self, input: ITensor, op: ReduceOperation, axes: int, keep_dims: bool) -> L.IReduceLayer:
        """Add a reduction along the axes whose bits are set."""
        return self.add_layer(L.IReduceLayer(self._network, input, op, axes, keep_dims))

    def add_topk(self, input: ITensor, op: TopKOperation, k: int, axes: int) -> L.ITopKLayer:
        """Add a choice of the k largest or smallest elements."""
        return self.add_layer(L.ITopKLayer(self._network, input, op, k, axes))

    def add_gather(self, input: ITensor, indices: ITensor, axis: int) -> L.IGatherLayer:
        """Add a look-up of slices."""
        return self.add_layer(L.IGatherLayer(self._network, input, indices, axis))

    def add_gather_v2(self, input: ITensor, indices: ITensor, mode: GatherMode) -> L.IGatherLayer:
        """Add a look-up of slices, of elements, or of what n-dimensional indices point to."""
        return self.add_layer(L.IGatherLayer(self._network, input, indices, mode=mode))

    def add_slice(self, input: ITensor, start: Any, shape: Any, stride: Any) -> L.ISliceLayer:
        """Add a cut."""
        return self.add_layer(L.ISliceLayer(self._network, input, start, shape, stride))

    def add_padding(self, input: ITensor, pre_padding: Any, post_padding: Any) -> L.IPaddingLayer:
        """Add noughts around the last two dimensions."""
        return self.add_layer(L.IPaddingLayer(self._network, input, pre_padding, post_padding))

    def add_identity(self, input: ITensor) -> L.IIdentityLayer:
        """Add a layer that changes nothing but the type, where one is set."""
        return self.add_layer(L.IIdentityLayer(self._network, [input]))

    def add_cast(self, input: ITensor, to_type: DataType) -> L.ICastLayer:
        """Add a conversion to another type."""
        return self.add_layer(L.ICastLayer(self._network, input, to_type))

    def add_shape(self, input: ITensor) -> L.IShapeLayer:
        """Add a layer that gives the sizes of a tensor."""
        return self.add_layer(L.IShapeLayer(self._network, [input]))

    def add_select(self, condition: ITensor, then_input: ITensor, else_input: ITensor) -> L.ISelectLayer:
        """Add a choice between two tensors, element by element."""
        return self.add_layer(L.ISelectLayer(self._network, condition, then_input, else_input))

    def add_resize(self, input: ITensor) -> L.IResizeLayer:
        """Add a resize; set its `shape` or its `scales`."""
        return self.add_layer(L.IResizeLayer(self._network, input))

    def add_parametric_relu(self, input: ITensor, slopes: ITensor) -> L.IParametricReLULayer:
        """Add a ReLU with slopes below 0."""
        return self.add_layer(L.IParametricReLULayer(self._network, input, slopes))

    def add_one_hot(self, indices: ITensor, values: ITensor, depth: ITensor, axis: int) -> L.IOneHotLayer:
        """Add a one-hot encoding; values are (off, on)."""
        return self.add_layer(L.IOneHotLayer(self._network, indices, values, depth, axis))

    def add_quantize(self, input: ITensor, scale: ITensor) -> L.IQuantizeLayer:
        """Add a conversion of floats to INT8 steps of a scale."""
        return self.add_layer(L.IQuantizeLayer(self._network, input, scale))

    def add_dequantize(self, input: ITensor, scale: ITensor) -> L.IDequantizeLayer:
        """Add a conversion of INT8 steps of a scale to floats."""
        return self.add_layer(L.IDequantizeLayer(self._network, input, scale))

    def add_normalization(
        self,
        input: ITensor,
        scale: ITensor,
        bias: ITensor,
        axesMask: int,  # noqa: N803 - TensorRT's name
    ) -> L.INormalizationLayer:
        """Add a normalisation by the moments along the axes whose bits are set."""
        return self.add_layer(L.INormalizationLayer(self._network, input, scale, bias, axesMask))

    def add_rnn_v2(
        self, input: ITensor, layer_count: int, hidden_size: int, max_seq_length: int, op: RNNOperation
    ) -> L.IRNNv2Layer:
        """Add recurrent layers over sequences [S, E]; their weights are set gate by gate."""
        return self.add_layer(L.IRNNv2Layer(self._network, input, layer_count, hidden_size, max_seq_length, op))

    def add_ragged_softmax(self, input: ITensor, bounds: ITensor) -> L.IRaggedSoftMaxLayer:
        """Add a softmax over rows [Z, S] of different lengths [Z, 1]."""
        return self.add_layer(L.IRaggedSoftMaxLayer(self._network, [input, bounds]))

    def add_plugin_v2(self, inputs: list[ITensor], plugin: IPluginV2) -> L.IPluginV2Layer:
        """Add a layer that a plugin computes."""
        return self.add_layer(L.IPluginV2Layer(self._network, list(inputs), plugin))

    def add_fill(self, shape: Any, op: FillOperation) -> L.IFillLayer:
        """Add a tensor of evenly spaced or random numbers."""
        return self.add_layer(L.IFillLayer(self._network, shape, op))

    def add_scatter(self, data: ITensor, indices: ITensor, updates: ITensor, mode: ScatterMode) -> L.IScatterLayer:
        """Add a copy of data with updates written where the indices say."""
        return self.add_layer(L.IScatterLayer(self._network, data, indices, updates, mode))

    def add_einsum(self, inputs: list[ITensor], equation: str) -> L.IEinsumLayer:
        """Add a sum of products, as an equation says."""
        return self.add_layer(L.IEinsumLayer(self._network, list(inputs), equation))

    def add_nms(self, boxes: ITensor, scores: ITensor, max_output_boxes_per_class: ITensor) -> L.INMSLayer:
        """Add a non-maximum suppression."""
        return self.add_layer(L.INMSLayer(self._network, boxes, scores, max_output_boxes_per_class))

    def add_non_zero(self, input: ITensor) -> L.INonZeroLayer:
        """Add a look for the elements that are not 0."""
        return self.add_layer(L.INonZeroLayer(self._network, input))

    def add_grid_sample(self, input: ITensor, grid: ITensor) -> L.IGridSampleLayer:
        """Add a look-up of pictures' values at places between elements."""
        return self.add_layer(L.IGridSampleLayer(self._network, input, grid))

    def add_reverse_sequence(self, input: ITensor, sequence_lens: ITensor) -> L.IReverseSequenceLayer:
        """Add a reversal of the first elements along an axis."""
        return self.add_layer(L.IReverseSequenceLayer(self._network, input, sequence_lens))

    def add_assertion(self, condition: ITensor, message: str) -> L.IAssertionLayer:
        """Add a condition without which a run fails."""
        return self.add_layer(L.IAssertionLayer(self._network, condition, message))

    def add_loop(self) -> L.ILoop:
        """Return a loop, to which layers on its border are added."""
        self._flows += 1
        return L.ILoop(self._network, self._flows - 1)

    def add_if_conditional(self) -> L.IIfConditional:
        """Return a conditional, to which layers on its border are added."""
        self._flows += 1
        return L.IIfConditional(self._network, self._flows - 1)

    # TensorRT has these under a second name since 7.0
    add_convolution_nd, add_pooling_nd = add_convolution, add_pooling
    add_deconvolution_nd, add_padding_nd = add_deconvolution, add_padding


for _name in [name for name in vars(Adders) if name.startswith("add_") and name != "add_layer"]:
    setattr(Adders, _name, answers(None)(vars(Adders)[_name]))
