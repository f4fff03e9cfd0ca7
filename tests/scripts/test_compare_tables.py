"""Tables are compared tensor by tensor, and a difference is explained by the reference's histogram."""

import numpy as np
import pytest
from compare_tables import explain

from trtflow.calibration.tables import compare_tables
from trtflow.formats.calibration_table import CalibrationTable
from trtflow.reference.entropy import BINS, Entropy, MinMax, best_bin


def table(**scales):
    return CalibrationTable("8600", "EntropyCalibration2", {name: np.float32(value) for name, value in scales.items()})


def test_tensors_are_compared_by_name():
    found = compare_tables(table(a=1, b=2, c=0, gpu=3), table(c=0, a=1 + 1e-6, b=2.1, cpu=3))
    assert (found["common"], found["equal"]) == (3, 2)
    assert found["differing"] == {"b": {"relative": pytest.approx(0.1 / 2.1, rel=1e-5)}}
    assert (found["only_first"], found["only_second"]) == (["gpu"], ["cpu"])
    assert found["largest"] == found["differing"]["b"]["relative"]


@pytest.fixture
def seen():
    entropy = Entropy()
    entropy.observe(np.random.default_rng(0).normal(size=100_000).astype(np.float32))
    return entropy


def scale_of(seen, bins):
    return np.float32((bins + 0.5) * float(seen.range) / BINS / 127)


def test_best_range_costs_nothing(seen):
    best = best_bin(seen.counts)
    found = explain(scale_of(seen, best), seen)
    assert (found["bins"], found["divergence_excess"]) == (best, 0)


def test_another_range_costs_divergence(seen):
    found = explain(scale_of(seen, 200), seen)
    assert found["bins"] == 200
    assert found["divergence_excess"] > 0.01
    assert found["reference_bins"] == best_bin(seen.counts)


def test_range_of_another_histogram_is_said_to_be_none(seen):
    assert "no candidate" in explain(np.float32(scale_of(seen, 700.4)), seen)["explanation"]
    assert explain(np.float32(1), MinMax()) == {}
