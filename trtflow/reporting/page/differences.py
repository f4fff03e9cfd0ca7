"""Two runs of the samples against each other, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trtflow.reporting.comparison import leading_metric
from trtflow.reporting.page.results import Result, in_order

NOTABLE = 0.01  # a difference in a metric, absolute or of its value, that is pointed out


@dataclass(frozen=True)
class Run:
    """A run by the name that the page gives it, with its results by sample."""

    name: str
    results: Mapping[str, Result]


@dataclass(frozen=True)
class Row:
    """A number of both runs; None where a run has none."""

    label: str
    precision: str
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
    rows: list[Row]
    gates: dict[str, tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]
    notes: list[str] = field(default_factory=list)


def compare_runs(first: Run, second: Run) -> dict[str, Compared]:
    """Return the samples of either run, in the guide's order."""
    every = in_order([*(first.results | second.results).values()])
    return {name: compare_sample(name, first, second) for name in every}


def compare_sample(name: str, first: Run, second: Run) -> Compared:
    """Return one sample of two runs."""
    one, other = (run.results[name].report if name in run.results else None for run in (first, second))
    either = one or other or {}
    compared = Compared(name, either["title"], (one, other), _rows(one, other), _gates(one, other))
    compared.notes.extend(_notes(compared, first.name, second.name))
    return compared


def _rows(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[Row]:
    entries = [report["precisions"] if report else {} for report in (one, other)]
    rows = []
    for precision in dict.fromkeys([*entries[0], *entries[1]]):
        pair = [entry.get(precision) for entry in entries]
        metric = leading_metric(next(entry for entry in pair if entry))

        def both(*keys: str, pair: list[Any] = pair) -> tuple[Any, Any]:
            first, second = (_leaf(entry, keys) for entry in pair)
            return first, second

        rows += [
            Row(metric, precision, "", both("metrics", metric)),
            Row("latency", precision, "ms", both("latency_ms", "median")),
            Row("size", precision, "bytes", both("engine_bytes")),
        ]
    return rows


def _leaf(entry: Any, keys: tuple[str, ...]) -> Any:
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
    for row in compared.rows:
        if row.unit == "" and row.difference is not None and abs(row.difference) > NOTABLE * max(1, *map(abs, row.values)):  # type: ignore[arg-type]
            notes.append(f"{row.label} of {row.precision} differs by {row.difference:+.4g}.")
    if one["data"] != other["data"]:
        notes.append(f"Other data: {one['data']} in {first}, {other['data']} in {second}.")
    elif one["provenance"]["config_sha256"] != other["provenance"]["config_sha256"]:
        notes.append("The configurations differ.")
    return notes
