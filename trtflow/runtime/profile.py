"""Layer times of an engine, by TensorRT's profiler interface."""

from __future__ import annotations

import math
import statistics
import time
from types import ModuleType
from typing import Any

from trtflow.runtime.session import Session


def layer_recorder(trt: ModuleType) -> Any:
    """Return a profiler for one context or several, which adds up what they report.

    Its `totals` are the milliseconds of each layer in all runs so far, in the order of the first run.
    """

    class Recorder(trt.IProfiler):  # type: ignore[name-defined]
        """Adds up what TensorRT reports."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.totals: dict[str, float] = {}

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.totals[layer_name] = self.totals.get(layer_name, 0.0) + ms

    return Recorder()


def mean_times(totals: dict[str, float], runs: int, engine: str = "") -> list[dict[str, Any]]:
    """Return layers as `profile.<precision>.json` has them, from a recorder's totals.

    Args:
        totals: milliseconds of each layer in all runs.
        runs: to take the mean of.
        engine: stands before each name, where a profile has layers of several engines.
    """
    prefix = f"{engine}: " if engine else ""
    return [{"name": prefix + name, "ms": total / runs} for name, total in totals.items()]


LEAST_RUNS = 3  # to take the median of, however long they take


def profile_layers(
    trt: ModuleType, session: Session, iterations: int, batch_size: int = 1, seconds: float = math.inf
) -> dict[str, Any]:
    """Return the median time of each layer with a batch: one run that something else held up so decides nothing.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        session: of the engine.
        iterations: how many runs at most.
        batch_size: inputs of a run.
        seconds: after which no run begins, once there are three.

    Returns:
        `iterations` and `batch_size` as they were, and `layers` in network order, `name` and `ms` of each.
    """
    session.context.profiler = recorder = layer_recorder(trt)
    runs: list[dict[str, float]] = []
    end = time.perf_counter() + seconds
    while len(runs) < iterations and (len(runs) < LEAST_RUNS or time.perf_counter() < end):
        recorder.totals = {}
        session.execute(batch_size)
        runs.append(recorder.totals)
    layers = [
        {"name": name, "ms": statistics.median(run.get(name, 0.0) for run in runs)}
        for name in dict.fromkeys(name for run in runs for name in run)
    ]
    return {"iterations": len(runs), "batch_size": batch_size, "layers": layers}
