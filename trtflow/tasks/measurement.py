"""Engines timed against one another, and layer by layer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.runtime.backend import read_backend
from trtflow.runtime.profile import profile_layers
from trtflow.runtime.session import Session, load_engine
from trtflow.runtime.timing import DURATION_S, is_brief
from trtflow.runtime.timing import measure as measure_sessions
from trtflow.samples import first_batch
from trtflow.tasks.files import by_precision


def measure(job: Job) -> None:
    """Measure all engines and write their percentiles.

    Each takes `latency_seconds` with the first batch size, and a third of it with others and with a CUDA graph; ten
    queries at least, or three where `latency_seconds` is shorter than the warm-up. They are given the inputs `values`,
    where time depends on values. With `measure: best` the batches double up to the largest, and what was best of all
    that was measured is told.
    """
    backend, total = read_backend(job.input("backend")), job.setting("latency_seconds", DURATION_S)
    most, search = job.setting("max_batch_size", 1), job.setting("measure") == "best"
    sizes = list(dict.fromkeys(job.setting("batch_sizes") or (batch_ladder(most) if search else sorted({1, most}))))
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(Session.load(plan, backend))
            for name, plan in by_precision(job.inputs["plans"]).items()
        }
        if job.files("values"):
            for session in sessions.values():
                session.fill(first_batch(job.sample, job.input("values"), max(sizes)))
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in sessions}
        for size in sizes:
            seconds = total if size == sizes[0] else total / 3
            for name, row in measure_sessions(sessions, size, seconds, brief=is_brief(total)).items():
                rows[name].append(row)
            for name, session in sessions.items():
                rows[name] += _measure_graph(name, session, size, total)
    told = {name: _headline(found) for name, found in rows.items()}
    if search:
        for name, found in rows.items():
            told[name]["best"] = best_rows(found, job.setting("latency_limit_ms"))
    write_json(job.output("latency"), told)


def batch_ladder(most: int) -> list[int]:
    """Return the powers of two below the largest batch, and that one."""
    return [*(1 << power for power in range((most - 1).bit_length())), most]


def best_rows(rows: list[dict[str, Any]], limit_ms: float | None) -> dict[str, Any]:
    """Return which measurement of an engine had the most inputs a second, and which within a limit.

    Args:
        rows: what was measured, by batch and with or without a CUDA graph.
        limit_ms: of the 99th percentile of the latency; None for none.

    Returns:
        `throughput`, and with a limit `limit_ms` and `within`, None where nothing kept it: for each `batch_size`,
        `cuda_graph`, `images_per_s` and `p99_ms`.
    """
    best: dict[str, Any] = {"throughput": _best(rows)}
    if limit_ms is not None:
        kept = [row for row in rows if row["latency_ms"]["p99"] <= limit_ms]
        best |= {"limit_ms": limit_ms, "within": _best(kept) if kept else None}
    return best


def _best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    row = max(rows, key=lambda row: row["images_per_s"])
    form = {"batch_size": row["batch_size"], "cuda_graph": row.get("cuda_graph", False)}
    return {**form, "images_per_s": row["images_per_s"], "p99_ms": row["latency_ms"]["p99"]}


def _measure_graph(name: str, session: Session, batch_size: int, total: float) -> list[dict[str, Any]]:
    """Return the row of an engine that is launched as a CUDA graph; none where there are none."""
    try:
        found = measure_sessions({name: session}, batch_size, total / 3, graph=True, brief=is_brief(total))
    except (RuntimeError, UserError) as error:
        print(f"{name}: no CUDA graph ({error})")
        return []
    return [{**found[name], "cuda_graph": True}]


def _headline(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the first row's latency and queries per second, and all rows."""
    return {"latency_ms": rows[0]["latency_ms"], "throughput_per_s": rows[0]["queries_per_s"], "timing": rows}


ITERATIONS = 11  # runs to take the median of, an odd number


def profile(job: Job) -> None:
    """Time the layers of an engine and write the median time of each, of so many runs as `latency_seconds` have.

    Three at least, or one where `latency_seconds` is shorter than a warm-up.

    The engine is given the inputs `values`, where time depends on values.
    """
    batch_size, seconds = job.setting("profile_batch_size", 1), job.setting("latency_seconds", DURATION_S)
    trt, engine = load_engine(job.input("plan"), read_backend(job.input("backend")))
    with Session(trt, engine) as session:
        if job.files("values"):
            session.fill(first_batch(job.sample, job.input("values"), batch_size))
        found = profile_layers(trt, session, 1 if is_brief(seconds) else ITERATIONS, batch_size, seconds)
    write_json(job.output("profile"), {"precision": job.precision, **found})
