"""SSD's plugins as TensorRT registers them.

Normalize_TRT, PriorBox_TRT and NMS_TRT for Caffe's SSD (guide §16.3); GridAnchor_TRT, FlattenConcat_TRT and NMS_TRT for
TensorFlow's (§13.4). Defaults are those of TensorRT's creators.
"""

from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.plugins import IPluginCreator, IPluginV2, get_plugin_registry
from trtflow.reference.record.values import Dims

FIRST_RATIOS = 3  # of GridAnchor_TRT's aspectRatios, for the first feature map
FIRST_SCALE = 0.1  # of its first box


class Normalize(IPluginV2):
    """L2 normalisation over channels (or over the whole image), times a learned scale."""

    plugin_type = "Normalize_TRT"

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the input's shape."""
        return input_shapes[0]


class PriorBox(IPluginV2):
    """Default boxes of one feature map; inputs: the feature map and the network's input image."""

    plugin_type = "PriorBox_TRT"

    def ratios(self) -> list[float]:
        """Return the aspect ratios in Caffe's order: 1 first, each given one, then its inverse when flipped."""
        ratios = [1.0]
        for ratio in map(float, self.attributes["aspectRatios"].ravel()):
            if not any(math.isclose(ratio, known, abs_tol=1e-6) for known in ratios):
                ratios += [ratio, 1 / ratio] if self.attributes["flip"] else [ratio]
        return ratios

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return (2, priors * 4, 1): boxes, then variances."""
        per_cell = self.attributes["minSize"].size * len(self.ratios()) + self.attributes["maxSize"].size
        return Dims((2, input_shapes[0][-2] * input_shapes[0][-1] * per_cell * 4, 1))


class GridAnchor(IPluginV2):
    """Default boxes of all feature maps of TensorFlow's SSD; no inputs, one output a map."""

    plugin_type = "GridAnchor_TRT"
    sides = 1  # that featureMapShapes has of each map
    takes_inputs = False

    def __init__(self, **attributes: Any) -> None:
        layers, shapes = attributes["numLayers"], attributes["featureMapShapes"]
        if shapes.size != layers * self.sides:
            raise ValueError(f"{shapes.size} featureMapShapes for numLayers {layers}")
        if attributes["aspectRatios"].size < FIRST_RATIOS or layers < 2:
            raise ValueError(f"fewer than {FIRST_RATIOS} aspectRatios, or fewer than 2 layers")
        super().__init__(**attributes)
        self.num_outputs = layers

    def box_sizes(self, index: int) -> np.ndarray:
        """Return width and height of a cell's boxes in one map, over the picture's side, float64 [boxes, 2].

        A map has each ratio at its own scale, and a square between its scale and the next; the first has its first
        three ratios only, the first of them at a scale of 0.1.
        """
        layers = self.attributes["numLayers"]
        scales = [*np.linspace(self.attributes["minSize"], self.attributes["maxSize"], layers), 1.0]
        ratios = self.attributes["aspectRatios"].ravel().astype(np.float64)
        if index == 0:
            ratios, sizes = ratios[:FIRST_RATIOS], np.array([FIRST_SCALE, scales[0], scales[0]])
        else:
            sizes = np.array([scales[index]] * ratios.size + [(scales[index] * scales[index + 1]) ** 0.5])
            ratios = np.append(ratios, 1.0)
        return np.stack([sizes * np.sqrt(ratios), sizes / np.sqrt(ratios)], axis=1)

    def map_shape(self, index: int) -> tuple[int, int]:
        """Return height and width of one map."""
        sizes = self.attributes["featureMapShapes"].reshape(-1, self.sides)[index].astype(int)
        return int(sizes[0]), int(sizes[-1])

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return (2, boxes * 4, 1): boxes, then variances."""
        height, width = self.map_shape(index)
        return Dims((2, height * width * len(self.box_sizes(index)) * 4, 1))


class FlattenConcat(IPluginV2):
    """Every input C, H, W of an image as one row, the rows joined along `axis`, 1 (C), 2 (H) or 3 (W)."""

    plugin_type = "FlattenConcat_TRT"

    def __init__(self, **attributes: Any) -> None:
        if attributes["axis"] not in (1, 2, 3):
            raise ValueError(f"axis {attributes['axis']}, not 1, 2 or 3")
        if attributes["ignoreBatch"]:
            raise ValueError("ignoreBatch, with which TensorRT writes the first picture of a batch only")
        super().__init__(**attributes)

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the joined length at `axis`, ones beside it."""
        place = self.attributes["axis"] - 1
        others = {(*shape[:place], *shape[place + 1 :]) for shape in input_shapes}
        if any(len(shape) != 3 for shape in input_shapes) or len(others) != 1 or prod(input_shapes[0][:place]) != 1:
            shapes = ", ".join(map(str, input_shapes))
            remedy = f"It takes C, H, W that differ along axis {place + 1} only, all before it being 1."
            raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", remedy)
        joined = [1, 1, 1]
        joined[place] = sum(map(prod, input_shapes))
        return Dims(joined)


class NMS(IPluginV2):
    """Box decoding, per-class non-maximum suppression and the best `keepTopK` of all classes."""

    plugin_type = "NMS_TRT"
    num_outputs = 2

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return (1, keepTopK, 7) for the detections and (1, 1, 1) for their number."""
        return Dims((1, self.attributes["keepTopK"], 7)) if index == 0 else Dims((1, 1, 1))

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return FLOAT for the detections and INT32 for their number."""
        return DataType.FLOAT if index == 0 else DataType.INT32


CREATORS = (
    IPluginCreator(
        Normalize, {"weights": None, "acrossSpatial": False, "channelShared": False, "nbWeights": 1, "eps": 1e-10}
    ),
    IPluginCreator(
        PriorBox,
        {
            "minSize": None,
            "maxSize": [],
            "aspectRatios": [],
            "flip": True,
            "clip": False,
            "variance": [0.1, 0.1, 0.2, 0.2],
            "imgH": 0,
            "imgW": 0,
            "stepH": 0.0,
            "stepW": 0.0,
            "offset": 0.5,
        },
    ),
    IPluginCreator(
        GridAnchor,
        {
            "minSize": 0.2,
            "maxSize": 0.95,
            "aspectRatios": None,
            "featureMapShapes": None,
            "variance": None,
            "numLayers": 6,
        },
    ),
    IPluginCreator(FlattenConcat, {"axis": 1, "ignoreBatch": False}),
    IPluginCreator(
        NMS,
        {
            "shareLocation": True,
            "varianceEncodedInTarget": False,
            "backgroundLabelId": 0,
            "numClasses": None,
            "topK": 400,
            "keepTopK": 200,
            "confidenceThreshold": 0.01,
            "nmsThreshold": 0.45,
            "inputOrder": [0, 2, 1],
            "confSigmoid": False,
            "isNormalized": True,
            "codeType": 3,
            "scoreBits": 16,
            "isBatchAgnostic": True,
        },
    ),
)


def register() -> None:
    """Add SSD's creators to the registry; harmless when they are there."""
    for creator in CREATORS:
        get_plugin_registry().register_creator(creator)
