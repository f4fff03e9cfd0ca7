"""Latency as trtexec states it: warm-up, then percentiles over many single queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

WARM_UP_S = 0.2
DURATION_S = 3.0
LEAST_QUERIES = 10


def percentile(times: np.ndarray, percent: float) -> float:
    """Return a percentile by trtexec's rule, an element of `times` and never an interpolation."""
    ordered = np.sort(times)
    index = len(ordered) - 1 - int((1 - percent / 100) * len(ordered))
    return float(ordered[max(index, 0)])


def measure(queries: Mapping[str, Callable[[], object]], duration_s: float = DURATION_S) -> dict[str, dict[str, Any]]:
    """Time several queries in turns, so that whatever else the machine does meets them all alike.

    Args:
        queries: functions that return when their result is there, by name.
        duration_s: seconds of measurement for each, after the warm-up.

    Returns:
        for each name `latency_ms` (mean, median, p95, p99) and `throughput_per_s` (queries per second of their time).
    """
    for query in queries.values():
        _repeat(query, WARM_UP_S)
    times: dict[str, list[float]] = {name: [] for name in queries}
    end = time.perf_counter() + duration_s * len(queries)
    while time.perf_counter() < end or min(map(len, times.values())) < LEAST_QUERIES:
        for name, query in queries.items():
            start = time.perf_counter()
            query()
            times[name].append(time.perf_counter() - start)
    return {name: _summary(np.array(values)) for name, values in times.items()}


def _repeat(query: Callable[[], object], seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        query()


def _summary(seconds: np.ndarray) -> dict[str, Any]:
    ms = seconds * 1000
    latency = {
        "mean": float(ms.mean()),
        "median": percentile(ms, 50),
        "p95": percentile(ms, 95),
        "p99": percentile(ms, 99),
    }
    return {"latency_ms": latency, "throughput_per_s": float(len(seconds) / seconds.sum())}
