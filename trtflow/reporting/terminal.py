"""Tables at the terminal: gates of reports, samples and how they stand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trtflow.cli import columns
from trtflow.formats import FormatError
from trtflow.reporting.report import read_report
from trtflow.reporting.tables import formatted, gate_rows

COLOURS = {"passed": "green", "failed": "bold red", "damaged": "bold red", "not run": "dim"}
GATES = ("sample", "gate", "value", "", "limit", "result")
WORD = 10  # characters of a word that even a narrow terminal keeps together
FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}


def show(heading: Sequence[str], rows: Sequence[Sequence[str]], result: int = -1) -> None:
    """Print a table: on a terminal in the colours of the column `result`, elsewhere as plain columns."""
    if sys.stdout.isatty():
        table = Table(box=SIMPLE_HEAD)
        for index, column in enumerate(zip(heading, *rows, strict=True)):
            longest = max((len(word) for cell in column for word in cell.split()), default=1)
            # names, which people copy, stay in one line; all else may go on in the next, between words
            table.add_column(heading[index], no_wrap=not index, min_width=min(longest, WORD) if index else longest)
        for row in rows:
            colour = next((colour for word, colour in COLOURS.items() if row[result].startswith(word)), "")
            cells = [Text(cell) for cell in row]
            cells[result].stylize(colour)
            table.add_row(*cells)
        Console().print(table)
        return
    print(columns(heading, rows))


def gate_lines(reports: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return a row a gate of each report, under the heading `GATES`."""
    return [[report["sample"], *map(formatted, row)] for report in reports for row in gate_rows(report)[1:]]


def sample_lines(reports: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return a row a report under the heading `GATES`: how many gates passed; and a row a gate that failed."""
    lines = []
    for report in reports:
        good, bad = ([gate for gate in report["gates"] if gate["passed"] is passed] for passed in (True, False))
        count = f"{len(good)} of {len(good) + len(bad)} gates"
        lines.append([report["sample"], count, "", "", "", "failed" if bad else "passed"])
        lines += [line for line in gate_lines([report]) if line[-1] == "failed"]
    return lines


def needs_of(sample: Mapping[str, Any], data: str = "mini") -> str:
    """Return what a sample of config/samples, or of the user's own, needs besides ONNX Runtime or TensorRT.

    Args:
        sample: its configuration, with that of its `full` laid over it where `data` is full.
        data: mini, or full, which takes published files.
    """
    model = sample["model"]
    if "file" in model:
        return str(model["file"])
    files = {item["file"] for item in sample.get("artefacts", [])} if data == "full" else set()
    needs = [f"{len(files)} published file{'s' if len(files) > 1 else ''}"] if files else []
    if "trained_by" in model and model.get("weights") != "published":
        needs.append(f"model of {model['trained_by']}")
    else:
        frameworks = sample["needs"] if "needs" in sample else [model["framework"]]
        needs += [FRAMEWORKS[name] for name in frameworks]
    if sample.get("plugins"):
        needs.append("C++ compiler")
    if sample.get("serving"):
        needs.append("MPS on a GPU")
    return ", ".join(needs)


def status_of(path: Path) -> str:
    """Return how a sample stands, by its report: passed, failed with the gates that did, damaged, or not run."""
    if not path.exists():
        return "not run"
    try:
        report = read_report(path)
    except FormatError:
        return "damaged report"
    how = f"{report['data']}, {report['backend']['name']}"
    beyond = {name for found in report["precisions"].values() for name in found.get("beyond_tensorrt", [])}
    if beyond:
        how += f", beyond TensorRT: {', '.join(sorted(beyond))}"
    failed = [gate["name"] for gate in report["gates"] if not gate["passed"]]
    return f"failed: {', '.join(failed)} ({how})" if failed else f"passed ({how})"
