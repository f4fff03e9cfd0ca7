"""The nodes that say what a layer of Darknet computes, one function a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trtflow.converters.darknet.activations import activate
from trtflow.converters.darknet.graph import Graph
from trtflow.converters.darknet.shortcuts import shortcut
from trtflow.formats.darknet import Layer, Values

EPSILON = 1e-5  # of batch normalisation
ROLES = {"scale": "scales", "bias": "biases", "mean": "means", "var": "variances"}  # ONNX's names and Darknet's


def _convolutional(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    options = layer.options
    how = {
        "kernel_shape": [options["size"]] * 2,
        "strides": [options["stride_y"], options["stride_x"]],
        "pads": [options["pad"]] * 4,
        "dilations": [options["dilation"]] * 2,
        "group": options["groups"],
    }
    source, kernel = sources[0], values["weights"]
    if options["xnor"]:
        source, kernel = _signs(graph, layer.name, source), _binary(kernel)
    return _weighted(graph, layer, source, values, kernel, how)


def _signs(graph: Graph, name: str, value: str) -> str:
    """Return 1 where a value is positive, else -1, as a binary convolution reads it; the padding stays 0."""
    positive = graph.node("Greater", f"{name}_positive", [value, graph.number(f"{name}_zero", 0)])
    signs = [graph.number(f"{name}_{word}", number) for word, number in (("plus", 1), ("minus", -1))]
    return graph.node("Where", f"{name}_signs", [positive, *signs])


def _binary(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel whose values are plus or minus the mean size of their filter's."""
    mean = np.abs(kernel).mean((1, 2, 3), keepdims=True)
    return np.where(kernel > 0, mean, -mean)


