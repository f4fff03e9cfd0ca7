"""Values that are no numbers, NaN and infinity: an answer that holds one is never the better for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def finite_rows(values: np.ndarray) -> np.ndarray:
    """Return which rows hold numbers only, bool [N].

    Args:
        values: numbers of any type [N, ...].
    """
    return np.asarray(np.isfinite(values).all(axis=tuple(range(1, values.ndim))))


def count_not_finite(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return how many values of each array are NaN or infinite, by name; arrays of numbers alone are left out."""
    floats = {name: values for name, values in arrays.items() if values.dtype.kind == "f"}
    counts = {name: int(values.size - np.isfinite(values).sum()) for name, values in floats.items()}
    return {name: count for name, count in counts.items() if count}
