"""How far predicted numbers are from the true ones."""

from __future__ import annotations

import numpy as np

from trtflow.metrics.finite import finite_rows


def regression_scores(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return `rmse` and `mae`, in the unit of the numbers, and `r2`, the share of the variance that is explained.

    A prediction that is no number makes all three NaN, which fails every gate. Of numbers that are all the same `r2` is
    1 where each is met and otherwise NaN, as there is no variance.

    Args:
        predicted: [N, ...].
        true: numbers [N, ...] of the same shape.
    """
    if not finite_rows(predicted).all():
        return dict.fromkeys(("rmse", "mae", "r2"), float("nan"))
    errors = predicted.astype(np.float64) - true
    scatter = float(np.square(true - true.mean(axis=0)).sum())
    left = float(np.square(errors).sum())
    explained = 1 - left / scatter if scatter else (1.0 if left == 0 else float("nan"))
    return {"rmse": float(np.sqrt(np.square(errors).mean())), "mae": float(np.abs(errors).mean()), "r2": explained}
