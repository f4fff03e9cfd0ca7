"""Tables of docs/performance.md, drawn from the JSON files that `make bench` writes.

A table stands in a page between `<!-- bench: NAME -->` and `<!-- end -->`; what lies between is drawn anew.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from trtflow.formats import FormatError
from trtflow.formats.files import read_json
from trtflow.reporting.comparison import to_markdown
from trtflow.runtime.backend import processor_model

PLACE = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Found = Mapping[str, Any]
Rows = list[list[Any]]


def machine() -> dict[str, Any]:
    """Return what numbers of a run depend on: processor, cores, processes that wanted them when it began, and date."""
    name = processor_model() or platform.machine()
    load = round(os.getloadavg()[0], 1)
    return {"processor": name, "cores": os.cpu_count(), "load": load, "date": f"{datetime.now(timezone.utc):%Y-%m-%d}"}


def read_benchmarks(folder: Path) -> dict[str, Any]:
    """Return what the JSON files of a folder say, by their names without the ending."""
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


def fill_tables(page: Path, found: Mapping[str, Any]) -> str:
    """Return the text of a page with its tables drawn anew.

    Args:
        page: Markdown with places for tables.
        found: contents of files by name, as `read_benchmarks` returns them.

    Raises:
        FormatError: the page has a place for a table that there is not, or a file that a table needs is missing.
    """

    def fill(place: re.Match[str]) -> str:
        begin, name, end = place.groups()
        if name not in TABLES:
            raise FormatError(page, f"a place for a table {name!r}", f"There are {', '.join(TABLES)}.")
        source, draw = TABLES[name]
        if source not in found:
            raise FormatError(page, f"its table {name!r} needs {source}.json", "Run `make bench`, which writes it.")
        return f"{begin}\n{to_markdown(draw(found[source]))}\n{_told(found[source]['machine'])}\n{end}"

    return PLACE.sub(fill, page.read_text(encoding="utf-8"))


def _told(machine: Found) -> str:
    """Return the machine of a run in a line."""
    versions = [str(machine[name]) for name in ("onnxruntime", "openvino") if name in machine]
    vnni = [] if "vnni" not in machine else ["with VNNI" if machine["vnni"] else "without VNNI"]
    load = f"{machine['load']:g} processes on them at the start"
    parts = [machine["processor"], f"{machine['cores']} cores", load, *vnni, *versions, machine["date"]]
    return f"{', '.join(parts)}.\n"


def int8_rows(found: Found) -> Rows:
    """Return milliseconds of a picture of each network on all sides, and their ratios."""
    unit = "processor_ms" if found["threads"] == 1 else "median_ms"
    sides, ratios = _keys(found["rows"], "sides"), _keys(found["rows"], "ratios")
    rows: Rows = [["network", *sides, *ratios]]
    for row in found["rows"]:
        times = [_digits(row["sides"][side][unit]) if side in row["sides"] else "" for side in sides]
        rows.append([row["title"], *times, *(f"{row['ratios'][key]:.2f}" for key in ratios)])
    return rows


def _keys(rows: Sequence[Found], part: str) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row[part]))


def _digits(milliseconds: float) -> str:
    """Return three digits, as more say nothing."""
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.{0 if milliseconds >= 100 else 1}f}"


def accuracy_rows(found: Found) -> Rows:
    """Return how far the outputs of other precisions are from float32's."""
    rows: Rows = [["network, output", "fp16", "int8"]]
    for row in found["rows"]:
        for output in row["errors"].get("int8", {}):
            values = [row["errors"].get(kind, {}).get(output) for kind in ("fp16", "int8")]
            told = ["overflows" if value is None else f"{value:.4f}" for value in values]
            rows.append([f"{row['title']}, {output}", *told])
    return rows


def calibration_rows(found: Found) -> Rows:
    """Return tensors, seconds and memory of each side of a calibration."""
    rows: Rows = [["network", "pictures", "side", "tensors", "s", "processor s", "MiB"]]
    for run in found["runs"]:
        for side, row in run["sides"].items():
            numbers = [f"{row[key]:.1f}" for key in ("seconds", "processor_s")]
            rows.append([run["network"], run["pictures"], side, row["tensors"], *numbers, f"{row['peak_mib']:.0f}"])
    return rows


def planning_rows(found: Found) -> Rows:
    """Return processor seconds of dry runs, and how many times those of Snakemake's start they are."""
    own = found["planning"]["snakemake --version"]
    rows: Rows = [["planning", "processor s", "of `--version`"]]
    return rows + [[f"`{name}`", f"{s:.2f}", f"{s / own:.2f}"] for name, s in found["planning"].items()]


def jobs_rows(found: Found) -> Rows:
    """Return what a job takes that does next to nothing."""
    jobs = found["jobs"]
    head = ["at a time", "jobs", "median s of a job, work included", "overhead s", "most overhead s"]
    return [head, [jobs["cores"], jobs["jobs"], *(f"{jobs[key]:.2f}" for key in ("median s", "overhead s", "most s"))]]


def steps_rows(found: Found) -> Rows:
    """Return the overhead of the jobs of ssd, by step, those with the most first."""
    rows: Rows = [["step", "jobs", "s", "overhead of a job, s", "most, s"]]
    by_overhead = sorted(found["steps"], key=lambda row: row["rule"] == "all" or -row["overhead"] / row["jobs"])
    for row in by_overhead:
        each = row["overhead"] / row["jobs"]
        rows.append([f"`{row['rule']}`", row["jobs"], f"{row['seconds']:.1f}", f"{each:.2f}", f"{row['most']:.2f}"])
    return rows


def starts_rows(found: Found) -> Rows:
    """Return processor seconds of scripts up to `--help`, those of a tenth of a second together."""
    tenths: dict[int, list[str]] = {}
    for name, seconds in found["starts"].items():
        tenths.setdefault(int(seconds * 10), []).append(name)
    rows: Rows = [["processor s", "scripts", "which"]]
    for tenth, names in sorted(tenths.items()):
        rows.append([f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}", len(names), ", ".join(sorted(names))])
    return rows


def training_rows(found: Found) -> Rows:
    """Return what a step of training takes, ours and of a bare loop."""
    sides = {**found["sides"], "ratio": found["ratio"]}
    rows: Rows = [["side", "ms a step", "processor ms a step"]]
    for side, row in sides.items():
        digits = 3 if side == "ratio" else 0
        rows.append([side, *(f"{row[unit]:.{digits}f}" for unit in ("ms", "processor_ms"))])
    return rows


TABLES: dict[str, tuple[str, Callable[[Found], Rows]]] = {
    "int8": ("cpu_int8", int8_rows),
    "accuracy": ("cpu_int8", accuracy_rows),
    "calibration": ("calibration", calibration_rows),
    "planning": ("workflow", planning_rows),
    "jobs": ("workflow", jobs_rows),
    "steps": ("workflow", steps_rows),
    "starts": ("workflow", starts_rows),
    "training": ("training", training_rows),
}
