"""Queries a second of one process and of several, with and without MPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

Row = Mapping[str, Any]


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Return the rows of small batches without MPS, of small batches with it, and of the large batch."""
    small = min(row["batch_size"] for row in rows)
    plain = [row for row in rows if row["batch_size"] == small and row["mps"] == "none"]
    shared = [row for row in rows if row["batch_size"] == small and row["mps"] != "none"]
    return plain, shared, [row for row in rows if row["batch_size"] != small]


def advice(rows: Sequence[Row]) -> str:
    """Return the measurements as text, and which a user should pick.

    Args:
        rows: measurements of `trtflow.tasks.serving`.
    """
    plain, shared, large = split(rows)
    one, best = plain[0], max([*plain, *shared], key=_rate)
    lines = [f"{_named(row)}: {_rate(row):.0f} queries/s" for row in rows]
    lines += [
        "",
        f"Queries that must be answered one by one: {_named(best)}, {_rate(best) / _rate(one):.2f} times one process.",
    ]
    if shared:
        gain = max(map(_rate, shared)) / max(map(_rate, plain))
        lines.append(f"MPS: the most queries/s with it are {gain:.2f} times the most without.")
    if large:
        winner = max([*large, best], key=_rate)
        gain = max(map(_rate, large)) / _rate(best)
        lines.append(f"Queries that can wait for one another: {_named(winner)}.")
        lines.append(f"The large batch has {gain:.2f} times the queries/s of the best small one.")
    return "\n".join([*lines, ""])


def write_serving(path: Path, rows: Sequence[Row]) -> None:
    """Plot queries a second against the number of processes; the large batch of one process is a line across.

    Args:
        path: PNG to write.
        rows: measurements of `trtflow.tasks.serving`.
    """
    plain, shared, large = split(rows)
    with rc_context(STYLE):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for found, name, colour in ((plain, "without MPS", "fp32"), (shared, "with MPS", "fp16")):
            if found:
                counts, rates = [row["processes"] for row in found], [_rate(row) for row in found]
                axes.plot(counts, rates, color=COLOURS[colour], marker="o", label=f"{name}, {_batch(found[0])}")
        for row in large:
            axes.axhline(_rate(row), color=GREY, linestyle="--", label=f"one process, {_batch(row)}")
        axes.set_yscale("log" if large else "linear")
        axes.set_xticks([row["processes"] for row in plain])
        axes.set(xlabel="processes", ylabel="queries/s, all processes together")
        axes.set_title("Throughput")
        axes.legend()
        save_figure(figure, path)


def _rate(row: Row) -> float:
    return float(row["queries_per_s"])


def _batch(row: Row) -> str:
    return f"batch of {row['batch_size']}"


def _named(row: Row) -> str:
    processes = "1 process" if row["processes"] == 1 else f"{row['processes']} processes"
    daemon = "" if row["mps"] == "none" else f", MPS ({row['mps']} daemon)"
    return f"{processes}, {_batch(row)}{daemon}"
