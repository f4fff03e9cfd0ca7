"""Boxes of detectors: as offsets from others, how far they overlap, and which of those that overlap stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

VARIANCES = (0.1, 0.1, 0.2, 0.2)  # units of the offsets: x, y, width and height
BLOCK = 128  # boxes whose overlaps are computed at once: one by one takes 25 times the time (400 boxes: 79 and 3 ms)


def encode(boxes: Tensor, priors: Tensor) -> Tensor:
    """Return boxes [n, 4] as offsets from priors [n, 4], in units of the variances (Caffe's CENTER_SIZE)."""
    size = priors[:, 2:] - priors[:, :2]
    shift = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:]) / 2 / size
    growth = ((boxes[:, 2:] - boxes[:, :2]) / size).log()
    return torch.cat([shift, growth], 1) / priors.new_tensor(VARIANCES)


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Undo `encode`; offsets may have leading axes, [..., n, 4]."""
    shift, growth = (offsets * priors.new_tensor(VARIANCES)).split(2, dim=-1)
    size = priors[:, 2:] - priors[:, :2]
    centre = (priors[:, :2] + priors[:, 2:]) / 2 + shift * size
    half = growth.exp() * size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def intersection_over_union(first: Tensor, second: Tensor) -> Tensor:
    """Return the overlaps of boxes [n, 4] with boxes [m, 4], float32 [n, m]."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


def keep_best(boxes: Tensor, threshold: float, most: int | None = None) -> Tensor:
    """Return the indices of boxes [n, 4], best first, that overlap no better one that stays by more than a threshold.

    Args:
        boxes: float32 [n, 4].
        threshold: intersection over union.
        most: how many to return; None for all.
    """

    def rivals(some: np.ndarray, others: np.ndarray) -> Tensor:
        return intersection_over_union(boxes[some], boxes[others]) > threshold

    return keep_without_rivals(len(boxes), rivals, most)


def keep_without_rivals(
    count: int, rivals: Callable[[np.ndarray, np.ndarray], Tensor], most: int | None = None
) -> Tensor:
    """Return the indices, best first, of those of `count` that no better one that stays is a rival of.

    Args:
        count: how many there are, in order, the best first.
        rivals: tells of some indices [n] and others [m] who is whose rival, bool [n, m].
        most: how many to return; None for all.
    """
    kept: list[int] = []
    rest = np.arange(count)
    while len(rest) and len(kept) != most:
        block = rest[:BLOCK]
        apart = ~rivals(block, rest).numpy()
        stays = np.ones(len(rest), bool)
        for row, index in enumerate(block):
            if stays[row] and len(kept) != most:
                kept.append(int(index))
                stays[row + 1 :] &= apart[row, row + 1 :]
        rest = rest[len(block) :][stays[len(block) :]]
    return torch.tensor(kept, dtype=torch.int64)
