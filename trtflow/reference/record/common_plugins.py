"""Plugins of the library that are no detector's own and no suppression: normalisation, pooling of regions, YOLOv2.

Names, fields and defaults are those of TensorRT 8.6's creators (the plugins' own documentation in NVIDIA/TensorRT).
"""

from __future__ import annotations

from typing import Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.plugins import IPluginCreator, IPluginV2, get_plugin_registry
from trtflow.reference.record.ssd_plugins import GridAnchor
from trtflow.reference.record.values import Dims


class _OneOutput(IPluginV2):
    """One output; `takes` says what an error tells of the inputs."""

    takes = "one input"
    ranks: tuple[tuple[int, ...], ...] = ()  # that its inputs may have; any without

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the output's shape."""
        ranks = tuple(len(shape) for shape in input_shapes)
        if (self.ranks and ranks not in self.ranks) or (not self.ranks and len(input_shapes) != 1):
            self.refuse(input_shapes)
        return self.shape_of(input_shapes)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return the output's shape, of inputs that fit: the first's."""
        return inputs[0]

    def refuse(self, inputs: list[Dims]) -> None:
        """Raise NetworkError for the shapes of inputs."""
        shapes = ", ".join(map(str, inputs))
        raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", f"It takes {self.takes}.")


class InstanceNormalization(_OneOutput):
    """(x - mean) / sqrt(variance + epsilon) * scale + bias of each channel; with `relu` a leaky one behind it."""

    plugin_type = "InstanceNormalization_TRT"
    dynamic, takes, ranks = True, "(N, C, …)", ((3,), (4,), (5,))

    def __init__(self, **attributes: Any) -> None:
        counts = [attributes[key].size for key in ("scales", "bias")]
        if counts[0] != counts[1]:
            raise ValueError(f"{counts[0]} scales and {counts[1]} bias")
        super().__init__(**attributes)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return the input's shape."""
        if inputs[0][1] not in (-1, self.attributes["scales"].size):
            self.refuse(inputs)
        return inputs[0]


class InstanceNormalization2(InstanceNormalization):
    """The same under version 2, which differs in how it is serialised."""

    plugin_version = "2"


class ROIAlign(_OneOutput):
    """Pooling of the map [N, C, H, W] below rois [R, 4] of the pictures that batch_indices [R] name: [R, C, h, w]."""

    plugin_type = "ROIAlign_TRT"
    dynamic, takes, ranks = True, "a map (N, C, H, W), rois (R, 4) and batch indices (R,)", ((4, 2, 1),)

    def __init__(self, **attributes: Any) -> None:
        for key in ("coordinate_transformation_mode", "mode"):
            if attributes[key] not in (0, 1):
                raise ValueError(f"{key} {attributes[key]}, not 0 or 1")
        if attributes["sampling_ratio"] < 0 or attributes["spatial_scale"] <= 0:
            raise ValueError("a sampling_ratio below 0, or a spatial_scale that is not above 0")
        super().__init__(**attributes)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return (R, C, output_height, output_width)."""
        return Dims((inputs[1][0], inputs[0][1], self.attributes["output_height"], self.attributes["output_width"]))


class LReLU(_OneOutput):
    """x, or negSlope * x below 0."""

    plugin_type = "LReLU_TRT"


class Clip(_OneOutput):
    """min(max(x, clipMin), clipMax)."""

    plugin_type = "Clip_TRT"


class Reorg(_OneOutput):
    """Squares of `stride` pixels to channels, of a map C, H, W: YOLOv2's passthrough."""

    plugin_type = "Reorg_TRT"
    takes, ranks = "C, H, W, both sizes multiples of stride", ((3,),)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return (C * stride * stride, H / stride, W / stride)."""
        stride, (channels, height, width) = self.attributes["stride"], inputs[0]
        if height % stride or width % stride:
            self.refuse(inputs)
        return Dims((channels * stride * stride, height // stride, width // stride))


class Region(_OneOutput):
    """YOLOv2's output: sigmoid of x, y and the objectness of `num` boxes a cell, softmax over their classes."""

    plugin_type = "Region_TRT"
    takes, ranks = "(num * (coords + 1 + classes), H, W)", ((3,),)

    def __init__(self, **attributes: Any) -> None:
        if attributes["coords"] != 4:
            raise ValueError(f"{attributes['coords']} coords, and TensorRT's kernel has the objectness behind four")
        if attributes["smTree"]:
            raise ValueError("a tree of classes (smTree), which is an address in the memory of a C++ program")
        super().__init__(**attributes)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return the input's shape."""
        attributes = self.attributes
        if inputs[0][0] != attributes["num"] * (attributes["coords"] + 1 + attributes["classes"]):
            self.refuse(inputs)
        return inputs[0]


