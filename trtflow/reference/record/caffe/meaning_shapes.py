"""What Caffe means by the layers that join, cut, reshape or reduce, and by Softmax, with any axis behind the batch."""

from __future__ import annotations

from math import prod

import numpy as np

from trtflow.formats.caffe import LayerParameter
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.caffe.net import LEAST, Net
from trtflow.reference.record.caffe.shapes import add_reduction, add_reshape
from trtflow.reference.record.caffe.table import imports
from trtflow.reference.record.enums import DataType, TopKOperation
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.tensor import ITensor


def blob(net: Net, layer: LayerParameter, tensor: ITensor, sizes: list[int]) -> ILayer:
    """Add a reshape of a tensor to the sizes that a blob has behind the batch."""
    padded = [*sizes, *[1] * (LEAST - len(sizes))]
    added = add_reshape(net, layer, tensor, padded if net.skip else [tensor.shape[0], *padded])
    net.ranked(added.outputs[0], len(sizes) + 1)
    return added


def reshaped(net: Net, layer: LayerParameter, tensor: ITensor, sizes: list[int]) -> ITensor:
    """Return a tensor with the sizes that a blob has behind the batch."""
    return blob(net, layer, tensor, sizes).outputs[0]


@imports("Softmax", parameters="softmax_param", reads="axis", meaning=True)
def softmax(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Softmax over an axis."""
    axis = net.axis(layer, inputs[0], layer.softmax_param.axis, "softmax_param.axis")
    added = net.network.add_softmax(inputs[0])
    added.axes = 1 << (axis - net.skip)
    return added


@imports("Concat", parameters="concat_param", reads="axis concat_dim", bottoms=None, meaning=True)
def concat(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Joined along an axis, or along concat_dim, its old name."""
    parameter = layer.concat_param
    axis = parameter.concat_dim if parameter.HasField("concat_dim") else parameter.axis
    axis = net.axis(layer, inputs[0], axis, "concat_param.axis")
    ranks = [net.rank(tensor) for tensor in inputs]
    if len(set(ranks)) > 1:
        raise NetworkError(layer.name, f"bottoms of {ranks} axes in {net.deploy}", "All need the same number.")
    added = net.network.add_concatenation(inputs)
    added.axis = axis - net.skip
    return added


@imports("Flatten", parameters="flatten_param", reads="axis end_axis", meaning=True)
def flatten(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Axes from one to another as one."""
    parameter, sizes = layer.flatten_param, net.shape(inputs[0])
    first = net.axis(layer, inputs[0], parameter.axis, "flatten_param.axis")
    last = net.axis(layer, inputs[0], parameter.end_axis, "flatten_param.end_axis")
    if last < first:
        raise NetworkError(layer.name, f"flatten axes {first} to {last} in {net.deploy}", "Correct the prototxt.")
    return blob(net, layer, inputs[0], [*sizes[: first - 1], prod(sizes[first - 1 : last]), *sizes[last:]])


@imports("Reshape", parameters="reshape_param", reads="shape.dim axis num_axes", meaning=True)
def reshape(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Other sizes from an axis on: 0 copies one, -1 is what is left."""
    parameter = layer.reshape_param
    rank, dims = net.rank(inputs[0]), list(parameter.shape.dim)
    first = parameter.axis + rank + 1 if parameter.axis < 0 else parameter.axis
    end = rank if parameter.num_axes == -1 else first + parameter.num_axes
    if not 0 <= first <= end <= rank or any(size == 0 and first + i >= rank for i, size in enumerate(dims)):
        fault = f"a Reshape of axes {first} to {end} of {rank} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Correct axis, num_axes and shape.")
    sizes: list[int] = [0, *net.shape(inputs[0])]  # 0: the batch
    wanted = [*sizes[:first], *(size or sizes[first + i] for i, size in enumerate(dims)), *sizes[end:]]
    if wanted[:1] == [-1] and prod(wanted[1:]) == prod(sizes[1:]):
        wanted[0] = 0
    if wanted[:1] != [0]:
        raise NetworkError(layer.name, f"a Reshape that changes the batch in {net.deploy}", "Write 0 there.")
    return blob(net, layer, inputs[0], wanted[1:])


@imports("Permute", parameters="permute_param", reads="order", meaning=True)
def permute(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """Axes in another order; those that are not named follow."""
    order, rank = list(layer.permute_param.order), net.rank(inputs[0])
    order += [axis for axis in range(rank) if axis not in order]
    if order[0] != 0 or sorted(order) != list(range(rank)):
        fault = f"permute order {list(layer.permute_param.order)} of {rank} axes in {net.deploy}"
        raise NetworkError(layer.name, fault, "Name each axis once, and the batch first.")
    added = net.network.add_shuffle(inputs[0])
    order += list(range(rank, len(inputs[0].shape) + net.skip))
    added.first_transpose = tuple(axis - net.skip for axis in order[net.skip :])
    return added


@imports("Reduction", parameters="reduction_param", reads="operation axis coeff", meaning=True)
def reduction(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """A sum or mean over an axis and all behind it."""
    axis = net.axis(layer, inputs[0], layer.reduction_param.axis, "reduction_param.axis")
    mask = sum(1 << (place - net.skip) for place in range(axis, net.rank(inputs[0])))
    added = add_reduction(net, layer, inputs[0], mask)
    net.ranked(added.outputs[0], axis)
    return added


@imports("Slice", parameters="slice_param", reads="axis slice_point slice_dim", meaning=True)
def slices(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> list[ITensor]:
    """Parts along an axis, cut at points or of one size."""
    parameter, tops = layer.slice_param, len(layer.top)
    axis = parameter.slice_dim if parameter.HasField("slice_dim") else parameter.axis
    axis = net.axis(layer, inputs[0], axis, "slice_param.axis")
    whole = net.shape(inputs[0])[axis - 1]
    points = list(parameter.slice_point) or [whole * part // tops for part in range(1, tops)]
    edges = [0, *points, whole]
    uneven = not parameter.slice_point and whole % tops
    if len(edges) != tops + 1 or edges != sorted(set(edges)) or uneven:
        fault = f"{tops} tops of {whole} elements cut at {points} in {net.deploy}"
        raise NetworkError(layer.name, fault, "Name one point less than tops, in order, or none of equal parts.")
    pairs = zip(layer.top, edges, edges[1:], strict=False)
    return [_cut(net, inputs[0], axis, first, last, f"{layer.name}/{top}") for top, first, last in pairs]


def _cut(net: Net, tensor: ITensor, axis: int, first: int, last: int, name: str) -> ITensor:
    start, sizes = [0] * len(tensor.shape), list(tensor.shape)
    start[axis - net.skip], sizes[axis - net.skip] = first, last - first
    added = net.network.add_slice(tensor, start, sizes, [1] * len(sizes))
    added.name = name
    return net.ranked(added.outputs[0], net.rank(tensor))


@imports("Crop", parameters="crop_param", reads="axis offset", bottoms=2, meaning=True)
def crop(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """The sizes of another blob from an axis on, beginning at offsets."""
    tensor, parameter = inputs[0], layer.crop_param
    axis = net.axis(layer, tensor, parameter.axis, "crop_param.axis")
    sizes, wanted = net.shape(tensor), net.shape(inputs[1])
    count, offsets = len(sizes) - (axis - 1), list(parameter.offset) or [0]
    offsets = offsets * count if len(offsets) == 1 else offsets
    cut = [*sizes[: axis - 1], *wanted[axis - 1 :]]
    start = [0] * (axis - 1) + offsets
    if (
        len(wanted) != len(sizes)
        or len(start) != len(sizes)
        or any(first + size > whole for first, size, whole in zip(start, cut, sizes, strict=True))
    ):
        fault = f"a crop of {sizes} to {wanted} from axis {axis} with the offsets {list(parameter.offset)}"
        raise NetworkError(layer.name, f"{fault} in {net.deploy}", "It must lie within.")
    more = len(tensor.shape) + net.skip - net.rank(tensor)
    start, cut = [*start, *[0] * more], [*cut, *[1] * more]
    if not net.skip:
        start, cut = [0, *start], [tensor.shape[0], *cut]
    return net.network.add_slice(tensor, start, cut, [1] * len(cut))


@imports("Split", meaning=True)
def split(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> list[ITensor]:
    """One blob under several names."""
    tensors = [net.network.add_identity(inputs[0]).outputs[0] for _ in layer.top]
    return [net.ranked(tensor, net.rank(inputs[0])) for tensor in tensors]


@imports("Silence", bottoms=None, meaning=True)
def silence(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> None:
    """Nothing: it keeps Caffe from printing blobs that nothing reads."""


@imports("Tile", parameters="tile_param", reads="axis tiles", meaning=True)
def tile(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer:
    """A blob several times over along an axis."""
    axis = net.axis(layer, inputs[0], layer.tile_param.axis, "tile_param.axis")
    if layer.tile_param.tiles < 1:
        raise NetworkError(layer.name, f"tiles {layer.tile_param.tiles} in {net.deploy}", "Write how many.")
    added = net.network.add_concatenation(inputs * layer.tile_param.tiles)
    added.axis = axis - net.skip
    return added


@imports("ArgMax", parameters="argmax_param", reads="axis top_k out_max_val", meaning=True)
def argmax(net: Net, layer: LayerParameter, inputs: list[ITensor]) -> ILayer | ITensor:
    """Indices of the largest, as floats: along an axis, or of a whole picture [N, 1, k], with values [N, 2, k]."""
    parameter = layer.argmax_param
    if parameter.HasField("axis"):
        axis = net.axis(layer, inputs[0], parameter.axis, "argmax_param.axis")
        indices, values = _largest(net, layer, inputs[0], axis)
        return net.ranked(values if parameter.out_max_val else indices, net.rank(inputs[0]))
    flat = reshaped(net, layer, inputs[0], [prod(net.shape(inputs[0]))])
    rows = [reshaped(net, layer, found, [1, parameter.top_k]) for found in _largest(net, layer, flat, 1)]
    if not parameter.out_max_val:
        return rows[0]
    added = net.network.add_concatenation(rows)
    added.axis = 1 - net.skip
    net.ranked(added.outputs[0], 3)
    return added


def _largest(net: Net, layer: LayerParameter, tensor: ITensor, axis: int) -> tuple[ITensor, ITensor]:
    """Return indices, as floats, and values of the largest along an axis."""
    count = tensor.shape[axis - net.skip]
    if not 1 <= layer.argmax_param.top_k <= count:
        raise NetworkError(layer.name, f"top_k {layer.argmax_param.top_k} of {count} in {net.deploy}", "Ask for fewer.")
    best = net.network.add_topk(tensor, TopKOperation.MAX, layer.argmax_param.top_k, 1 << (axis - net.skip))
    best.name = f"{layer.name}/topk"
    indices = net.network.add_identity(best.outputs[1])
    indices.set_output_type(0, DataType.FLOAT)
    return indices.outputs[0], best.outputs[0]


def ones_around(net: Net, tensor: ITensor, axis: int, sizes: list[int]) -> list[int]:
    """Return the shape that sizes along an axis of Caffe's and those behind it are stretched from."""
    before = axis - net.skip
    return [*[1] * before, *sizes, *[1] * (len(tensor.shape) - before - len(sizes))]


def constant(net: Net, values: np.ndarray, shape: list[int]) -> ITensor:
    """Add a constant."""
    return net.network.add_constant(shape, values).outputs[0]
