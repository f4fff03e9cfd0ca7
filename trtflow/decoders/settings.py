"""How the outputs of a detector are to be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# of a mean average precision, which ranks all detections: few are left out
SCORE_THRESHOLD = 0.01
NMS_IOU = 0.5
KEEP = 100  # COCO counts no more of a picture
CANDIDATES = 1000


@dataclass(frozen=True)
class Decoding:
    """How the outputs of a detector are to be read.

    Attributes:
        name: of the decoder.
        classes: how many there are, without a background.
        shape: height and width of the network's input in pixels.
        score_threshold: least score of a detection.
        nms_iou: largest overlap of two detections of a class; None to suppress nothing.
        keep: most detections of a picture.
        candidates: most that suppression compares.
        anchors: sides that boxes start from, width and height in pixels of the input, of all maps from the finest on.
        priors: float32 [P, 4], xmin, ymin, xmax, ymax where 1 is a side of the input; None where an output has them.
        variances: units of the offsets from the priors: x, y, width, height.
        boxes: form of the boxes: corners, yxyx, centre (x, y, width, height) or sides (left, top, width, height).
        units: what a coordinate of 1 is: a pixel of the input, or a side (`unit`).
        scores: what the scores are: probabilities, logits (a sigmoid each) or softmax.
        background: which of the scores is no class: none, first or last.
        columns: what the columns of rows are.
        first_label: number of the first class where the model gives numbers.
    """

    name: str
    classes: int
    shape: tuple[int, int]
    score_threshold: float = SCORE_THRESHOLD
    nms_iou: float | None = NMS_IOU
    keep: int = KEEP
    candidates: int = CANDIDATES
    anchors: tuple[tuple[float, float], ...] = ()
    priors: np.ndarray | None = None
    variances: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    boxes: str | None = None
    units: str | None = None
    scores: str | None = None
    background: str | None = None
    columns: tuple[str, ...] = ()
    first_label: int | None = None

    @property
    def sides(self) -> np.ndarray:
        """Width and height of the input, float32 [2]."""
        return np.array(self.shape[::-1], np.float32)
