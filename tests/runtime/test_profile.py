"""Layer times: the median of runs, so that one that something else held up decides nothing."""

import math
from types import SimpleNamespace

import pytest

from trtflow import reference as trt
from trtflow.runtime.profile import profile_layers


class Held:
    """A session that reports given times, run by run."""

    def __init__(self, runs):
        self.context, self.runs = SimpleNamespace(profiler=None), iter(runs)

    def execute(self, batch_size):
        for name, ms in next(self.runs):
            self.context.profiler.report_layer_time(name, ms)


def test_one_slow_run_decides_nothing():
    runs = [[("a", 1.0), ("b", 2.0)], [("a", 900.0), ("b", 2.5)], [("a", 1.5), ("b", 700.0)]]
    assert profile_layers(trt, Held(runs), 3)["layers"] == [{"name": "a", "ms": 1.5}, {"name": "b", "ms": 2.5}]


def test_a_layer_that_runs_several_times_counts_with_all_of_them():
    runs = [[("a", 1.0), ("a", 1.0)], [("a", 1.0), ("a", 2.0)], [("a", 9.0), ("a", 9.0)]]
    assert profile_layers(trt, Held(runs), 3)["layers"] == [{"name": "a", "ms": 3.0}]


@pytest.mark.parametrize(("seconds", "done"), [(math.inf, 9), (0, 3), (60, 9)])
def test_there_are_three_runs_however_long_they_take(seconds, done):
    found = profile_layers(trt, Held([[("a", ms)] for ms in range(9)]), 9, 2, seconds)
    assert found == {"iterations": done, "batch_size": 2, "layers": [{"name": "a", "ms": done // 2}]}
