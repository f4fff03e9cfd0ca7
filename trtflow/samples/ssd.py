"""Object detection with SSD: guide chapter 16, sampleSSD.

An SSD300 on VGG-16 comes as a Caffe model. TensorRT's Caffe parser reads it and takes the layers that are not its own
from the plugin registry: Normalize_TRT, PriorBox_TRT and NMS_TRT. The engine gives boxes; no code behind it decodes or
suppresses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.images import read_sized_image, to_bgr_input
from trtflow.datasets.voc import read_images
from trtflow.runtime.parsers import parse_caffe

__all__ = ["read_images"]

INPUT = "data"
DETECTIONS, KEEP_COUNT = OUTPUTS = ("detection_out", "keep_count")
SIZE = 300  # pixels of a side
EXPORTS = ("model.prototxt", "model.caffemodel")


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """§16.2: pictures of 300x300 become float32 [N, 3, 300, 300], blue, green, red, minus the means 104, 117, 123."""
    return to_bgr_input([read_sized_image(path, SIZE) for path in paths])


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§16.3: the parser makes plugins of the layers Normalize, PriorBox and DetectionOutput by itself."""
    prototxt, caffemodel = (export / name for name in EXPORTS)
    parse_caffe(trt, network, prototxt, caffemodel, OUTPUTS)


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """§16.5: the outputs are tuples of 7 and how many of them hold a detection.

    Args:
        outputs: detection_out float32 [N, 1, 200, 7], each row image, label, score, xmin, ymin, xmax, ymax, and
            keep_count [N, 1, 1, 1], int32.

    Returns:
        `detections` float32 [N, 200, 7] and `keep_count` int32 [N].
    """
    # TensorRT 8.6 calls keep_count float; its bits are those of an int32
    count = np.ascontiguousarray(outputs[KEEP_COUNT]).view(np.int32)
    return {"detections": outputs[DETECTIONS][:, 0], "keep_count": count.reshape(-1)}
