"""Boxes and scores as they are, in whatever form and unit the settings say; DETR's are of this kind too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.decoders.candidates import Candidates, candidates_of, to_corners, to_scores, to_unit
from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError


def decode_boxes_scores(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read boxes [N, P, 4], [N, P, 1, 4] or, one a class, [N, P, classes, 4], and scores [N, P, classes].

    Raises:
        UserError: the outputs are others.
    """
    if len(outputs) != 2:
        raise UserError(
            f"decoding: boxes_scores takes two outputs, boxes and scores, but there are {len(outputs)}. Name them in "
            "this order as outputs."
        )
    boxes, values = outputs
    if boxes.ndim == 4 and boxes.shape[2] == 1:
        boxes = boxes[:, :, 0]
    if boxes.ndim not in (3, 4) or boxes.shape[-1] != 4 or values.ndim != 3 or values.shape[:2] != boxes.shape[:2]:
        raise UserError(
            f"decoding: boxes of shape {outputs[0].shape} and scores of shape {values.shape}. They are [N, P, 4] and "
            "[N, P, classes]. Name the outputs in this order as outputs."
        )
    scores = to_scores(values, settings, settings.scores or "probabilities", settings.background or "none")
    if boxes.ndim == 4 and boxes.shape[2] != scores.shape[2]:
        raise UserError(f"decoding: boxes of shape {boxes.shape}, but there are {scores.shape[2]} classes.")
    corners = to_unit(to_corners(boxes, settings.boxes or "corners"), settings.units or "unit", settings)
    return [candidates_of(*pair, settings) for pair in zip(corners, scores, strict=True)]
