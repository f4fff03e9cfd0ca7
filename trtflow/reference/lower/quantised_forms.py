"""Networks that quantise themselves in a form that TensorRT 8.6 parses and does not build, or computes otherwise.

All of it was found with small networks on an H200 (TensorRT 8.6.0); docs/migrate.md has what was tried. Forms that were
not tried are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trtflow.reference.errors import BuildError
from trtflow.reference.lower.int8_tensors import moves_values
from trtflow.reference.record import layers as L  # noqa: N812 - the table of layer classes
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    InterpolationMode,
    MatrixOperation,
)
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Logger, volume

LEAST_GROUP = 4  # channels
PICTURES = 4  # dimensions in which products with constants were tried
MERGE = (
    "[graphOptimizer.cpp::mergeScales::998] Error Code 2: Internal Error "
    "(Assertion equalOrZero({result.scale.count(), result.shift.count(), result.power.count()}) failed.)"
)
COSTS = "[optimizer.cpp::computeCosts::3873] Error Code 10: Internal Error (Could not find any implementation for node"
Convolution = L.IConvolutionLayer | L.IDeconvolutionLayer


def has_thin_groups(layer: L.ILayer) -> bool:
    """Whether a convolution has groups of less than four channels, and not a map of each channel alone.

    TensorRT 8.6 has no INT8 kernel for these.
    """
    if not isinstance(layer, Convolution) or layer.num_groups == 1:
        return False
    alone = layer.num_groups == layer.channels == layer.num_output_maps  # which has a kernel of its own
    return layer.channels // layer.num_groups < LEAST_GROUP and not alone


def constant_product(layer: L.ILayer | None) -> tuple[ITensor, tuple[int, ...]] | None:
    """Return what a layer multiplies by a constant and the constant's shape, None where it does not, or adds to it."""
    if isinstance(layer, L.IScaleLayer):
        only = layer.scale.size and not layer.shift.size and not layer.power.size
        return (layer.inputs[0], tuple(layer.weights_shape())) if only else None
    if not isinstance(layer, L.IElementWiseLayer) or layer.op != ElementWiseOperation.PROD:
        return None
    first, second = layer.inputs
    for tensor, constant in ((first, second), (second, first)):
        if isinstance(constant.producer, L.IConstantLayer):
            return tensor, tuple(constant.shape)
    return None


def limits_values(layer: L.ILayer) -> bool:
    """Whether a layer is a ReLU, a clip, or a maximum or minimum with a constant."""
    if isinstance(layer, L.IActivationLayer):
        return layer.activation_type in (ActivationType.RELU, ActivationType.CLIP)
    extreme = isinstance(layer, L.IElementWiseLayer) and layer.op in (
        ElementWiseOperation.MAX,
        ElementWiseOperation.MIN,
    )
    return extreme and any(isinstance(tensor.producer, L.IConstantLayer) for tensor in layer.inputs)


def passes_values(layer: L.ILayer) -> bool:
    """Whether a layer moves values or limits them."""
    return moves_values(layer) or limits_values(layer)


def check_quantised_forms(network: INetworkDefinition, layers: Mapping[L.ILayer, DataType]) -> None:
    """Check a network that quantises itself, with what each layer computes in; warn where values differ.

    Raises:
        BuildError: TensorRT 8.6 does not build it, in its words.
    """
    for layer in network:
        if isinstance(layer, L.IQuantizeLayer):
            _check_in_front(network, layer, layers)
        elif layers[layer] == DataType.INT8:
            _check_scales(network, layer)


