"""How TensorRT finds the INT8 scale of a tensor, batch by batch, in memory that does not grow with their number.

Entropy and MinMax are TensorRT 8.6's own algorithms, to the bit; both were found by measuring (docs/calibration.md).
"""

from __future__ import annotations

import numpy as np

from trtflow.formats import UserError

BINS = 2048
LEVELS = 128  # magnitudes that INT8 can tell apart
STEPS = np.float32(127)
ROUNDING = 1e-12  # of a divergence that comes from cumulative sums


class MinMax:
    """The largest magnitude; NaN does not count."""

    def __init__(self) -> None:
        self.largest = np.float32(0)

    def observe(self, values: np.ndarray) -> None:
        """Take the values of one batch, float32 of any shape."""
        self.largest = max(self.largest, _largest(_magnitudes(values)))

    def scale(self) -> np.float32:
        """Return range / 127."""
        return np.float32(self.largest / STEPS)


class _Histogram:
    """Counts of |x| in 2048 bins over a range that doubles whenever a batch exceeds it."""

    def __init__(self) -> None:
        self.range = np.float32(0)
        self.counts = np.zeros(BINS, np.int64)

    def observe(self, values: np.ndarray) -> None:
        """Take the values of one batch, float32 of any shape."""
        magnitudes = _magnitudes(values)
        largest = _largest(magnitudes)
        if np.isinf(self.range) or np.isinf(largest):
            self.range = np.float32(np.inf)
            return
        if self.range == 0:
            self.range = largest  # all-zero batches so far are counted below without widening anything
        while largest > self.range:
            merged = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.concatenate([merged, np.zeros(BINS // 2, np.int64)])
            self.range = np.float32(2 * self.range)
        if self.range == 0:
            self.counts[0] += magnitudes.size
            return
        # TensorRT's floor(x * 2048 / range) in float32; a power of two scales exactly, so that this order gives the
        # same bits and cannot overflow. (The golden values do not tell it from a product with 2048 / range.)
        magnitudes /= self.range
        magnitudes *= BINS
        self.counts += np.bincount(np.minimum(magnitudes.astype(np.int32), BINS - 1), minlength=BINS)


class Entropy(_Histogram):
    """The range whose 128 levels lose the least information (Kullback-Leibler divergence)."""

    def scale(self) -> np.float32:
        """Return range / 127; infinite where the data was."""
        if not np.isfinite(self.range) or self.range == 0:
            return self.range
        threshold = np.float32((best_bin(self.counts) + 0.5) * float(self.range) / BINS)
        return np.float32(threshold / STEPS)


class Legacy(_Histogram):
    """The magnitude below which a given part of all values lies.

    NVIDIA has not published what its legacy calibrator does beside that; regression is not reproduced.

    Args:
        quantile: that part, in (0, 1].
        regression_cutoff: must be 1, no regression.
    """

    def __init__(self, quantile: float, regression_cutoff: float) -> None:
        super().__init__()
        if not 0 < quantile <= 1:
            raise UserError(f"legacy calibration: quantile {quantile} is not in (0, 1].")
        if regression_cutoff != 1:
            raise UserError(f"legacy calibration: regression_cutoff {regression_cutoff} is not supported, only 1.")
        self.quantile = quantile

    def scale(self) -> np.float32:
        """Return range / 127."""
        if not np.isfinite(self.range) or self.range == 0:
            return self.range
        cumulative = self.counts.cumsum()
        last = int(np.searchsorted(cumulative, self.quantile * cumulative[-1]))
        return np.float32(np.float32((last + 1) * float(self.range) / BINS) / STEPS)


def _magnitudes(values: np.ndarray) -> np.ndarray:
    """Return |x| as a new float32 [n], without NaN."""
    magnitudes = np.abs(values, dtype=np.float32).ravel()
    return magnitudes if not np.isnan(magnitudes.max(initial=0)) else magnitudes[~np.isnan(magnitudes)]


def _largest(magnitudes: np.ndarray) -> np.float32:
    return np.float32(magnitudes.max(initial=0))


def best_bin(counts: np.ndarray) -> int:
    """Return the number of bins, 128 to 2048, that the range should cover.

    For each candidate the histogram up to it, with all outliers in its last bin, is compared with itself in 128 levels,
    each level's count spread evenly over its occupied bins. Empty bins take no part, the first bin's own count is
    discarded, and a candidate that ends in an empty bin below outliers is none.

    Args:
        counts: int [2048].
    """
    loss = divergences(counts)
    # candidates that rounding alone tells apart are equal, and the first of equals wins
    return LEVELS + int((loss <= loss.min() + ROUNDING).argmax())


def divergences(counts: np.ndarray) -> np.ndarray:
    """Return what each candidate of `best_bin` loses, float64 [1921] for 128 to 2048 bins; infinite where it is none.

    Args:
        counts: int [2048].
    """
    histogram = counts.astype(np.float64)
    histogram[0] = max(histogram[1], 1)
    sums, occupied = _running(histogram), _running(histogram > 0)
    ends = np.arange(LEVELS, BINS + 1)
    total, kept = sums[-1], sums[ends]
    tail, last = total - kept, histogram[ends - 1]

    # level l of a candidate begins at bin ceil(l * end / LEVELS)
    bounds = -(-np.arange(LEVELS + 1) * ends[:, None] // LEVELS)
    level_sums, sizes = np.diff(sums[bounds]), np.diff(occupied[bounds])
    log_means = np.log(np.divide(level_sums, sizes, out=np.ones_like(level_sums), where=sizes > 0))

    # sum p * log(p / q): p is the histogram with the tail in its last bin, over total; q the means, over kept
    own = _running(_x_log_x(histogram))[ends] - _x_log_x(last) + _x_log_x(last + tail)
    cross = (level_sums * log_means).sum(1) + tail * log_means[:, -1]
    divergence = (own - cross) / total - np.log(total / kept)
    divergence[(tail > 0) & (last == 0)] = np.inf
    return np.asarray(divergence)


def _running(values: np.ndarray) -> np.ndarray:
    """Return the sums of the first 0, 1, 2, ... values."""
    return np.concatenate([[0.0], values.cumsum(dtype=np.float64)])


def _x_log_x(values: np.ndarray) -> np.ndarray:
    return values * np.log(np.where(values > 0, values, 1))
