"""SSD: offsets from default boxes and scores of classes, or the rows of a layer that has read them.

Liu et al., arXiv:1512.02325; Caffe's DetectionOutput with CENTER_SIZE boxes (github.com/weiliu89/caffe,
src/caffe/util/bbox_util.cpp, DecodeBBox).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trtflow.decoders.candidates import Candidates, candidates_of, to_scores, to_unit
from trtflow.decoders.rows import decode_rows
from trtflow.decoders.settings import Decoding
from trtflow.formats import UserError
from trtflow.runtime.darknet_boxes import LARGEST_EXPONENT

ROW = ("image", "label", "score", "left", "top", "right", "bottom")


def decode_ssd(outputs: Sequence[np.ndarray], settings: Decoding) -> list[Candidates]:
    """Read offsets [N, P, 4], scores [N, P, classes + 1] and priors, or the rows of a DetectionOutput layer.

    Boxes and scores may be flat, [N, P x 4] and [N, P x (classes + 1)], as Caffe's. Priors are a third output, [P, 4]
    or Caffe's [1, 1 or 2, P x 4] with the variances, or in the settings.

    Raises:
        UserError: the outputs are neither.
    """
    if len(outputs) == 1:
        return decode_rows(outputs[0], ROW, 1, "unit", settings)
    given = [settings.priors] if settings.priors is not None and len(outputs) == 2 else []
    if len([*outputs, *given]) != 3:
        raise UserError(
            f"decoding: ssd takes the rows of a DetectionOutput layer, or boxes, scores and priors, but there are "
            f"{len(outputs)} outputs. Name them in this order as outputs, or give decoding.priors."
        )
    priors, variances = _priors([*outputs, *given][2], settings)
    offsets, values = outputs[0], outputs[1]
    count = len(priors)
    if offsets[0].size != 4 * count or values[0].size % count:
        raise UserError(
            f"decoding: boxes of shape {offsets.shape} and scores of shape {values.shape} do not fit {count} priors. "
            "Name the outputs in the order boxes, scores, priors as outputs."
        )
    scores = to_scores(
        values.reshape(len(values), count, -1),
        settings,
        settings.scores or "probabilities",
        settings.background or "first",
    )
    boxes = to_unit(decode_offsets(offsets.reshape(-1, count, 4), priors, variances), "unit", settings)
    return [candidates_of(*pair, settings) for pair in zip(boxes, scores, strict=True)]


def decode_offsets(offsets: np.ndarray, priors: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Return corners, float32 [N, P, 4].

    Args:
        offsets: float32 [N, P, 4]: how far the centre moves, in sides of the prior, and the logarithm of how much these
            grow, each in units of its variance.
        priors: float32 [P, 4], xmin, ymin, xmax, ymax.
        variances: float32 [4] or [P, 4].
    """
    moves = offsets.astype(np.float32) * variances
    size = priors[:, 2:] - priors[:, :2]
    centre = (priors[:, :2] + priors[:, 2:]) / 2 + moves[..., :2] * size
    half = np.exp(moves[..., 2:].clip(max=LARGEST_EXPONENT)) * size / 2
    return np.concatenate([centre - half, centre + half], -1)


def _priors(values: np.ndarray, settings: Decoding) -> tuple[np.ndarray, np.ndarray]:
    """Return priors, float32 [P, 4], and their variances, float32 [4] or [P, 4]."""
    flat = values[0] if values.ndim == 3 else values
    if flat.ndim != 2 or flat.size % 4 or (flat.shape[1] != 4 and flat.shape[0] not in (1, 2)):
        raise UserError(
            f"decoding: priors of shape {values.shape}. They are [P, 4], or [1, 2, P x 4] as Caffe's PriorBox."
        )
    if flat.shape[1] == 4 and flat.shape[0] > 2:
        return flat.astype(np.float32), np.array(settings.variances, np.float32)
    parts = flat.reshape(len(flat), -1, 4).astype(np.float32)
    return parts[0], parts[1] if len(parts) == 2 else np.array(settings.variances, np.float32)
