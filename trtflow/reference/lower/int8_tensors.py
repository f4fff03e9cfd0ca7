"""Which tensors are stored in INT8: what INT8 layers read, and what lies between them that has integer kernels too.

- A tensor is INT8 when a convolution, transposed too, or a fully connected layer in INT8 reads it, be it through layers
  that only move or select values. It must have a scale. So it is where a product with a constant matrix reads it
  that is asked to be INT8.
- Residual sums of such layers' results stay in INT8: both summands and the sum. So does what an average pool reads.
  A summand that has no scale leaves its sum in float32.
- An activation belongs to the layer in front of it, and what lies between them is no tensor of its own: ReLU and clips,
  which commute with rounding, and leaky ReLU. The last needs steps for what it reads; it takes those of its result,
  which leaves values above nought as they are.

TensorRT 8.6 fuses a sum into the convolution in front of it, so that one of two summands is not rounded there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    GatherMode,
    InterpolationMode,
    MatrixOperation,
    PoolingType,
    SampleMode,
)
from trtflow.reference.record.layer import FLOATS
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor

QUANTISED_LAYERS = (L.IConvolutionLayer, L.IDeconvolutionLayer, L.IFullyConnectedLayer)
Scale = Callable[[ITensor], np.float32 | None]


class Int8Tensors:
    """Finds the tensors that INT8 layers read or that lie between them.

    Attributes:
        found: tensors that are INT8; True for those that an INT8 layer needs, False for those that only gain by it.
        integers: tensors whose values integer kernels give.
        like: for what a fused leaky ReLU reads, the tensor whose scale it takes.
    """

    def __init__(self, network: INetworkDefinition, layers: Mapping[L.ILayer, DataType], scale_of: Scale) -> None:
        """Take a network.

        Args:
            network: the network.
            layers: what each layer computes in.
            scale_of: returns a tensor's scale, None where it has none.
        """
        self.layers, self.scale_of = layers, scale_of
        self.readers: dict[ITensor, list[L.ILayer]] = {}
        for layer in network:
            for tensor in layer.inputs:
                self.readers.setdefault(tensor, []).append(layer)
        self.found: dict[ITensor, bool] = {}
        self._spread(layer.inputs[0] for layer in network if layers[layer] == DataType.INT8)
        self.integers = self._results_of_integers(network)
        pools = [layer for layer in network if isinstance(layer, L.IPoolingLayer)]
        means = [layer.inputs[0] for layer in pools if layer.pooling_type == PoolingType.AVERAGE]
        self._gain([*(summand for tensor in self.found for summand in self._summands(tensor)), *means])
        self.like = {source: tensor for tensor in self.found for source in self._read_by_leaky(tensor)}
        self.found |= dict.fromkeys(self.like, False)

    def _spread(self, tensors: Iterator[ITensor]) -> None:
        """Add tensors that INT8 layers read, and those that they are moved from."""
        pending = deque(tensors)
        while pending:
            tensor = pending.popleft()
            constant = isinstance(tensor.producer, L.IConstantLayer)
            if tensor not in self.found and not constant and tensor.native_dtype in FLOATS:
                self.found[tensor] = True
                pending += self._moved_from(tensor)

    def read_by(self, layer: L.ILayer) -> list[ITensor]:
        """Return the tensors that a layer needs in INT8: its input, and what that is moved from."""
        found, pending = [], [layer.inputs[0]]
        while pending:
            tensor = pending.pop()
            if tensor in self.found and tensor not in found:
                found.append(tensor)
                pending += self._moved_from(tensor)
        return found

    def _moved_from(self, tensor: ITensor) -> list[ITensor]:
        """Return what a tensor's values are moved from; nothing where they are computed or an activation is fused."""
        producer = tensor.producer
        moved = producer is not None and moves_values(producer) and not self._is_fused(producer)
        return list(producer.inputs) if moved and producer is not None else []

    def _is_fused(self, layer: L.ILayer) -> bool:
        """Whether an activation alone reads what a layer computes in front of it."""
        if not isinstance(layer, L.IActivationLayer):
            return False
        tensor = layer.inputs[0]
        alone = not tensor.is_network_output and len(self.readers[tensor]) == 1
        return alone and tensor.producer is not None and not moves_values(tensor.producer)

    def _results_of_integers(self, network: INetworkDefinition) -> set[ITensor]:
        """Return tensors whose values integer kernels give: products in INT8, sums of such, or moved from them."""
        results = set(self.found)
        for layer in network:
            if (self._has_integer_kernel(layer) and all(tensor in results for tensor in layer.inputs)) or (
                isinstance(layer, (*QUANTISED_LAYERS, L.IMatrixMultiplyLayer)) and self.layers[layer] == DataType.INT8
            ):
                results.update(layer.outputs)
        return results

    def _has_integer_kernel(self, layer: L.ILayer) -> bool:
        """Whether a layer passes on what integer kernels computed, or computes it in one."""
        scaled = isinstance(layer, L.IScaleLayer) and isinstance(layer.inputs[0].producer, QUANTISED_LAYERS)
        return scaled or _is_sum(layer) or moves_values(layer) or self._is_fused(layer)

    def _gain(self, tensors: Iterable[ITensor]) -> None:
        """Add tensors that need not be INT8, where integer kernels give their values and all have a scale."""
        pending = deque(tensors)
        while pending:
            tensor = pending.popleft()
            sources = self._moved_from(tensor)
            scaled = all(source in self.found or self.scale_of(source) is not None for source in [tensor, *sources])
            if tensor not in self.found and tensor in self.integers and scaled:
                self.found[tensor] = False
                pending += [*sources, *self._summands(tensor)]

    def _summands(self, tensor: ITensor) -> list[ITensor]:
        """Return the summands of a sum in front of a tensor, where they can all be INT8."""
        layer = tensor.producer
        if layer is not None and self._is_fused(layer):
            layer = layer.inputs[0].producer
        if layer is None or not _is_sum(layer):
            return []
        fit = all(source in self.integers and self.scale_of(source) is not None for source in layer.inputs)
        return list(layer.inputs) if fit else []

    def _read_by_leaky(self, tensor: ITensor) -> list[ITensor]:
        """Return what a fused leaky ReLU reads, where it makes a tensor of what an integer kernel computes."""
        layer = tensor.producer
        leaky = isinstance(layer, L.IActivationLayer) and layer.activation_type == ActivationType.LEAKY_RELU
        if not leaky or layer is None or not self._is_fused(layer):
            return []
        return [source for source in layer.inputs if source not in self.found and source in self.integers]


