"""TensorRT's reading of the layers that join, reshape or reduce, of Softmax, and of those that it passes over."""

from __future__ import annotations

from math import prod

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.net import Net
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import ElementWiseOperation, ReduceOperation, ScaleMode, UnaryOperation
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor

SUM, ASUM, SUMSQ, MEAN = range(1, 5)  # ReductionParameter.ReductionOp
AXES = 4  # N, C, H, W, which TensorRT's parser takes every blob to have


@imports("Dropout", parameters="dropout_param", idle="dropout_ratio")
def dropout(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ITensor:
    """Nothing: it is for training."""
    return inputs[0]


@imports("Flatten", parameters="flatten_param")
def flatten(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ITensor:
    """Nothing: InnerProduct flattens by itself, and elsewhere TensorRT's answer is not Caffe's."""
    readers = [other.type for other in net.definition.layer if layer.top[0] in other.bottom]
    if set(readers) - {"InnerProduct"}:
        net.ignores(layer, f"Flatten, whose top {', '.join(sorted(set(readers)))} reads")
    return inputs[0]


@imports("Softmax", "SoftmaxWithLoss", parameters="softmax_param", reads="axis")
def softmax(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Softmax over an axis, without one over the third from the end."""
    parameter = layer.softmax_param
    axis = parameter.axis
    if axis < 0 or axis > 3 or axis > len(inputs[0].shape) or (net.skip and axis == 0):
        fault = f"softmax axis {axis} in {net.deploy}, of an input of shape {inputs[0].shape}"
        remedy = "TensorRT takes no negative axis, and not that of the batch: count from the front."
        raise NetworkError(layer.name, fault, net.only_tensorrt(remedy))
    added = net.network.add_softmax(inputs[0])
    if parameter.HasField("axis"):
        added.axes = 1 << (axis - net.skip)
    return added


@imports("Concat", parameters="concat_param", reads="axis", bottoms=None)
def concat(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Joined along an axis, without one along the channels."""
    parameter = layer.concat_param
    if parameter.axis < 0:
        fault = f"concat axis {parameter.axis} in {net.deploy}: negative axis is not supported"
        raise NetworkError(layer.name, fault, net.only_tensorrt("Count from the front."))
    if net.skip and parameter.axis == 0:
        raise NetworkError(layer.name, f"a Concat along the batch in {net.deploy}", "TensorRT joins along other axes.")
    added = net.network.add_concatenation(inputs)
    if parameter.HasField("axis"):
        added.axis = parameter.axis - net.skip
    return added


@imports("Reshape", parameters="reshape_param", reads="shape.dim axis num_axes")
def reshape(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Another shape; TensorRT counts from the axis before, and takes a negative axis for the first."""
    parameter, shape = layer.reshape_param, inputs[0].shape
    dims, axis = list(parameter.shape.dim), parameter.axis
    if net.skip and axis == 0 and dims[:1] != [0]:
        fault = f"a Reshape of the batch to {dims[:1]} in {net.deploy}"
        raise NetworkError(layer.name, fault, "TensorRT does not reshape the batch: write 0 there.")
    if axis < 0:
        net.ignores(layer, f"reshape_param.axis {axis}, and takes it for the first")
    first = max(0, axis - 1)
    end = max(0, axis - net.skip + parameter.num_axes) if parameter.HasField("num_axes") else len(shape)
    sizes = list(shape[:first])
    for size in dims[1:] if net.skip and axis == 0 else dims:
        if size == 0 and len(sizes) >= len(shape):
            raise NetworkError(layer.name, f"dim 0 behind the shape {shape} in {net.deploy}", "Write a size there.")
        sizes.append(shape[len(sizes)] if size == 0 else size)
    return add_reshape(net, layer, inputs[0], [*sizes, *shape[end:]])


def add_reshape(net: Net, layer: LayerParameter, tensor: ITensor, sizes: list[int]) -> ILayer:
    """Add a reshape to sizes behind the batch, of which one may be -1.

    Raises:
        NetworkError: there is another number of elements.
    """
    known, whole = prod(size for size in sizes if size != -1), prod(tensor.shape)
    open_sizes = sizes.count(-1)
    if open_sizes > 1 or min(sizes, default=1) < -1 or known == 0 or (whole % known if open_sizes else known != whole):
        fault = f"a Reshape of {tensor.shape} to {sizes} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Both need the same number of elements, and at most one -1.")
    added = net.network.add_shuffle(tensor)
    added.reshape_dims = tuple(whole // known if size == -1 else size for size in sizes)
    return added


@imports("Permute", parameters="permute_param", reads="order")
def permute(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Axes in another order, the batch first; TensorRT's parser needs the last axis named."""
    order, rank = list(layer.permute_param.order), len(inputs[0].shape)
    wrong = not order or order[0] != 0 or max(order) > rank or len(set(order)) < len(order)
    if net.skip and wrong:
        fault = f"permute order {order} in {net.deploy}"
        remedy = "TensorRT does not permute the batch: name each axis once, the batch first."
        raise NetworkError(layer.name, fault, net.only_tensorrt(remedy))
    if rank not in order:
        fault = f"permute order {order} in {net.deploy} leaves out axis {rank}"
        raise NetworkError(layer.name, fault, net.only_tensorrt("TensorRT reads behind its end: name every axis."))
    order += [axis for axis in range(rank) if axis not in order]
    added = net.network.add_shuffle(inputs[0])
    added.first_transpose = tuple(axis - net.skip for axis in order[net.skip :])
    return added


@imports("Reduction", parameters="reduction_param", reads="operation axis coeff")
def reduction(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """A sum or mean over an axis and all behind it; TensorRT keeps them with the size 1."""
    parameter = layer.reduction_param
    axis = parameter.axis + AXES if parameter.axis < 0 else parameter.axis
    if not 0 <= axis < AXES or (net.skip and axis == 0):
        fault = f"reduction axis {parameter.axis} in {net.deploy}: cannot reduce over batch size dimension"
        raise NetworkError(layer.name, fault, "Axes 1 to 3 can be reduced, of N, C, H, W.")
    mask = ((1 << AXES) - (1 << axis)) >> net.skip
    return add_reduction(net, layer, inputs[0], mask)


def add_reduction(net: Net, layer: LayerParameter, tensor: ITensor, mask: int) -> ILayer:
    """Add the operation over the axes of a mask, and its coefficient."""
    parameter = layer.reduction_param
    prefix = f"{layer.name}/reductionLayer"
    if parameter.operation == ASUM:
        part: ILayer = net.network.add_unary(tensor, UnaryOperation.ABS)
        part.name, tensor = f"{prefix}/unaryLayer", part.outputs[0]
    elif parameter.operation == SUMSQ:
        part = net.network.add_elementwise(tensor, tensor, ElementWiseOperation.PROD)
        part.name, tensor = f"{prefix}/elementWiseLayer", part.outputs[0]
    operation = ReduceOperation.AVG if parameter.operation == MEAN else ReduceOperation.SUM
    added: ILayer = net.network.add_reduce(tensor, operation, mask, True)
    if parameter.coeff != 1:
        added.name = f"{prefix}/reduceLayer"
        added = net.network.add_scale(added.outputs[0], ScaleMode.UNIFORM, [0.0], [parameter.coeff])
    return added
