"""The plugin library's normalisation, pooling of regions and YOLOv2 layers in ONNX's own operators."""

from __future__ import annotations

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.lower.graph import Graph, lowers_plugin
from trtflow.reference.record.layers import IPluginV2Layer


@lowers_plugin("InstanceNormalization_TRT")
def instance_normalization(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """InstanceNormalization, and LeakyRelu where `relu` is set."""
    attributes = layer.plugin.attributes
    factors = [graph.constant(key, attributes[key].ravel(), np.float32) for key in ("scales", "bias")]
    value = graph.node("InstanceNormalization", [inputs[0], *factors], epsilon=float(attributes["epsilon"]))
    return [graph.node("LeakyRelu", [value], alpha=float(attributes["alpha"])) if attributes["relu"] else value]


@lowers_plugin("ROIAlign_TRT")
def roi_align(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """RoiAlign."""
    attributes = layer.plugin.attributes
    modes = ("output_half_pixel", "half_pixel")
    return [
        graph.node(
            "RoiAlign",
            [inputs[0], inputs[1], graph.wide(inputs[2])],
            coordinate_transformation_mode=modes[attributes["coordinate_transformation_mode"]],
            mode=("max", "avg")[attributes["mode"]],
            output_height=attributes["output_height"],
            output_width=attributes["output_width"],
            sampling_ratio=attributes["sampling_ratio"],
            spatial_scale=float(attributes["spatial_scale"]),
        )
    ]


@lowers_plugin("LReLU_TRT")
def leaky_relu(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """LeakyRelu."""
    return [graph.node("LeakyRelu", inputs, alpha=float(layer.plugin.attributes["negSlope"]))]


@lowers_plugin("Clip_TRT")
def clip(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Clip."""
    bounds = [graph.constant(key, np.float32(layer.plugin.attributes[key])) for key in ("clipMin", "clipMax")]
    return [graph.node("Clip", [inputs[0], *bounds])]


@lowers_plugin("Reorg_TRT")
def reorg(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Reshape, SpaceToDepth, Reshape: Darknet's order, which takes the maps for fewer and larger ones."""
    stride, (channels, height, width) = layer.plugin.attributes["stride"], layer.inputs[0].shape[-3:]
    if channels % stride**2 or height % stride or width % stride:
        fault = f"Reorg_TRT of {channels} maps of {height} x {width} by {stride}"
        raise NetworkError(
            layer.name, fault, f"Give it multiples of {stride**2} maps and of {stride} rows and columns."
        )
    wide = graph.ints("wide", [-1, channels // stride**2, height * stride, width * stride])
    deep = graph.node("SpaceToDepth", [graph.node("Reshape", [inputs[0], wide])], blocksize=stride)
    shape = graph.ints("shape", [-1, channels * stride**2, height // stride, width // stride])
    return [graph.node("Reshape", [deep, shape])]


@lowers_plugin("Region_TRT")
def region(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Sigmoid and Softmax on the parts of each box."""
    attributes = layer.plugin.attributes
    boxes, classes = attributes["num"], attributes["classes"]
    height, width = layer.inputs[0].shape[-2:]
    split = graph.node("Reshape", [inputs[0], graph.ints("boxes", [-1, boxes, 5 + classes, height, width])])
    sizes = graph.ints("parts", [2, 2, 1, classes])
    centre, size, objectness, scores = graph.node("Split", [split, sizes], outputs=4, axis=2)
    parts = [
        graph.node("Sigmoid", [centre]),
        size,
        graph.node("Sigmoid", [objectness]),
        graph.node("Softmax", [scores], axis=2),
    ]
    shape = graph.ints("shape", [-1, *layer.inputs[0].shape[-3:]])
    return [graph.node("Reshape", [graph.node("Concat", parts, axis=2), shape])]


@lowers_plugin("ResizeNearest_TRT")
def resize_nearest(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """Gather of rows and of columns, at the places that float32 divisions give."""
    scale, value = np.float32(layer.plugin.attributes["scale"]), inputs[0]
    for axis in (-2, -1):
        size = layer.inputs[0].shape[axis]
        places = (np.arange(int(size * scale)).astype(np.float32) / scale).astype(np.int64)
        if places.size and places.max() >= size:
            fault = f"scale {scale}, with which TensorRT reads behind the last of {size}"
            raise NetworkError(layer.name, fault, "Give a scale that divides.")
        value = graph.node("Gather", [value, graph.ints("places", places.tolist())], axis=axis)
    return [value]


@lowers_plugin("BatchTilePlugin_TRT")
def batch_tile(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """The second input, repeated over the first's batch."""
    shape = [1, *layer.inputs[1].shape[-3:]]
    if layer.inputs[1] in graph.batched:
        fault = f"its input {layer.inputs[1].name!r} differs from picture to picture"
        raise NetworkError(layer.name, fault, "It repeats one that is the same for all.")
    return [graph.spread(graph.node("Reshape", [inputs[1], graph.ints("one", shape)]), 4, inputs[0])]


@lowers_plugin("CropAndResize")
def crop_and_resize(layer: IPluginV2Layer, graph: Graph, inputs: list[str]) -> list[str]:
    """GridSample at the rois' places, noughts where these lie outside."""
    attributes = layer.plugin.attributes
    sizes = attributes["crop_height"], attributes["crop_width"]
    channels, *sides = layer.inputs[0].shape[-3:]
    rois = graph.node("Reshape", [inputs[1], graph.ints("rois", [0, -1, 1, 4])])  # [N, R, 1, 4]
    y1, x1, y2, x2 = graph.node("Split", [rois, graph.ints("corners", [1] * 4)], outputs=4, axis=3)
    rows, rows_inside = _places(graph, y1, y2, sizes[0], sides[0])  # [N, R, 1, h]
    columns, columns_inside = _places(graph, x1, x2, sizes[1], sides[1])
    down, across = graph.ints("down", [0, -1, sizes[0], 1]), graph.ints("across", [0, -1, 1, sizes[1]])
    rows, columns = graph.node("Reshape", [rows, down]), graph.node("Reshape", [columns, across])
    zeros = graph.node("Mul", [graph.node("Add", [rows, columns]), graph.constant("zero", np.float32(0))])
    last = graph.ints("last", [-1])
    both = [graph.node("Unsqueeze", [graph.node("Add", [value, zeros]), last]) for value in (columns, rows)]
    grid = graph.node("Concat", both, axis=4)  # [N, R, h, w, 2]
    flat = graph.node("Reshape", [grid, graph.ints("grid", [0, -1, sizes[1], 2])])
    found = graph.node("GridSample", [inputs[0], flat], align_corners=1, padding_mode="border")
    found = graph.node("Reshape", [found, graph.ints("found", [0, channels, -1, *sizes])])
    found = graph.node("Transpose", [found], perm=[0, 2, 1, 3, 4])  # [N, R, C, h, w]
    inside = [graph.node("Reshape", [value, shape]) for value, shape in ((rows_inside, down), (columns_inside, across))]
    mask = graph.node("Unsqueeze", [graph.node("And", inside), graph.ints("channel", [2])])
    return [graph.node("Where", [mask, found, graph.constant("outside", np.float32(0))])]


def _places(graph: Graph, first: str, last: str, count: int, size: int) -> tuple[str, str]:
    """Return the places [N, R, 1, count] along an axis from -1 to 1, and whether they lie on the map of a size."""
    if count > 1:
        steps = graph.constant("steps", np.arange(count, dtype=np.float32) / np.float32(count - 1))
        place = graph.node("Add", [first, graph.node("Mul", [graph.node("Sub", [last, first]), steps])])
    else:
        middle = graph.node("Add", [first, last])
        place = graph.node("Mul", [middle, graph.constant("half", np.float32(0.5))])
    low, high = graph.constant("low", np.float32(0)), graph.constant("high", np.float32(1))
    inside = graph.node("And", [graph.node("GreaterOrEqual", [place, low]), graph.node("LessOrEqual", [place, high])])
    if size == 1:
        return str(graph.node("Mul", [place, low])), str(inside)
    doubled = graph.node("Mul", [place, graph.constant("two", np.float32(2))])
    return str(graph.node("Sub", [doubled, high])), str(inside)
