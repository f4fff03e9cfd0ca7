"""What detectors give, read by name: from an engine's outputs to detections. NumPy alone; engines run beside it.

A model that was exported without its last steps gives numbers whose meaning only its makers know. `DECODERS` has that
of the usual ones. Each takes outputs in its own order (`roles`) and gives boxes and scores of classes; what is common,
the threshold, the suppression and the best `keep`, is done here. Values that are no numbers pass through as they are,
before all others, so that metrics count them as false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from trtflow.boxes import best_first, suppress_by_class
from trtflow.decoders.candidates import Candidates
from trtflow.decoders.final import decode_nms_output
from trtflow.decoders.grids import decode_yolov3, decode_yolov5, decode_yolov8
from trtflow.decoders.priors import decode_ssd
from trtflow.decoders.settings import Decoding
from trtflow.decoders.tables import decode_boxes_scores
from trtflow.formats import UserError

__all__ = ["DECODERS", "Decoding", "decode", "gives_lists"]


class Decoder(NamedTuple):
    """How a kind of detector is read.

    Attributes:
        read: gives the candidates of each picture of the outputs in their order.
        roles: what the outputs are; empty where they are maps, one a stride.
        suppressed: whether overlapping boxes are gone already.
    """

    read: Callable[[Sequence[np.ndarray], Decoding], list[Candidates]]
    roles: tuple[str, ...] = ()
    suppressed: bool = False


DECODERS = {
    "ssd": Decoder(decode_ssd, ("boxes", "scores", "priors")),
    "yolov3": Decoder(decode_yolov3),
    "yolov5": Decoder(decode_yolov5),
    "yolov8": Decoder(decode_yolov8),
    "nms_output": Decoder(decode_nms_output, ("count", "boxes", "scores", "labels", "selected"), suppressed=True),
    "boxes_scores": Decoder(decode_boxes_scores, ("boxes", "scores")),
}


def decode(outputs: Sequence[np.ndarray], settings: Decoding, count: int) -> np.ndarray:
    """Return the detections of a batch.

    Args:
        outputs: what the engine gave, in the decoder's order.
        settings: how to read it.
        count: pictures of the batch, N; rows with the pictures' numbers do not tell of the last if nothing is on them.

    Returns:
        float32 [N, keep, 7], best first: image, label (from 1), score, xmin, ymin, xmax, ymax, where 1 is a side of the
        network's input; rows that hold nothing have the label -1.

    Raises:
        UserError: the outputs do not fit.
    """
    decoder = known_decoder(settings.name)
    found = _read(decoder, outputs, settings)
    if len(found) > count:
        fault = f"the model gives detections of {len(found)} pictures for a batch of {count}"
        raise UserError(f"decoding: {fault}. Export it with a batch, or name other outputs.")
    detections = np.zeros((count, settings.keep, 7), np.float32)
    detections[..., 0], detections[..., 1] = np.arange(count)[:, None], -1
    for rows, candidates in zip(detections, found, strict=False):
        rows_of_image = _best(candidates, settings, decoder.suppressed)
        rows[: len(rows_of_image), 1:] = rows_of_image
    return detections


def _read(decoder: Decoder, outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Return the candidates of each picture; what overflows on the way is bounded, or is a false alarm.

    Raises:
        UserError: the outputs do not fit.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return decoder.read(outputs, settings)
    except (ValueError, IndexError) as error:  # of arrays whose sizes are at odds
        shapes = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
        fault = f"the outputs {shapes} do not fit each other as {settings.name} has them"
        raise UserError(f"decoding: {fault}. Name the model's outputs in their order as outputs.") from error


def known_decoder(name: str) -> Decoder:
    """Return a decoder.

    Raises:
        UserError: there is none of that name.
    """
    if name not in DECODERS:
        raise UserError(f"decoding.name: unknown {name!r}. Known: {', '.join(DECODERS)}.")
    return DECODERS[name]


def gives_lists(name: str, outputs: int) -> bool:
    """Whether a model gives lists of detections, and no map or table with a place for each box.

    Args:
        name: of its decoder.
        outputs: how many there are.
    """
    return known_decoder(name).suppressed or (name == "ssd" and outputs == 1)


def _best(found: Candidates, settings: Decoding, suppressed: bool) -> np.ndarray:
    """Return the best detections of an image, float32 [n, 6]: label, score and box, where 1 is a side of the input."""
    with np.errstate(invalid="ignore"):
        likely = np.flatnonzero(~(found.scores < settings.score_threshold))
    likely = likely[best_first(found.scores[likely])[: settings.candidates]]
    boxes, scores, labels = found.boxes[likely], found.scores[likely], found.labels[likely]
    if suppressed or settings.nms_iou is None:
        kept = best_first(scores)
    else:
        kept = suppress_by_class(boxes, scores, labels, settings.nms_iou)
    kept = kept[: settings.keep]
    # a box beyond all bounds would make an overlap infinite in float32
    return np.column_stack([labels[kept] + 1, scores[kept], boxes[kept].clip(0, 1)]).astype(np.float32)
