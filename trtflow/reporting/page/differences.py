"""Two runs of the samples against each other, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
