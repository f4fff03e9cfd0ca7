"""Latency and throughput as trtexec states them: warm-up, then percentiles over many queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np

from trtflow.runtime.session import Session
from trtflow.runtime.slots import Query

WARM_UP_S = 0.2
DURATION_S = 3.0
LEAST_QUERIES = 10
BRIEF_QUERIES = 3


def is_brief(seconds: float) -> bool:
    """Return whether an engine is to be timed for less than its warm-up: to see that it runs, and not how fast."""
    return seconds < WARM_UP_S


def percentile(times: np.ndarray, percent: float) -> float:
    """Return a percentile by trtexec's rule, an element of `times` and never an interpolation."""
    ordered = np.sort(times)
    index = len(ordered) - 1 - int((1 - percent / 100) * len(ordered))
    return float(ordered[max(index, 0)])


def measure(
    sessions: Mapping[str, Session],
    batch_size: int,
    duration_s: float = DURATION_S,
    *,
    graph: bool = False,
    brief: bool = False,
) -> dict[str, dict[str, Any]]:
    """Time engines, on a CPU in turns, so that whatever else the machine does meets them all alike.

    A GPU does nothing else meanwhile; there each engine has its time in one piece, as with trtexec, so that the copies
    of one query overlap with computing another.

    Args:
        sessions: the engines, by name.
        batch_size: images a query.
        duration_s: seconds of measurement for each engine, after the warm-up.
        graph: whether to launch CUDA graphs.
        brief: whether three queries will do in place of ten, and a query to warm up.

    Returns:
        for each name what `summary` returns.

    Raises:
        RuntimeError: CUDA graphs were asked for and an engine has none.
    """
    warm_up, least = (0.0, BRIEF_QUERIES) if brief else (WARM_UP_S, LEAST_QUERIES)
    if any(session.device.depth > 1 for session in sessions.values()):
        alone = (batch_size, duration_s, graph, warm_up, least)
        return {name: _measure_alone(session, *alone) for name, session in sessions.items()}
    streams = {name: session.queries(batch_size, graph=graph) for name, session in sessions.items()}
    for queries in streams.values():
        _take(queries, warm_up, least=1)
    taken: dict[str, list[Query]] = {name: [] for name in streams}
    end = time.perf_counter() + duration_s * len(streams)
    while time.perf_counter() < end or min(map(len, taken.values())) < least:
        for name, queries in streams.items():
            taken[name].append(next(queries))
    return {name: summary(queries, batch_size, in_turns=True) for name, queries in taken.items()}


def _measure_alone(
    session: Session, batch_size: int, duration_s: float, graph: bool, warm_up: float, least: int
) -> dict[str, Any]:
    """Warm an engine up and time it, with no other engine's time in between: queries are under way all along."""
    with closing(session.queries(batch_size, graph=graph)) as queries:
        _take(queries, warm_up, least=1)
        return summary(_take(queries, duration_s, least), batch_size)


def _take(queries: Iterator[Query], seconds: float, least: int) -> list[Query]:
    """Return the queries of some seconds, and at least so many."""
    end = time.perf_counter() + seconds
    taken = list(islice(queries, least))
    while time.perf_counter() < end:
        taken.append(next(queries))
    return taken


def summary(queries: list[Query], batch_size: int, *, in_turns: bool = False) -> dict[str, Any]:
    """Return what trtexec reports of queries.

    Args:
        queries: at least one, in order.
        batch_size: images a query.
        in_turns: whether other engines had the device between the queries, so that only their own time counts.

    Returns:
        `latency_ms` (copy there, compute, copy back: mean, median, p95, p99); medians of its parts and of what
        enqueueing takes the host, in ms; `queries_per_s` and `images_per_s`.
    """
    latencies = np.array([query.latency for query in queries])
    total_ms = latencies.sum() if in_turns else queries[-1].end - queries[0].start
    rate = float(len(queries) / total_ms * 1000)
    parts = {f"{part}_ms": _median(queries, part) for part in ("h2d", "compute", "d2h", "enqueue")}
    return {
        "batch_size": batch_size,
        "latency_ms": {
            "mean": float(latencies.mean()),
            "median": percentile(latencies, 50),
            "p95": percentile(latencies, 95),
            "p99": percentile(latencies, 99),
        },
        **parts,
        "queries_per_s": rate,
        "images_per_s": rate * batch_size,
    }


def _median(queries: list[Query], part: str) -> float:
    return percentile(np.array([getattr(query, part) for query in queries]), 50)