def _connected(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    """A convolution whose window is the whole map, so that what it gives is a map of one place."""
    kernel = values["weights"].reshape(-1, *layer.source_shapes[0])
    how = {"kernel_shape": list(layer.source_shapes[0][1:])}
    return _weighted(graph, layer, sources[0], values, kernel, how)


def _weighted(
    graph: Graph, layer: Layer, source: str, values: Values, kernel: np.ndarray, how: Mapping[str, int | list[int]]
) -> str:
    """Add a convolution with its bias or batch normalisation, and its activation."""
    name, norm = layer.name, layer.options["batch_normalize"]
    inputs = [source, graph.constant(f"{name}_conv_weights", kernel)]
    if not norm:
        inputs.append(graph.constant(f"{name}_conv_bias", values["biases"]))
    value = graph.node("Conv", name, inputs, **how)
    if norm:
        value = _normalised(graph, f"{name}_bn", value, values)
    return activate(graph, name, value, layer.options["activation"])


def _normalised(graph: Graph, name: str, value: str, values: Values) -> str:
    norm = [graph.constant(f"{name}_{role}", values[key]) for role, key in ROLES.items()]
    return graph.node("BatchNormalization", name, [value, *norm], epsilon=EPSILON)


def _batchnorm(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return _normalised(graph, layer.name, sources[0], values)


def _local(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    """A convolution with kernels of its own at each place: windows as columns, then a product a place."""
    name, options, (filters, height, width) = layer.name, layer.options, layer.shape
    size, count = options["size"], layer.inputs * options["size"] ** 2
    places = np.eye(size * size, dtype=np.float32).reshape(-1, 1, size, size)  # each picks one place of a window
    windows = graph.constant(f"{name}_windows_kernel", np.tile(places, (layer.inputs, 1, 1, 1)))
    how = {"strides": [options["stride"]] * 2, "pads": [options["pad"]] * 4, "group": layer.inputs}
    columns = graph.node("Conv", f"{name}_windows", [sources[0], windows], **how)
    columns = graph.reshaped(f"{name}_columns", columns, (count, height * width))
    columns = graph.node("Transpose", f"{name}_places", [columns], perm=[2, 1, 0])
    product = graph.node("MatMul", f"{name}_product", [graph.constant(f"{name}_weights", values["weights"]), columns])
    value = graph.node("Transpose", f"{name}_filters", [product], perm=[2, 1, 0])
    value = graph.reshaped(f"{name}_map", value, (filters, height, width))
    value = graph.node("Add", name, [value, graph.constant(f"{name}_bias", values["biases"])])
    return activate(graph, name, value, options["activation"])


def _activation(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return activate(graph, layer.name, sources[0], layer.options["activation"])


def _maxpool(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return _pooling(graph, layer, sources, "MaxPool")


def _local_avgpool(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return _pooling(graph, layer, sources, "AveragePool")  # over the places of a window that are on the map


def _pooling(graph: Graph, layer: Layer, sources: Sequence[str], operator: str) -> str:
    # Darknet's window begins half the padding, rounded down, before the picture
    options, padding = layer.options, layer.options["padding"]
    less = padding // 2
    how = {
        "kernel_shape": [options["size"]] * 2,
        "strides": [options["stride_y"], options["stride_x"]],
        "pads": [less, less, padding - less, padding - less],
    }
    return graph.node(operator, layer.name, sources, **how)


def _avgpool(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return graph.node("GlobalAveragePool", layer.name, sources)


def _upsample(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    name, factor = layer.name, layer.options["stride"]
    scales = graph.constant(f"{name}_scales", np.array([1, 1, factor, factor], np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    value = graph.node("Resize", name, [*sources, "", scales], **how)
    return graph.times(f"{name}_scaled", value, layer.options["scale"])


def _reorg(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    """The authors' reorganisation, which takes the map for one of fewer channels and larger sides."""
    name, stride, (channels, height, width) = layer.name, layer.options["stride"], layer.source_shapes[0]
    if layer.options["extra"] > 0:
        flat = graph.reshaped(f"{name}_flat", sources[0], (channels * height * width, 1, 1))
        pads = graph.constant(f"{name}_pads", np.array([0, 0, 0, 0, 0, layer.options["extra"], 0, 0], np.int64))
        return graph.node("Pad", name, [flat, pads])
    less = channels // stride**2
    if layer.options["reverse"]:
        apart = graph.reshaped(f"{name}_apart", sources[0], (stride, stride, less, height, width))
        moved = graph.node("Transpose", f"{name}_moved", [apart], perm=[0, 3, 4, 1, 5, 2])
        return graph.reshaped(name, moved, layer.shape)
    return _space_to_depth(graph, layer, sources[0], (less, height, stride, width, stride))


def _reorg3d(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    stride, (channels, height, width) = layer.options["stride"], layer.source_shapes[0]
    return _space_to_depth(graph, layer, sources[0], (channels, height // stride, stride, width // stride, stride))


def _space_to_depth(graph: Graph, layer: Layer, value: str, blocks: tuple[int, ...]) -> str:
    apart = graph.reshaped(f"{layer.name}_apart", value, blocks)
    moved = graph.node("Transpose", f"{layer.name}_moved", [apart], perm=[0, 3, 5, 1, 2, 4])
    return graph.reshaped(layer.name, moved, layer.shape)


def _crop(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    """The middle of a picture and, unless the section says not to, its values from 0..1 to -1..1."""
    name, sides = layer.name, layer.shape[1:]
    starts = [(whole - side) // 2 for whole, side in zip(layer.source_shapes[0][1:], sides, strict=True)]
    ends = [start + side for start, side in zip(starts, sides, strict=True)]
    bounds = {"starts": starts, "ends": ends, "axes": [2, 3]}
    inputs = [graph.constant(f"{name}_{key}", np.array(value, np.int64)) for key, value in bounds.items()]
    value = graph.node("Slice", name, [sources[0], *inputs])
    if layer.options["noadjust"]:
        return value
    doubled = graph.times(f"{name}_doubled", value, 2)
    return graph.node("Sub", f"{name}_adjusted", [doubled, graph.number(f"{name}_one", 1)])


def _route(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    groups, group = layer.options["groups"], layer.options["group_id"]
    parts = list(sources)
    if groups > 1:
        for place, (source, shape) in enumerate(zip(sources, layer.source_shapes, strict=True)):
            name = layer.name if len(sources) == 1 else f"{layer.name}_part{place}"
            size = shape[0] // groups
            bounds = {"starts": group * size, "ends": (group + 1) * size, "axes": 1}
            inputs = [graph.constant(f"{name}_{key}", np.array([value], np.int64)) for key, value in bounds.items()]
            parts[place] = graph.node("Slice", name, [source, *inputs])
    return parts[0] if len(parts) == 1 else graph.node("Concat", layer.name, parts, axis=1)


def _product(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    value = graph.node("Mul", layer.name, sources)
    return activate(graph, layer.name, value, layer.options["activation"])


def _softmax(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    name, options, (channels, height, width) = layer.name, layer.options, layer.shape
    value = graph.times(f"{name}_cooled", sources[0], 1 / options["temperature"])
    if options["spatial"] or (options["groups"] == 1 and height * width == 1):
        return graph.node("Softmax", name, [value], axis=1)
    apart = graph.reshaped(f"{name}_groups", value, (options["groups"], -1))
    soft = graph.node("Softmax", f"{name}_soft", [apart], axis=2)
    return graph.reshaped(name, soft, (channels, height, width))


def _passed(graph: Graph, layer: Layer, sources: Sequence[str], values: Values) -> str:
    return sources[0]


LAYERS: dict[str, Callable[[Graph, Layer, Sequence[str], Values], str]] = {
    "convolutional": _convolutional,
    "connected": _connected,
    "local": _local,
    "batchnorm": _batchnorm,
    "activation": _activation,
    "maxpool": _maxpool,
    "local_avgpool": _local_avgpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "reorg": _reorg,
    "reorg3d": _reorg3d,
    "crop": _crop,
    "route": _route,
    "shortcut": shortcut,
    "scale_channels": _product,
    "sam": _product,
    "softmax": _softmax,
    **dict.fromkeys(("dropout", "cost", "contrastive", "empty"), _passed),
    **dict.fromkeys(("yolo", "Gaussian_yolo", "region", "detection"), _passed),
}
