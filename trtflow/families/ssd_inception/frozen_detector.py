"""Detectors of TensorFlow's object detection models, run from their frozen graphs."""

from __future__ import annotations

from pathlib import Path

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import tensorflow as tf

from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.graphsurgeon.graph_file import AGAIN, read_graph_def

INPUT = "image_tensor"
OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
FROM_TENSORFLOW = (1, 0, 3, 2)  # ymin, xmin, ymax, xmax become xmin, ymin, xmax, ymax


class FrozenDetector:
    """A graph from image_tensor to detection_boxes, _scores, _classes and num_detections.

    Args:
        path: the frozen graph.

    Raises:
        FormatError: the file is no graph, or one without these nodes.
    """

    def __init__(self, path: Path) -> None:
        graphdef = read_graph_def(path)
        names = {node.name for node in graphdef.node}
        missing = [name for name in (INPUT, *OUTPUTS) if name not in names]
        if missing:
            remedy = "Give a frozen graph of TensorFlow's object detection models."
            raise FormatError(path, f"the graph has no node {missing[0]!r}", remedy)
        fault, also = "not a graph that TensorFlow runs", (tf.errors.OpError,)
        with tf.Graph().as_default() as graph, refuse_damage(path, fault, AGAIN, also):
            tf.import_graph_def(graphdef, name="")
        self.session = tf.compat.v1.Session(graph=graph)

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Return the detections of a picture.

        Args:
            image: uint8 [H, W, 3], red, green, blue.

        Returns:
            The guide's tuples of 7 (§13.5), float32 [100, 7]: image, label, score, xmin, ymin, xmax, ymax; unused rows
            have the label -1.
        """
        wanted = [f"{name}:0" for name in OUTPUTS]
        boxes, scores, classes, count = self.session.run(wanted, {f"{INPUT}:0": image[None]})
        rows = np.zeros((boxes.shape[1], 7), np.float32)
        rows[:, 1] = -1
        used = slice(int(count[0]))
        rows[used, 1], rows[used, 2] = classes[0, used], scores[0, used]
        rows[used, 3:] = boxes[0, used][:, FROM_TENSORFLOW]
        return rows
