"""How far predicted numbers are from the true ones."""

from __future__ import annotations

import numpy as np

from trtflow.metrics.pairs import check_alike, differences


def regression_scores(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return `rmse` and `mae`, in the unit of the numbers, and `r2`, the share of the variance that is explained.

    A prediction or a target that is no number makes all three NaN, which fails every gate; so does their lack. Of
    numbers that are all the same `r2` is 1 where each is met and otherwise NaN, as there is no variance.

    Args:
        predicted: [N, ...].
        true: numbers [N, ...] of the same shape.

    Raises:
        UserError: they have different shapes.
    """
    check_alike(predicted, true)
    if not (true.size and np.isfinite(predicted).all() and np.isfinite(true).all()):
        return dict.fromkeys(("rmse", "mae", "r2"), float("nan"))
    errors, exact = differences(predicted, true), true.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        scatter = float(np.square(exact - exact.mean(axis=0)).sum())
        left = float(np.square(errors).sum())
        rmse, mae = float(np.sqrt(np.square(errors).mean())), float(errors.mean())
    if not np.isfinite([scatter, left]).all():
        explained = float("nan")
    else:
        explained = 1 - left / scatter if scatter else (1.0 if left == 0 else float("nan"))
    return {"rmse": rmse, "mae": mae, "r2": explained}
