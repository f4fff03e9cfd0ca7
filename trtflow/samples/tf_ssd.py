"""Object detection with a TensorFlow SSD network: guide chapter 13, sampleUffSSD.

An SSD on InceptionV2 comes as a frozen TensorFlow graph. `config/preprocessors/ssd_inception_v2.py` puts plugins in
place of what TensorRT does not have before the graph becomes UFF: GridAnchor_TRT makes the default boxes,
FlattenConcat_TRT joins the predictions of six maps, NMS_TRT decodes and suppresses boxes. The UFF parser finds them in
the registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.images import read_sized_image, to_signed_unit_input
from trtflow.datasets.voc import read_images
from trtflow.runtime.parsers import parse_uff

__all__ = ["read_images"]

INPUT, MARKED = "Input", "MarkOutput_0"  # §13.3
DETECTIONS, KEEP_COUNT = OUTPUTS = ("NMS", "NMS_1")
SIZE = 300  # pixels of a side


def preprocess(paths: Sequence[Path], export: Path) -> np.ndarray:
    """§13.3: pictures of 300x300 become float32 [N, 3, 300, 300], red, green, blue, from -1 to 1."""
    return to_signed_unit_input([read_sized_image(path, SIZE) for path in paths])


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§13.3: register input and output, and parse. The one registered output marks both of the plugin's."""
    parse_uff(trt, network, export / "model.uff", {INPUT: (3, SIZE, SIZE)}, [MARKED])
    for index, name in enumerate(OUTPUTS):
        network.get_output(index).name = name


def postprocess(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """§13.5: the outputs are tuples of 7 and how many of them hold a detection.

    Args:
        outputs: NMS float32 [N, 1, 100, 7], each row image, label, score, xmin, ymin, xmax, ymax from 0 to 1, and
            NMS_1 [N, 1, 1, 1], int32.

    Returns:
        `detections` float32 [N, 100, 7] and `keep_count` int32 [N].
    """
    # TensorRT 8.6 calls the count float; its bits are those of an int32
    count = np.ascontiguousarray(outputs[KEEP_COUNT]).view(np.int32)
    return {"detections": outputs[DETECTIONS][:, 0], "keep_count": count.reshape(-1)}
