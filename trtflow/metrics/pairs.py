"""Two arrays that are compared: of one shape, made of numbers, and how far apart."""

from __future__ import annotations

import numpy as np

from trtflow.formats import UserError

NUMBERS = "biuf"  # kinds of NumPy's types that are numbers


def check_alike(first: np.ndarray, second: np.ndarray, items: str = "items") -> None:
    """Refuse arrays of unlike shapes, which NumPy would stretch until one value stands for many.

    Raises:
        UserError: they have different shapes, or hold something other than numbers.
    """
    if first.shape != second.shape:
        raise UserError(
            f"arrays of shapes {first.shape} and {second.shape} are not of the same {items}. Make both again."
        )
    for values in (first, second):
        if values.dtype.kind not in NUMBERS:
            raise UserError(
                f"an array of {values.dtype} is not made of numbers. Give floats, integers or truth values."
            )


def differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return absolute differences, float64, of two arrays of numbers of one shape.

    Integers beyond 2^53 that differ by less than float64 tells differ by 1.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(first.astype(np.float64) - second.astype(np.float64))
    apart[(apart == 0) & (first != second)] = 1
    return apart


def share(hits: np.ndarray) -> float:
    """Return the share of true values; of none at all it is 0, so that nothing is never a success."""
    return float(hits.mean()) if hits.size else 0.0
