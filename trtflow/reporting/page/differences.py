"""Two runs of the samples against each other, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import geometric_mean
from typing import Any

from trtflow.reporting.comparison import leading_metric
from trtflow.reporting.page.results import Result, in_order
from trtflow.reporting.page.words import metric

NOTABLE = 0.01  # a difference that is pointed out, of metrics up to 1; of larger ones, this share


@dataclass(frozen=True)
class Run:
    """A run by the name that the page gives it, with its results by sample."""

    name: str
    results: Mapping[str, Result]


@dataclass(frozen=True)
class Row:
    """A number of both runs; None where a run has none."""

    label: str
    unit: str
    values: tuple[float | None, float | None]

    @property
    def difference(self) -> float | None:
        """The second less the first."""
        first, second = self.values
        return None if first is None or second is None else second - first

    @property
    def ratio(self) -> float | None:
        """The first by the second: how many times as fast or as small the second is."""
        first, second = self.values
        return first / second if first and second else None


@dataclass(frozen=True)
class Compared:
    """A sample in both runs, or in one of them.

    Attributes:
        rows: metrics, medians of latency and sizes, by precision.
        gates: by name, the gate in each run; None where a run has none.
        notes: what is worth a look: gates with another result, metrics that differ, another configuration.
    """

    sample: str
    title: str
    reports: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
    rows: Mapping[str, list[Row]]
    gates: Mapping[str, tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]
    notes: list[str] = field(default_factory=list)


def compare_runs(first: Run, second: Run) -> dict[str, Compared]:
    """Return the samples of either run, in the guide's order."""
    every = in_order([*{**first.results, **second.results}.values()])
    return {name: compare_sample(name, first, second) for name in every}


@dataclass(frozen=True)
class Summary:
    """All samples of a precision that both runs have.

    Attributes:
        precision: its name.
        samples: how many have it in both runs.
        faster: how many times as fast the second run is as the first, the geometric mean; None where none is timed.
        slowest, fastest: the least and the most of it.
        smaller: how many times as small the second run's engines are, the geometric mean.
        largest: the metric that differs most, as a row of its sample; None where none is in both.
        sample: that it is of.
    """

    precision: str
    samples: int
    faster: float | None
    slowest: float | None
    fastest: float | None
    smaller: float | None
    largest: Row | None
    sample: str


def summarise(compared: Mapping[str, Compared]) -> list[Summary]:
    """Return a summary a precision, of the samples of both runs."""
    names = dict.fromkeys(precision for entry in compared.values() for precision in entry.rows)
    return [_summary(precision, compared) for precision in names]


def _summary(precision: str, compared: Mapping[str, Compared]) -> Summary:
    rows = {name: entry.rows[precision] for name, entry in compared.items() if precision in entry.rows}
    speeds, sizes = ([ratio for row in rows.values() if (ratio := row[place].ratio)] for place in (1, 2))
    differing = {name: row[0] for name, row in rows.items() if row[0].difference is not None}
    sample = max(differing, key=lambda name: abs(differing[name].difference or 0.0), default="")
    return Summary(
        precision,
        len(rows),
        geometric_mean(speeds) if speeds else None,
        min(speeds, default=None),
        max(speeds, default=None),
        geometric_mean(sizes) if sizes else None,
        differing.get(sample),
        sample,
    )


def compare_sample(name: str, first: Run, second: Run) -> Compared:
    """Return one sample of two runs."""
    one, other = (run.results[name].report if name in run.results else None for run in (first, second))
    either = one or other or {}
    compared = Compared(name, either["title"], (one, other), _rows(one, other), _gates(one, other))
    compared.notes.extend(_notes(compared, first.name, second.name))
    return compared


def _rows(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, list[Row]]:
    entries = [report["precisions"] if report else {} for report in (one, other)]
    return {
        precision: _engine_rows(entries[0].get(precision), entries[1].get(precision))
        for precision in dict.fromkeys([*entries[0], *entries[1]])
    }


def _engine_rows(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[Row]:
    """Return the metric that the sample is known by, median latency and size of an engine in both runs."""
    known_by = leading_metric(one or other or {})
    places = (
        (known_by, "", "metrics", known_by),
        ("latency", "ms", "latency_ms", "median"),
        ("size", "bytes", "engine_bytes"),
    )
    return [Row(label, unit, (_leaf(one, keys), _leaf(other, keys))) for label, unit, *keys in places]


def _leaf(entry: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        entry = (entry or {}).get(key)
    return entry


def _gates(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    gates = [{gate["name"]: gate for gate in (report or {}).get("gates", [])} for report in (one, other)]
    return {name: (gates[0].get(name), gates[1].get(name)) for name in dict.fromkeys([*gates[0], *gates[1]])}


def _notes(compared: Compared, first: str, second: str) -> list[str]:
    """Return what is worth a look; nothing of a sample that one run has not."""
    one, other = compared.reports
    if one is None or other is None:
        return []
    notes = []
    for name, (gate, same) in compared.gates.items():
        if gate and same and gate["passed"] != same["passed"]:
            passed, failed = (first, second) if gate["passed"] else (second, first)
            notes.append(f"Gate {name} passed in {passed} and failed in {failed}.")
    for precision, (row, *_) in compared.rows.items():
        scale = max(1.0, *(abs(value or 0.0) for value in row.values))
        if row.difference is not None and abs(row.difference) > NOTABLE * scale:
            notes.append(f"{metric(row.label)} of {precision} differs by {row.difference:+.4g}.")
    if one["data"] != other["data"]:
        notes.append(f"Other data: {one['data']} in {first}, {other['data']} in {second}.")
    elif one["provenance"]["config_sha256"] != other["provenance"]["config_sha256"]:
        notes.append("The configurations differ.")
    return notes
