"""A report's numbers as tables: rows for pages, terminals and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Row = Sequence[Any]


def precision_rows(report: Mapping[str, Any]) -> list[Row]:
    """Return a heading and one row a precision: its metrics, latency, throughput, engine size and build time."""
    entries = report["precisions"]
    metrics = list(dict.fromkeys(name for entry in entries.values() for name in entry["metrics"]))
    latency = ("mean", "median", "p95", "p99")
    rows: list[Row] = [
        ["precision", *metrics, *(f"{name} ms" for name in latency), "throughput/s", "engine bytes", "build s"]
    ]
    for precision, entry in entries.items():
        values = [entry["metrics"].get(name) for name in metrics]
        times = [entry["latency_ms"][name] for name in latency]
        rows.append([precision, *values, *times, entry["throughput_per_s"], entry["engine_bytes"], entry["build_s"]])
    return rows


def gate_rows(report: Mapping[str, Any]) -> list[Row]:
    """Return a heading and one row a gate."""
    gates = report["gates"]
    rows = [[gate["name"], gate["value"], gate["op"], gate["limit"], result_of(gate)] for gate in gates]
    return [["gate", "value", "", "limit", "result"], *rows]


def timing_rows(report: Mapping[str, Any]) -> list[Row]:
    """Return a heading and one row a measurement; milliseconds are medians."""
    head = ["precision", "batch", "CUDA graph", "latency ms", "H2D ms", "compute ms", "D2H ms", "enqueue ms"]
    parts = ("h2d_ms", "compute_ms", "d2h_ms", "enqueue_ms", "queries_per_s", "images_per_s")
    searched = any("best" in entry for entry in report["precisions"].values())
    rows: list[Row] = [[*head, "queries/s", "images/s", *(["best"] if searched else [])]]
    for precision, entry in report["precisions"].items():
        for row in entry.get("timing", []):
            graph = "yes" if row.get("cuda_graph") else "no"
            values = [row["batch_size"], graph, row["latency_ms"]["median"], *(row[part] for part in parts)]
            rows.append([precision, *values, *([_best_of(row, entry.get("best", {}))] if searched else [])])
    return rows


def _best_of(row: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    """Return in what a measurement is the best of its precision."""
    form = (row["batch_size"], row.get("cuda_graph", False))
    names = {"throughput": "images/s", "within": f"within {best.get('limit_ms', 0):g} ms"}
    found = {name: best[key] for key, name in names.items() if best.get(key)}
    return ", ".join(name for name, which in found.items() if (which["batch_size"], which["cuda_graph"]) == form)


def serving_rows(report: Mapping[str, Any]) -> list[Row]:
    """Return a heading and one row a number of processes; no row where a sample was asked by one process only."""
    keys = ("processes", "batch_size", "mps", "queries_per_s", "identical", "workers_lost")
    rows: list[Row] = [["precision", "processes", "batch", "MPS", "queries/s", "same answers", "workers lost"]]
    for precision, entry in report["precisions"].items():
        rows += [[precision, *(row[key] for key in keys)] for row in entry.get("serving", [])]
    return rows


def result_of(gate: Mapping[str, Any]) -> str:
    """Return "passed" or "failed"."""
    return "passed" if gate["passed"] else "failed"


def formatted(value: Any) -> str:
    """Return a value as people read it: four digits of a fraction, nothing for what is missing."""
    if value is None:
        return "–"  # noqa: RUF001 - a dash, as tables have it
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as comma-separated values with full precision; a missing value is empty."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