def _check_in_front(
    network: INetworkDefinition, quantiser: L.IQuantizeLayer, layers: Mapping[L.ILayer, DataType]
) -> None:
    """Check what makes the values that are quantised."""
    maker = quantiser.inputs[0].producer
    if isinstance(maker, L.IResizeLayer) and maker.resize_mode == InterpolationMode.NEAREST:
        if isinstance(maker.inputs[0].producer, L.IDequantizeLayer):
            what = (
                f"resize {maker.name!r} stands between two pairs, and TensorRT 8.6.0 did not build a network like this"
            )
            remedy = "If a GPU does not, leave out the pair behind it, and have what reads it compute in float."
            network.logger.log(Logger.WARNING, f"{what}. {remedy}")  # one network was tried
        return
    while maker is not None and (limits_values(maker) or isinstance(maker, L.IIdentityLayer)):
        maker = next((item.producer for item in maker.inputs if not isinstance(item.producer, L.IConstantLayer)), None)
    if isinstance(maker, L.IConvolutionLayer) and layers[maker] == DataType.INT8 and has_thin_groups(maker):
        remedy = f"It has {maker.num_groups} groups of less than {LEAST_GROUP} channels: leave out its pairs."
        raise BuildError(f"{COSTS} {maker.name}.) {remedy}")
    _check_product(network, quantiser, maker)


def _check_product(network: INetworkDefinition, quantiser: L.ILayer, maker: L.ILayer | None) -> None:
    product = constant_product(maker)
    if product is None or maker is None:
        return
    data, shape = product
    if volume(shape) == 1:
        if isinstance(data.producer, L.IDequantizeLayer):
            what = (
                f"layer {maker.name!r} multiplies what was dequantised by a number, and {quantiser.name!r} quantises it"
            )
            network.logger.log(Logger.WARNING, f"{what}: TensorRT 8.6 gives other values. Leave out one of the pairs.")
        return
    ranked = len(data.shape) == PICTURES == len(shape)
    by_channel = ranked and shape[1] == volume(shape)
    whole = ranked and 1 not in shape[1:]
    if (by_channel or whole) and not isinstance(data.producer, L.IConvolutionLayer):
        remedy = f"{maker.name!r} multiplies by constants in front of {quantiser.name!r}: add a constant behind it, or "
        raise BuildError(f"{MERGE} {remedy}leave out the pair.")


def _check_scales(network: INetworkDefinition, layer: L.ILayer) -> None:
    """Warn of scales along an axis that a product sums over."""
    for place, axis in _summed_axes(layer):
        quantiser = _of_constant(layer.get_input(place))
        if quantiser is None or volume(quantiser.inputs[1].shape) == 1:
            continue
        if quantiser.axis - len(quantiser.inputs[0].shape) == axis:
            what = f"the weights of {layer.name!r} have a scale for each index of an axis that is summed over"
            remedy = "Give them one for each index of the output, or one in all."
            network.logger.log(Logger.WARNING, f"{what}: TensorRT 8.6 gives other values. {remedy}")


def _summed_axes(layer: L.ILayer) -> Iterator[tuple[int, int]]:
    """Yield of each factor of a product its place and the axis that is summed over, counted from the end."""
    if isinstance(layer, L.IDeconvolutionLayer) and layer.num_groups == 1:
        yield 1, -len(layer.inputs[0].shape)
    if isinstance(layer, L.IMatrixMultiplyLayer) and MatrixOperation.VECTOR not in (layer.op0, layer.op1):
        for place, operation in enumerate((layer.op0, layer.op1)):
            turned = operation == MatrixOperation.TRANSPOSE
            yield place, -1 if (place == 0) != turned else -2


def _of_constant(tensor: ITensor | None) -> L.IDequantizeLayer | None:
    """Return the layer that dequantises a constant, where that gives a tensor, be it with 1s in front of its shape."""
    layer = None if tensor is None else tensor.producer
    while isinstance(layer, L.IShuffleLayer) and _stripped(layer.inputs[0]) == _stripped(layer.outputs[0]):
        layer = layer.inputs[0].producer
    if not isinstance(layer, L.IDequantizeLayer):
        return None
    quantised = layer.inputs[0].producer
    constant = quantised is not None and isinstance(quantised.inputs[0].producer, L.IConstantLayer)
    return layer if constant else None


def _stripped(tensor: ITensor) -> tuple[int, ...]:
    """Return a shape without the 1s in front; of one that is transposed square the same, which no parser makes."""
    shape = tuple(tensor.shape)
    return shape[next((axis for axis, size in enumerate(shape) if size != 1), len(shape)) :]