def constant_factor(layer: L.ILayer) -> L.IConstantLayer | None:
    """Return the constant matrix of floats that a product multiplies by from the right, if it does."""
    if not isinstance(layer, L.IMatrixMultiplyLayer) or MatrixOperation.VECTOR in (layer.op0, layer.op1):
        return None
    constant = layer.inputs[1].producer
    if not isinstance(constant, L.IConstantLayer) or layer.inputs[1].native_dtype not in FLOATS:
        return None
    return constant if set(constant.shape[:-2]) <= {1} else None


def _is_sum(layer: L.ILayer) -> bool:
    return isinstance(layer, L.IElementWiseLayer) and layer.op == ElementWiseOperation.SUM


def moves_values(layer: L.ILayer) -> bool:
    """Whether a layer's results are values of its inputs, or nought where a ReLU says so."""
    if isinstance(layer, L.IPoolingLayer):
        return layer.pooling_type == PoolingType.MAX
    if isinstance(layer, L.IActivationLayer):
        return layer.activation_type == ActivationType.RELU
    if isinstance(layer, L.IGatherLayer):
        return layer.mode == GatherMode.DEFAULT
    if isinstance(layer, L.ISliceLayer):
        return layer.mode != SampleMode.FILL
    if isinstance(layer, L.IResizeLayer):
        return layer.resize_mode == InterpolationMode.NEAREST
    return isinstance(layer, (L.IShuffleLayer, L.IConcatenationLayer, L.IIdentityLayer))


def all_tensors(network: INetworkDefinition) -> list[ITensor]:
    """Return the network's inputs, then every layer's outputs, in network order."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    return inputs + [output for layer in network for output in layer.outputs]


def fused_activation(network: INetworkDefinition, layer: L.ILayer) -> bool:
    """Whether a layer is a ReLU that TensorRT fuses into the layer with a kernel before it."""
    if not isinstance(layer, L.IActivationLayer) or layer.activation_type != ActivationType.RELU:
        return False
    tensor = layer.inputs[0]
    alone = not tensor.is_network_output and [reader for reader in network if tensor in reader.inputs] == [layer]
    return isinstance(tensor.producer, QUANTISED_LAYERS) and alone
