"""Scales against TensorRT 8.6.0's own, measured on a GPU (docs/calibration.md), and against the plain definition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import UserError
from trtflow.reference.entropy import BINS, LEVELS, Entropy, Legacy, MinMax, best_bin

GOLDEN_INPUTS = Path(__file__).parents[1] / "data" / "tensorrt_8.6.0_golden_inputs.npz"


def bits(scale: np.float32) -> str:
    assert isinstance(scale, np.float32)
    return f"{int(scale.view(np.uint32)):x}"


def observed(*batches: object) -> Entropy:
    collector = Entropy()
    for batch in batches:
        collector.observe(np.asarray(batch, np.float32))
    return collector


@pytest.mark.parametrize(
    ("batches", "scale", "bin_"),
    [
        ("n1", "3ba51d4a", 1680),
        ("n1 n2", "3cddc1e2", 1128),
        ("n1 n3", "3dd0007d", 1058),
        ("n3 n1", "3dcfe2aa", 1808),
        ("n1 n2 n3", "3dd0007d", 1058),
    ],
)
def test_golden_inputs(batches: str, scale: str, bin_: int) -> None:
    inputs = np.load(GOLDEN_INPUTS)
    collector = observed(*(inputs[name].reshape(2, 1, 64, 32) for name in batches.split()))
    assert best_bin(collector.counts) == bin_
    assert bits(collector.scale()) == scale


def test_golden_pairs_of_bins() -> None:
    """Two neighbouring bins hold most of the values; wherever they are, TensorRT keeps the whole range."""
    singles = [600, 601, 700, 701, 900, 1000, 1300, 1301, 1800]
    for first in range(129, 501):
        positions = np.repeat([first, first + 1, *singles], [1000, 1000, *[1] * len(singles)])
        values = np.zeros(4096, np.float32)
        values[: positions.size] = (positions + 0.5) / BINS
        values[positions.size] = 1
        assert (first, bits(observed(values).scale())) == (first, "3c010a14")


def test_golden_constant() -> None:
    collector = observed(np.full(4096, 0.5))
    assert best_bin(collector.counts) == 2048
    assert bits(collector.scale()) == "3b810a14"


def test_sign_does_not_count() -> None:
    values = np.load(GOLDEN_INPUTS)["n1"]
    assert observed(-values).scale() == observed(np.abs(values)).scale() == observed(values).scale()


def test_zeros() -> None:
    assert bits(observed(np.zeros(10)).scale()) == "0"


def test_range_comes_from_the_first_batch_that_is_not_zero() -> None:
    assert observed(np.zeros(4096), np.full(4096, 0.5)).scale() == observed(np.full(4096, 0.5)).scale()
    assert observed(np.zeros(4), [0.75], [1.0]).range == 1.5


def test_range_doubles_only_when_it_is_exceeded() -> None:
    values = np.array([0.1, 0.6, 1.0], np.float32)
    assert observed(values, values).range == 1
    collector = observed(values, [np.nextafter(np.float32(1), np.float32(2))])
    assert collector.range == 2
    assert np.flatnonzero(collector.counts).tolist() == [102, 614, 1023, 1024]
    assert observed(values, [7.0]).range == 8
    assert observed(values, [7.0]).counts.sum() == 4


def test_nan_is_ignored() -> None:
    values = np.load(GOLDEN_INPUTS)["n1"]
    assert observed(np.append(values, np.nan)).scale() == observed(values).scale()
    assert bits(observed([np.nan]).scale()) == "0"


@pytest.mark.parametrize("batches", [[[np.inf, 1]], [[1], [-np.inf]], [[np.inf], [1]], [[0], [np.inf, np.nan]]])
def test_infinity(batches: list[list[float]]) -> None:
    assert bits(observed(*batches).scale()) == "7f800000"


def test_extreme_magnitudes_fall_into_the_same_bins() -> None:
    values = np.random.default_rng(0).random(5000).astype(np.float32)
    counts = observed(values).counts
    for factor in (2.0**-100, 2.0**127):
        np.testing.assert_array_equal(observed(values * np.float32(factor)).counts, counts)


def test_bins_are_float32_arithmetic_in_tensorrts_order() -> None:
    values = np.random.default_rng(1).standard_normal(100_000).astype(np.float32)
    magnitudes = np.abs(values)
    largest = magnitudes.max()
    bins = np.minimum(np.floor(magnitudes * np.float32(2048) / largest), 2047).astype(int)
    np.testing.assert_array_equal(observed(values).counts, np.bincount(bins, minlength=2048))


def test_input_is_left_alone() -> None:
    values = np.array([0.5, -2.0, np.nan], np.float32)
    observed(values)
    np.testing.assert_array_equal(values, [0.5, -2.0, np.nan])


def definition(counts: np.ndarray) -> int:
    """Return the best candidate as the definition has it, one at a time."""
    histogram = counts.astype(np.float64)
    histogram[0] = max(histogram[1], 1)
    divergences = np.full(BINS + 1, np.inf)
    for end in range(LEVELS, BINS + 1):
        tail = histogram[end:].sum()
        if histogram[end - 1] == 0 and tail > 0:
            continue
        members = np.flatnonzero(histogram[:end])
        reference = histogram[members]
        levels = members * LEVELS // end
        means = np.bincount(levels, reference, LEVELS) / np.maximum(np.bincount(levels, minlength=LEVELS), 1)
        quantized = means[levels]
        if tail > 0:
            reference[-1] += tail
        reference, quantized = reference / reference.sum(), quantized / quantized.sum()
        divergences[end] = (reference * np.log(reference / quantized)).sum()
    return int(divergences.argmin())


def histograms() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(2)
    for spread in (0.3, 1.0, 4.0):  # of the second batch; 4 doubles the range
        yield observed(rng.standard_normal(20_000), spread * rng.standard_normal(5_000)).counts
    yield observed(rng.laplace(size=20_000), np.maximum(rng.standard_normal(20_000), 0)).counts
    yield observed(rng.random(200), [1.3]).counts
    yield np.ones(BINS, np.int64)
    for occupied in (1, 2, 5, 40):  # with few values many candidates are equally good, and the first one counts
        counts = np.zeros(BINS, np.int64)
        counts[rng.integers(0, BINS // 2 + 100, occupied)] = rng.integers(1, 10**9, occupied)
        yield counts


@pytest.mark.parametrize("counts", list(histograms()))
def test_search_finds_what_the_definition_says(counts: np.ndarray) -> None:
    assert best_bin(counts) == definition(counts)


@pytest.mark.parametrize("batches", [[[0.5, -3.0], [2.0]], [[np.nan, 3.0]], [[0.0], [-3.0]]])
def test_min_max(batches: list[list[float]]) -> None:
    collector = MinMax()
    for batch in batches:
        collector.observe(np.array(batch, np.float32))
    assert collector.scale() == np.float32(3) / np.float32(127)


def test_min_max_of_extremes() -> None:
    assert bits(MinMax().scale()) == "0"
    collector = MinMax()
    collector.observe(np.array([-np.inf], np.float32))
    assert bits(collector.scale()) == "7f800000"


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.999, 1.0])
def test_legacy_is_a_quantile_of_the_magnitudes(quantile: float) -> None:
    values = np.random.default_rng(3).standard_normal((5, 40_000)).astype(np.float32)
    collector = Legacy(quantile, 1.0)
    for batch in values:
        collector.observe(batch)
    wanted = np.quantile(np.abs(values), quantile)
    assert 127 * float(collector.scale()) == pytest.approx(wanted, abs=float(collector.range) / BINS)


@pytest.mark.parametrize(("quantile", "cutoff"), [(0.0, 1.0), (-0.1, 1.0), (1.1, 1.0), (float("nan"), 1.0), (0.9, 0.5)])
def test_legacy_names_what_it_supports(quantile: float, cutoff: float) -> None:
    with pytest.raises(UserError, match=r"legacy calibration: .*(not in \(0, 1\]|only 1)"):
        Legacy(quantile, cutoff)
