"""Non-maximum suppression as the plugin library has it: EfficientNMS_TRT, BatchedNMS_TRT and BatchedNMSDynamic_TRT.

Names, fields and defaults are those of TensorRT 8.6's creators (the plugins' own documentation in NVIDIA/TensorRT).
"""

from __future__ import annotations

from typing import Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.plugins import IPluginCreator, IPluginV2, get_plugin_registry
from trtflow.reference.record.values import Dims

MOST_CANDIDATES = 4096  # boxes of a class, or of a picture, that are compared


class EfficientNMS(IPluginV2):
    """Boxes [N, P, 4] or [N, P, C, 4], scores [N, P, C] and, if boxes are offsets from them, anchors [1 or N, P, 4].

    Outputs: number of detections [N, 1], boxes [N, K, 4] by their corners, scores [N, K], classes [N, K].
    """

    plugin_type = "EfficientNMS_TRT"
    num_outputs, dynamic = 4, True

    def __init__(self, **attributes: Any) -> None:
        if attributes["box_coding"] not in (0, 1):
            raise ValueError(f"box_coding {attributes['box_coding']}, not 0 (corners) or 1 (centre and size)")
        if attributes["max_output_boxes"] < 1:
            raise ValueError(f"max_output_boxes {attributes['max_output_boxes']}")
        super().__init__(**attributes)

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the shape of an output, with the batch."""
        ranks = [len(shape) for shape in input_shapes]
        if ranks not in ([3, 3], [4, 3], [3, 3, 3], [4, 3, 3]) or input_shapes[0][-1] not in (4, -1):
            shapes = ", ".join(map(str, input_shapes))
            remedy = "It takes boxes (N, P, 4) or (N, P, C, 4), scores (N, P, C) and, if any, anchors (1 or N, P, 4)."
            raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", remedy)
        batch, most = input_shapes[0][0], self.attributes["max_output_boxes"]
        return Dims([(batch, 1), (batch, most, 4), (batch, most), (batch, most)][index])

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return INT32 for numbers and classes, FLOAT for boxes and scores."""
        return DataType.INT32 if index in (0, 3) else DataType.FLOAT


class BatchedNMS(IPluginV2):
    """Boxes [P, 1 or C, 4] and scores [P, C] of each picture.

    Outputs: number of detections [], boxes [K, 4], scores [K], classes [K] as floats, -1 behind the last.
    """

    plugin_type = "BatchedNMS_TRT"
    num_outputs = 4

    def __init__(self, **attributes: Any) -> None:
        if attributes["keepTopK"] > attributes["topK"]:
            raise ValueError(f"keepTopK {attributes['keepTopK']} exceeds topK, {attributes['topK']}")
        if attributes["topK"] > MOST_CANDIDATES:
            raise ValueError(f"topK {attributes['topK']} exceeds {MOST_CANDIDATES}")
        super().__init__(**attributes)

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the shape of an output, without the batch."""
        shared, classes = self.attributes["shareLocation"], self.attributes["numClasses"]
        fits = len(input_shapes) == 2 and len(input_shapes[0]) == 3 and len(input_shapes[1]) in (2, 3)
        if not fits or input_shapes[0][1:] != (1 if shared else classes, 4) or input_shapes[1][1] != classes:
            shapes = ", ".join(map(str, input_shapes))
            remedy = f"It takes boxes (P, {1 if shared else classes}, 4) and scores (P, {classes}) of each picture."
            raise NetworkError(self.plugin_type, f"inputs of shape {shapes}", remedy)
        most = self.attributes["keepTopK"]
        return Dims([(), (most, 4), (most,), (most,)][index])

    def get_output_datatype(self, index: int, inputs: list[DataType]) -> DataType:
        """Return INT32 for the number, FLOAT for all else."""
        return DataType.INT32 if index == 0 else DataType.FLOAT


class BatchedNMSDynamic(BatchedNMS):
    """BatchedNMS_TRT with shapes that have the batch: the number of detections is [N, 1]."""

    plugin_type = "BatchedNMSDynamic_TRT"
    dynamic = True

    def get_output_shape(self, index: int, input_shapes: list[Dims]) -> Dims:
        """Return the shape of an output, with the batch."""
        inner = super().get_output_shape(index, [Dims(shape[1:]) for shape in input_shapes])
        return Dims((input_shapes[0][0], *(inner or (1,))))


BATCHED: dict[str, Any] = {
    "shareLocation": True,
    "backgroundLabelId": -1,
    "numClasses": int,
    "topK": int,
    "keepTopK": int,
    "scoreThreshold": 0.0,
    "iouThreshold": float,
    "isNormalized": True,
    "clipBoxes": True,
    "scoreBits": 16,
    "caffeSemantics": True,
}
CREATORS = (
    IPluginCreator(
        EfficientNMS,
        {
            "score_threshold": 0.25,
            "iou_threshold": 0.5,
            "max_output_boxes": 100,
            "background_class": -1,
            "score_activation": False,
            "class_agnostic": False,
            "box_coding": 0,
        },
    ),
    IPluginCreator(BatchedNMS, BATCHED),
    IPluginCreator(BatchedNMSDynamic, BATCHED),
)


def register() -> None:
    """Add the creators to the registry; harmless when they are there."""
    for creator in CREATORS:
        get_plugin_registry().register_creator(creator)