class ResizeNearest(_OneOutput):
    """Rows and columns `scale` times as many: the input's at int(place / scale)."""

    plugin_type = "ResizeNearest_TRT"
    takes, ranks = "C, H, W", ((3,),)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return (C, int(H * scale), int(W * scale))."""
        channels, *sides = inputs[0]
        return Dims((channels, *(int(side * self.attributes["scale"]) for side in sides)))


class GridAnchorRect(GridAnchor):
    """GridAnchor_TRT of maps that are not square: featureMapShapes has height and width of each."""

    plugin_type = "GridAnchorRect_TRT"
    sides = 2


class BatchTile(_OneOutput):
    """The second input (1, C, H, W), the same for all, for each picture of the first."""

    plugin_type = "BatchTilePlugin_TRT"
    takes, ranks = "C, H, W of a batch, and (1, C, H, W)", ((3, 4),)

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return the second's C, H, W."""
        if inputs[1][0] != 1:
            self.refuse(inputs)
        return Dims(inputs[1][1:])


class CropAndResize(_OneOutput):
    """Parts of a map C, H, W below rois (R, 1, 4): y1, x1, y2, x2 over height and width; 0 outside: (R, C, h, w)."""

    plugin_type = "CropAndResize"
    takes, ranks = "C, H, W and rois (R, 1, 4)", ((3, 3), (3, 2))

    def shape_of(self, inputs: list[Dims]) -> Dims:
        """Return (R, C, crop_height, crop_width)."""
        if inputs[1][-1] != 4 or inputs[1][1:-1] not in ((), (1,)):
            self.refuse(inputs)
        return Dims((inputs[1][0], inputs[0][0], self.attributes["crop_height"], self.attributes["crop_width"]))


INSTANCE: dict[str, Any] = {"epsilon": 1e-5, "scales": None, "bias": None, "relu": False, "alpha": 0.0}
CREATORS = (
    IPluginCreator(InstanceNormalization, INSTANCE),
    IPluginCreator(InstanceNormalization2, INSTANCE),
    IPluginCreator(
        ROIAlign,
        {
            "coordinate_transformation_mode": 1,
            "mode": 1,
            "output_height": 1,
            "output_width": 1,
            "sampling_ratio": 0,
            "spatial_scale": 1.0,
        },
    ),
    IPluginCreator(LReLU, {"negSlope": 0.0}),
    IPluginCreator(Clip, {"clipMin": 0.0, "clipMax": 0.0}),
    IPluginCreator(Reorg, {"stride": int}),
    IPluginCreator(Region, {"num": int, "coords": 4, "classes": int, "smTree": 0}),
    IPluginCreator(ResizeNearest, {"scale": float}),
    IPluginCreator(
        GridAnchorRect,
        {
            "minSize": 0.2,
            "maxSize": 0.95,
            "aspectRatios": None,
            "featureMapShapes": None,
            "variance": None,
            "numLayers": 6,
        },
    ),
    IPluginCreator(BatchTile, {}),
    IPluginCreator(CropAndResize, {"crop_width": int, "crop_height": int}),
)


def register() -> None:
    """Add the creators to the registry; harmless when they are there."""
    for creator in CREATORS:
        get_plugin_registry().register_creator(creator)
