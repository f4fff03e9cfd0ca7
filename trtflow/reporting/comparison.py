"""Two runs of the samples side by side, as a page in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtflow.reporting.tables import formatted

Reports = Mapping[str, Mapping[str, Any]]
LEADING = ("map", "top1", "hr10", "bleu", "perplexity")  # the metric that a sample is known by, first match wins


def to_markdown(rows: Sequence[Sequence[Any]]) -> str:
    """Return a table; the first row is its heading."""
    head, *body = [[formatted(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def result_rows(cpu: Reports, gpu: Reports) -> list[list[Any]]:
    """Return a heading and a row a sample and precision: gates, the leading metric and latency of both runs.

    Args:
        cpu, gpu: reports by sample; a sample that only one run has leaves the other's cells empty.
    """
    head: list[Any] = [
        "sample",
        "precision",
        "metric",
        "CPU",
        "GPU",
        "gates CPU",
        "gates GPU",
        "median ms CPU",
        "median ms GPU",
    ]
    rows = [[*head, "with CUDA graph", "largest batch", "images/s CPU", "images/s GPU"]]
    for name in sorted({*cpu, *gpu}, key=lambda name: (cpu.get(name) or gpu[name])["chapter"]):
        one, other = cpu.get(name), gpu.get(name)
        for precision in dict.fromkeys([*(one or {}).get("precisions", {}), *(other or {}).get("precisions", {})]):
            first, second = _entry(one, precision), _entry(other, precision)
            metric = leading_metric(first or second or {})
            values = [(entry or {}).get("metrics", {}).get(metric) for entry in (first, second)]
            medians = [_median(first), _median(second), _graph(second)]
            largest = [_largest(first), _largest(second)]
            rates = [row.get("images_per_s") for row in largest]
            batch = largest[1].get("batch_size") or largest[0].get("batch_size")
            rows.append([name, precision, metric, *values, _gates(one), _gates(other), *medians, batch, *rates])
    return rows


def table_rows(comparisons: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """Return a heading and rows that compare calibration tables, as scripts/compare_tables.py does, by sample."""
    rows: list[list[Any]] = [["sample", "tensors", "equal", "tensor that differs", "relative", "divergence", "excess"]]
    for name, found in sorted(comparisons.items()):
        rows.append([name, found["common"], found["equal"], None, None, None, None])
        for tensor, entry in found["differing"].items():
            why = [entry.get("divergence"), entry.get("divergence_excess")]
            rows.append([None, None, None, tensor, entry["relative"], *why])
    return rows


def _entry(report: Mapping[str, Any] | None, precision: str) -> Mapping[str, Any] | None:
    return report["precisions"].get(precision) if report else None


def leading_metric(entry: Mapping[str, Any]) -> str:
    """Return the metric that an engine is known by, of a report's entry of a precision."""
    metrics = entry.get("metrics", {})
    return next((name for name in LEADING if name in metrics), next(iter(metrics), ""))


def _gates(report: Mapping[str, Any] | None) -> str | None:
    if report is None:
        return None
    return f"{sum(gate['passed'] for gate in report['gates'])} of {len(report['gates'])}"


def _median(entry: Mapping[str, Any] | None) -> float | None:
    return entry["latency_ms"]["median"] if entry else None


def _graph(entry: Mapping[str, Any] | None) -> float | None:
    rows = [row for row in (entry or {}).get("timing", []) if row.get("cuda_graph")]
    return rows[0]["latency_ms"]["median"] if rows else None


def _largest(entry: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the timing with the largest batch; of those launched one by one and as a CUDA graph the faster."""
    rows = (entry or {}).get("timing", [])
    return max(rows, key=lambda row: (row["batch_size"], row["images_per_s"]), default={})
