"""SSD's plugins as TensorRT registers them (guide §16.3): Normalize_TRT, PriorBox_TRT, NMS_TRT."""

from __future__ import annotations

import math

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.plugins import IPluginCreator, IPluginV2, get_plugin_registry
from trtflow.reference.record.values import Dims


class Normalize(IPluginV2):
    """L2 normalisation over channels (or over the whole image), times a learned scale."""

    plugin_type = "Normalize_TRT"

    def get_output_shape(self, index: int, inputs: list[Dims]) -> Dims:
        """Return the input's shape."""
        return inputs[0]


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

    def get_output_shape(self, index: int, inputs: list[Dims]) -> Dims:
        """Return (2, priors * 4, 1): boxes, then variances."""
        per_cell = self.attributes["minSize"].size * len(self.ratios()) + self.attributes["maxSize"].size
        return Dims((2, inputs[0][-2] * inputs[0][-1] * per_cell * 4, 1))


class NMS(IPluginV2):
    """Box decoding, per-class non-maximum suppression and the best `keepTopK` of all classes."""

    plugin_type = "NMS_TRT"
    num_outputs = 2

    def get_output_shape(self, index: int, inputs: list[Dims]) -> Dims:
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
            "inputOrder": [0, 1, 2],
            "confSigmoid": False,
            "isNormalized": True,
            "codeType": 1,
        },
    ),
)


def register() -> None:
    """Add SSD's creators to the registry; harmless when they are there."""
    for creator in CREATORS:
        get_plugin_registry().register_creator(creator)
