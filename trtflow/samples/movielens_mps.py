"""Movie recommendation using MPS (Multi-Process Service): guide chapter 15, sampleMovieLensMPS.

The network of chapter 14, asked by several processes at once. Each has its own context on the same plan and takes
queries from one queue. On a GPU the processes take turns, unless a daemon of MPS is there: then they share one context
of the GPU, and kernels of small networks, which fill only a part of it, run side by side.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.families.ncf.layers import add_top_k, answers_of, inputs_of, parse_model
from trtflow.runtime.workers import WorkerPool


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """Chapter 14's network."""
    prediction = parse_model(trt, network, export / "model.uff")
    add_top_k(trt, network, prediction)


def start_workers(
    plan: Path, backend: dict[str, Any], users: np.ndarray, choices: np.ndarray, processes: int, batch_size: int
) -> WorkerPool:
    """Return processes that hold an engine and the queries each, and wait for work.

    Args:
        plan: the engine, and `engine.<precision>.json` beside it.
        backend: content of `results/backend.json`.
        users: int32 [users].
        choices: int32 [users, 100], movies.
        processes: how many.
        batch_size: users a run of an engine.
    """
    return WorkerPool(plan, backend, inputs_of(users, choices), processes, batch_size)


def recommend(pool: WorkerPool, choices: np.ndarray) -> dict[str, np.ndarray]:
    """Let the processes answer all queries; return what `answers_of` says of them, in the order of the queries."""
    return answers_of(pool.answer(), choices)


def measure(pool: WorkerPool, seconds: float) -> dict[str, Any]:
    """Let the processes answer queries for some seconds; return how many a second, and which processes died."""
    return {"queries_per_s": pool.measure(seconds), "workers_lost": len(pool.lost)}
