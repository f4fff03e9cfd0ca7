"""Items of a data set dealt out into its splits, none into two."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trtflow.formats import UserError


def deal(name: str, order: np.ndarray, counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Deal out the items of a data set.

    Args:
        name: of the data set, for people.
        order: the places of all items in the order in which they are dealt out, int64 [N].
        counts: items of each split.

    Returns:
        The places of the items of each split, int64 [count], splits in the order of `counts`.

    Raises:
        UserError: the data set has not that many items.
    """
    if (wanted := sum(counts.values())) > len(order):
        splits = " or ".join(f"splits.{split}" for split in counts)
        raise UserError(f"{name}: it has {len(order)} items, {wanted} are wanted. Lower {splits}.")
    ends = np.cumsum(list(counts.values()))
    return {split: order[end - count : end] for (split, count), end in zip(counts.items(), ends, strict=True)}
