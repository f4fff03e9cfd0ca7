"""Models that end in a suppression: EfficientNMS_TRT, torchvision's detectors, ONNX NonMaxSuppression, rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trtflow.decoders.candidates import Candidates, to_corners, to_scores, to_unit
from trtflow.decoders.rows import decode_rows, labelled
from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError

ROW = ("left", "top", "right", "bottom", "score", "label")
NUMBERED_ROW = ("image", "left", "top", "right", "bottom", "label", "score")  # YOLOv7's end2end export
ORDER = "Name the outputs in their order as outputs."
FORMS = (
    "one output of rows [N, K, 6] (left, top, right, bottom, score, label) or [K, 7] (the picture's number first, "
    "score last); three: boxes [K, 4], labels [K], scores [K] as torchvision's, or the selected indices [K, 3] of "
    "NonMaxSuppression with its boxes [N, P, 4] and scores [N, classes, P]; four: number of detections, boxes, scores "
    "and labels as EfficientNMS_TRT's"
)


def decode_nms_output(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read what a model gives that ends in a suppression (`FORMS`).

    Raises:
        UserError: the outputs are none of these.
    """
    for fits, read in READERS:
        if fits(outputs):
            return read(outputs, settings)
    shapes = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    raise UserError(f"decoding: the outputs {shapes} are none that nms_output reads: {FORMS}. Name them as outputs.")


def _read_rows(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    columns = NUMBERED_ROW if outputs[0].shape[-1] == 7 else ROW
    return decode_rows(outputs[0], columns, 0, "pixels", settings)


def _read_counted(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """EfficientNMS_TRT: int32 [N, 1], boxes [N, K, 4], scores [N, K], labels [N, K]; BatchedNMS_TRT is alike."""
    (boxes,), rest = _split(outputs, lambda output: output.ndim >= 3 and output.shape[-1] == 4)
    boxes = boxes.reshape(len(boxes), math.prod(boxes.shape[1:-1]), 4)
    counts, rest = _split(rest, lambda output: output.size == len(boxes) and boxes.shape[1] != 1)
    count, (scores, labels) = (counts[0], rest) if counts else (rest[0], rest[1:])
    if scores.dtype.kind in "iu" and labels.dtype.kind == "f":
        scores, labels = labels, scores
    corners = to_unit(to_corners(boxes, settings.boxes or "corners"), settings.units or "pixels", settings)
    first, found = settings.first_label or 0, []
    if not ((count >= 0) & (count <= boxes.shape[1])).all():
        raise UserError(f"decoding: the model gives {count.reshape(-1)[0]} detections of {boxes.shape[1]}. {ORDER}")
    for number, box, score, label in zip(count.reshape(-1), corners, scores, labels, strict=True):
        used = slice(int(number))
        found.append(labelled(box[used], score[used], label[used], first, settings))
    return found


def _read_torchvision(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Boxes [K, 4], int64 labels [K] and scores [K] of one picture; torchvision numbers its classes from 1."""
    (boxes,), rest = _split(outputs, lambda output: output.ndim == 2)
    labels, scores = sorted(rest, key=lambda output: output.dtype.kind not in "iu")
    corners = to_unit(to_corners(boxes, settings.boxes or "corners"), settings.units or "pixels", settings)
    first = 1 if settings.first_label is None else settings.first_label
    return [labelled(corners, scores, labels, first, settings)]


def _read_selected(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """ONNX NonMaxSuppression: rows of picture, class and box; unused ones are -1."""
    (selected,), (boxes, values) = _split(outputs, lambda output: output.ndim == 2 and output.dtype.kind in "iu")
    if boxes.shape[-1] != 4 or values.shape[1] == 4:
        boxes, values = values, boxes
    corners = to_unit(to_corners(boxes, settings.boxes or "yxyx"), settings.units or "pixels", settings)
    scores = to_scores(values.transpose(0, 2, 1), settings, settings.scores or "probabilities", "none")
    used, limits = selected[selected[:, 0] >= 0], (len(scores), scores.shape[2], scores.shape[1])
    if selected.shape[1] != 3 or not ((used >= 0) & (used < limits)).all():
        raise UserError(f"decoding: a selected index is beyond {limits}, pictures, classes and boxes. {ORDER}")
    found = []
    for number, (its_boxes, its_scores) in enumerate(zip(corners, scores, strict=True)):
        _, labels, places = used[used[:, 0] == number].astype(np.int64).T
        found.append(Candidates(its_boxes[places], its_scores[places, labels], labels))
    return found


def _split(outputs: Sequence[np.ndarray], fits: object) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs that fit, and the others."""
    chosen = [bool(fits(output)) for output in outputs]  # type: ignore[operator]
    pairs = list(zip(outputs, chosen, strict=True))
    return [output for output, mine in pairs if mine], [output for output, mine in pairs if not mine]


def _are_rows(outputs: Sequence[np.ndarray]) -> bool:
    return len(outputs) == 1 and outputs[0].shape[-1] in (6, 7)


def _are_counted(outputs: Sequence[np.ndarray]) -> bool:
    boxes = [output for output in outputs if output.ndim >= 3 and output.shape[-1] == 4]
    return len(outputs) == 4 and len(boxes) == 1 and sum(output.ndim <= 2 for output in outputs) == 3


def _are_torchvision(outputs: Sequence[np.ndarray]) -> bool:
    kinds = sorted((output.ndim, output.dtype.kind in "iu") for output in outputs)
    return kinds == [(1, False), (1, True), (2, False)]


def _are_selected(outputs: Sequence[np.ndarray]) -> bool:
    return len(outputs) == 3 and sorted((output.ndim, output.dtype.kind in "iu") for output in outputs) == [
        (2, True),
        (3, False),
        (3, False),
    ]


READERS = (
    (_are_rows, _read_rows),
    (_are_counted, _read_counted),
    (_are_torchvision, _read_torchvision),
    (_are_selected, _read_selected),
)
