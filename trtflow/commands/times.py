"""How long the jobs of a workflow took, by rule: what `trtflow list --times` prints.

Snakemake writes a table for each job to benchmarks/; the last line of a script's log says how much of that was start,
that is Python and imports. What is neither is Snakemake's shell and the end of the process.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from trtflow.cli import columns, json_text
from trtflow.formats import FormatError, UserError
from trtflow.formats.times import read_times

HEADING = ("rule", "jobs", "seconds", "work", "overhead", "a job", "most")


def print_times(folder: Path, as_json: bool) -> None:
    """Print a line a rule, those that took longest first, and one of all.

    Raises:
        UserError: there is nothing in benchmarks/.
    """
    found = times(folder)
    if not found:
        raise UserError(f"{folder / 'benchmarks'}: no times of any job. Make something first: snakemake all")
    if as_json:
        print(json_text(found))
        return
    rows = sorted(found, key=lambda row: -row["seconds"])
    print(columns(HEADING, [_cells(row) for row in [*rows, total(rows)]]))


def times(folder: Path) -> list[dict[str, Any]]:
    """Return for each rule its jobs and their seconds: all, work, overhead, and the most overhead of one.

    Work and overhead are None where no log of the rule says them.
    """
    rules: dict[str, list[tuple[float, float | None]]] = {}
    for path in sorted((folder / "benchmarks").rglob("*.tsv")):
        log = folder / "logs" / path.relative_to(folder / "benchmarks").with_suffix(".log")
        said = read_times(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else None
        seconds = _seconds(path)
        rules.setdefault(path.name.partition(".")[0], []).append((seconds, said and max(seconds - said[1], 0)))
    return [_row(rule, jobs) for rule, jobs in rules.items()]


def _seconds(path: Path) -> float:
    """Return the seconds of a job, of its last run.

    Raises:
        FormatError: the file is no table of Snakemake's.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return float(rows[-1]["s"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise FormatError(path, "no table of Snakemake's benchmarks", "Delete it, and make its job again.") from error


def _row(rule: str, jobs: list[tuple[float, float | None]]) -> dict[str, Any]:
    overheads = [overhead for _, overhead in jobs if overhead is not None]
    known = len(overheads) == len(jobs)
    seconds, overhead = sum(seconds for seconds, _ in jobs), sum(overheads) if known else None
    work = None if overhead is None else round(seconds - overhead, 2)
    most = max(overheads) if overheads else None
    parts = {"work": work, "overhead": None if overhead is None else round(overhead, 2), "most": most}
    return {"rule": rule, "jobs": len(jobs), "seconds": round(seconds, 2), **parts}


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of all rules; work and overhead are those of the rules that have them."""
    known = [row for row in rows if row["overhead"] is not None]
    sums = {key: round(sum(row[key] for row in known), 2) if known else None for key in ("work", "overhead")}
    most = max((row["most"] for row in rows if row["most"] is not None), default=None)
    seconds = {key: sum(row[key] for row in rows) for key in ("jobs", "seconds")}
    return {"rule": "all", **seconds, **sums, "most": most}


def _cells(row: dict[str, Any]) -> list[str]:
    each = None if row["overhead"] is None else row["overhead"] / row["jobs"]
    numbers = [row["seconds"], row["work"], row["overhead"], each, row["most"]]
    return [row["rule"], str(row["jobs"]), *("" if number is None else f"{number:.2f}" for number in numbers)]
