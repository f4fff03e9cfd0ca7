"""A report's numbers as tables: CSV for programs, a self-contained page for `snakemake --report`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Row = Sequence[Any]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } caption { text-align: left; color: #666; padding-bottom: .4rem; }
th, td { padding: .35rem .9rem; border-bottom: 1px solid #ddd; text-align: right; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #888; }
pre { font-size: .8rem; line-height: 1.15; overflow-x: auto; }
.passed { color: #00694c; } .failed { color: #b00020; font-weight: bold; }
"""


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
    rows: list[Row] = [[*head, "queries/s", "images/s"]]
    for precision, entry in report["precisions"].items():
        for row in entry.get("timing", []):
            graph = "yes" if row.get("cuda_graph") else "no"
            median = row["latency_ms"]["median"]
            rows.append([precision, row["batch_size"], graph, median, *(row[part] for part in parts)])
    return rows


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


def to_html(report: Mapping[str, Any]) -> str:
    """Return a page with all tables that needs no other file."""
    title = f"{report['title']}: {'passed' if report['passed'] else 'failed'}"
    runtime = "{name} {version} on {device}".format_map(report["backend"])
    columns = list(zip(*precision_rows(report), strict=True))  # fits on a screen, as rows do not
    place = f"Guide chapter {report['chapter']}, {report['upstream']}" if report["chapter"] else "Your own"
    source = f"{place}; {report['data']} data"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n<p>{escape(source)}.</p>\n"
        f"<h2>Gates</h2>\n{_table(gate_rows(report), '')}"
        f"<h2>Precisions</h2>\n{_table(columns, runtime)}"
        f"<h2>Timing</h2>\n{_table(timing_rows(report), 'Medians of a query, measured as trtexec does')}"
        f"{_serving(serving_rows(report))}"
        f"{''.join(_text(name, lines) for name, lines in report.get('texts', {}).items())}"
        "</body>\n</html>\n"
    )


def _serving(rows: Sequence[Row]) -> str:
    return f"<h2>Processes</h2>\n{_table(rows, 'Queries a second of all processes together')}" if rows[1:] else ""


def _text(name: str, lines: Sequence[str]) -> str:
    return f"<h2>{escape(name.capitalize())}</h2>\n<pre>{escape(chr(10).join(lines))}</pre>\n"


def _table(rows: Sequence[Row], caption: str) -> str:
    head, *body = rows
    lines = [f"<caption>{escape(caption)}</caption>"] if caption else []
    lines.append("<thead><tr>" + "".join(f"<th>{escape(str(cell))}</th>" for cell in head) + "</tr></thead>")
    lines += ["<tr>" + "".join(map(_cell, row)) + "</tr>" for row in body]
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def _cell(value: Any) -> str:
    marked = f' class="{value}"' if value in ("passed", "failed") else ""
    return f"<td{marked}>{escape(formatted(value))}</td>"
