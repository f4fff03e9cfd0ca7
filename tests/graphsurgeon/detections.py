"""What a frozen detector and a UFF graph of it find in the same picture, and how far they agree."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

sys.path.append(str(Path(__file__).parents[1] / "converters"))

from detection_graphs import SIZE

import trtflow.reference as trt
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

# of scores; of boxes, whose sizes TensorRT's plugin rounds to half precision
SCORES, BOXES = 1e-4, 2e-3


@dataclass(frozen=True)
class Detections:
    """Best first.

    Attributes:
        classes: [N].
        scores: [N].
        boxes: [N, 4], ymin, xmin, ymax, xmax from 0 to 1.
    """

    classes: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def picture() -> np.ndarray:
    """Return a picture [1, 300, 300, 3] uint8 of noise."""
    return np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.uint8)


def of_tensorflow(graphdef: Any) -> Detections:
    """Return what TensorFlow finds."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(graphdef, name="")
        names = [f"detection_{name}:0" for name in ("classes", "scores", "boxes")]
        return Detections(*(values[0] for values in session.run(names, {"image_tensor:0": picture()})))


def of_uff(data: bytes) -> Detections:
    """Return what the reference runtime finds by a UFF graph, whose input is registered in NCHW."""
    trt.init_libnvinfer_plugins(trt.Logger(), "")

    def define(trt: Any, network: Any) -> None:
        parser = trt.UffParser()
        parser.register_input("Input", (3, SIZE, SIZE), trt.UffInputOrder.NCHW)
        parser.register_output("MarkOutput_0")
        assert parser.parse_buffer(data, network)

    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(build_plan(trt, define, "fp32", 1))
    given = np.ascontiguousarray((picture() * np.float32(2 / 255) - 1).transpose(0, 3, 1, 2))
    outputs = Session(trt, engine).run({"Input": given}).values()
    rows = next(values for values in outputs if values.shape[-1] == 7).reshape(-1, 7)
    rows = rows[rows[:, 1] >= 0]
    return Detections(rows[:, 1], rows[:, 2], rows[:, [4, 3, 6, 5]])


def agreeing(found: Detections, wanted: Detections) -> int:
    """Return how many detections are TensorFlow's; equal scores may come in any order."""
    count = 0
    for label, score, box in zip(found.classes, found.scores, found.boxes, strict=True):
        same = (wanted.classes == label) & np.isclose(wanted.scores, score, rtol=0, atol=SCORES)
        count += bool((np.abs(wanted.boxes[same] - box).max(axis=1) < BOXES).any())
    return count
