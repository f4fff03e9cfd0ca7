"""Boxes and scores of pictures on the way to detections, and the forms in which models give them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError
from trtflow.runtime.darknet_boxes import softmax
from trtflow.runtime.outputs import sigmoid

FARTHEST = np.float32(1e6)  # sides of the input that a corner may be away: beyond, overlaps would be infinite


class Candidates(NamedTuple):
    """What may be on a picture.

    Attributes:
        boxes: float32 [n, 4], xmin, ymin, xmax, ymax, where 1 is a side of the network's input.
        scores: float32 [n].
        labels: int64 [n], from 0.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def candidates_of(boxes: np.ndarray, scores: np.ndarray, settings: Decoding) -> Candidates:
    """Return every class of every box of a picture whose score reaches the threshold, or is no number.

    Args:
        boxes: float32 [P, 4], or [P, classes, 4] where each class has its own.
        scores: float32 [P, classes].
        settings: the threshold.
    """
    with np.errstate(invalid="ignore"):
        places, labels = np.nonzero(~(scores < settings.score_threshold))
    chosen = boxes[places, labels] if boxes.ndim == 3 else boxes[places]
    return Candidates(chosen, scores[places, labels], labels.astype(np.int64))


def to_corners(boxes: np.ndarray, form: str) -> np.ndarray:
    """Return boxes of a form as xmin, ymin, xmax, ymax, float32 [..., 4].

    Raises:
        UserError: there is no such form.
    """
    if form not in FORMS:
        raise UserError(f"decoding.boxes: unknown {form!r}. Known: {', '.join(FORMS)}.")
    first, second = np.split(boxes.astype(np.float32), 2, axis=-1)
    return np.concatenate(FORMS[form](first, second), axis=-1)


FORMS = {
    "corners": lambda low, high: (low, high),
    "yxyx": lambda low, high: (low[..., ::-1], high[..., ::-1]),
    "centre": lambda centre, size: (centre - size / 2, centre + size / 2),
    "sides": lambda low, size: (low, low + size),
}


def to_unit(boxes: np.ndarray, units: str, settings: Decoding) -> np.ndarray:
    """Return corners as parts of the input's sides, float32 [..., 4], none of them farther away than `FARTHEST`.

    Raises:
        UserError: there is no such unit.
    """
    if units not in UNITS:
        raise UserError(f"decoding.units: unknown {units!r}. Known: {', '.join(UNITS)}.")
    scaled = boxes / np.tile(settings.sides, 2) if units == "pixels" else boxes
    return scaled.clip(-FARTHEST, FARTHEST)


UNITS = ("pixels", "unit")


def to_scores(values: np.ndarray, settings: Decoding, kind: str, background: str) -> np.ndarray:
    """Return the scores of classes, float32 [..., classes].

    Args:
        values: [..., classes], with the background one more.
        settings: how many classes there are.
        kind: probabilities, logits or softmax.
        background: none, first or last.

    Raises:
        UserError: there are more or fewer values, or no such kind.
    """
    if kind not in KINDS or background not in BACKGROUNDS:
        raise UserError(
            f"decoding.scores: {kind!r}, decoding.background: {background!r}. Known: {', '.join(KINDS)}, and "
            f"{', '.join(BACKGROUNDS)}."
        )
    count = settings.classes + (background != "none")
    if values.shape[-1] != count:
        also = "" if background == "none" else " and a background"
        raise UserError(
            f"decoding: scores of shape {values.shape}, but there are {settings.classes} classes{also}. Name all "
            "classes of the model, and say whether one of its scores is the background (decoding.background)."
        )
    scores = KINDS[kind](values.astype(np.float32))
    return scores[..., BACKGROUNDS[background]]


BACKGROUNDS = {"none": slice(None), "first": slice(1, None), "last": slice(None, -1)}
KINDS = {"probabilities": lambda values: values, "logits": sigmoid, "softmax": softmax}
