"""Pages from the templates in report/page: all samples at a glance, one sample, two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from trtflow.reporting.comparison import leading_metric
from trtflow.reporting.page import words
from trtflow.reporting.page.differences import Run, compare_runs, summarise
from trtflow.reporting.page.pictures import THUMBNAIL, Picture, inline
from trtflow.reporting.page.results import Ranges, Result
from trtflow.reporting.tables import serving_rows, timing_rows

CAPTIONS = Path(__file__).resolve().parents[3] / "report"
TEMPLATES = CAPTIONS / "page"
COSTLIEST = 15  # layers of a profile that are shown at once
PLOTS = ("precisions", "profile", "training", "serving")  # pictures that stand behind the others
# that are lines on white, and may be turned to white on black
DRAWN = (*PLOTS, "confusion", "labels", "scatter", "ranking")


@cache
def environment() -> Environment:
    """Return the templates with the filters that they use; whatever is put in is escaped."""
    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters.update(
        breakable=words.breakable,
        metric=words.metric,
        ms=words.milliseconds,
        number=words.number,
        runtime=words.runtime,
        score=words.score,
        size=words.size,
        times=words.times,
        picture=words.figure,
        text_heading=words.text,
    )
    style = (TEMPLATES / "page.css").read_text()
    templates.globals.update(drawn=DRAWN, style=Markup(style), leading=leading_metric, picture_of=picture_of)
    return templates


def index_page(results: Mapping[str, Result], linked: Collection[str] = (), comparison: str | None = None) -> str:
    """Return the page of all samples.

    Args:
        results: by sample, in the order of the page.
        linked: samples whose `<sample>/index.html` lies beside the page.
        comparison: address of a page that compares two runs, to be linked to.
    """
    reports = [result.report for result in results.values()]
    gates = [(report["sample"], gate) for report in reports for gate in report["gates"]]
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            results=results,
            reports=reports,
            gates=gates,
            failed=[(sample, gate) for sample, gate in gates if not gate["passed"]],
            backends=list(dict.fromkeys(words.runtime(report["backend"]) for report in reports)),
            precisions=precisions_of(reports),
            thumbnails={name: thumbnail(result) for name, result in results.items()},
            linked=linked,
            comparison=comparison,
        )
    )


def sample_page(result: Result, index: str | None = "../index.html") -> str:
    """Return the page of a sample; `index` is the address of the page of all samples, to be linked to."""
    report = result.report
    entries = report["precisions"]
    pictures = {path.stem: inline(path) for path in result.figures}
    return (
        environment()
        .get_template("sample.html.j2")
        .render(
            report=report,
            metrics=list(dict.fromkeys(name for entry in entries.values() for name in entry["metrics"])),
            slowest=max(entry["latency_ms"]["median"] for entry in entries.values()),
            gates=[(gate, *gauge(gate)) for gate in report["gates"]],
            pictures={stem: picture for stem, picture in pictures.items() if stem not in PLOTS},
            plots={stem: picture for stem, picture in pictures.items() if stem in PLOTS},
            captions={stem: caption(stem, report["sample"]) for stem in pictures},
            missing=len(report["figures"]) - len(pictures),
            layers=layer_rows(result.profiles),
            profiles={profile["precision"]: profile for profile in result.profiles},
            costliest=COSTLIEST,
            losses=loss_rows(result.losses),
            target_metrics=target_metrics,
            ranges=result.ranges,
            range_rows=range_rows(result.ranges),
            details=detail_tables(entries),
            timing=timing_rows(report),
            serving=serving_rows(report),
            config=result.config,
            index=index,
        )
    )


def comparison_page(first: Run, second: Run) -> str:
    """Return the page of two runs side by side."""
    compared = compare_runs(first, second)
    both = {name: entry for name, entry in compared.items() if all(entry.reports)}
    alone = {run.name: [name for name in run.results if name not in both] for run in (first, second)}
    pictures = {
        sample: {run.name: picture for run in (first, second) if (picture := thumbnail(run.results[sample]))}
        for sample in both
    }
    return (
        environment()
        .get_template("comparison.html.j2")
        .render(
            first=first,
            second=second,
            compared=both,
            alone=alone,
            pictures=pictures,
            summary=summarise(both),
        )
    )


def precisions_of(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the precisions that any of the reports has, the highest first."""
    found = {precision for report in reports for precision in report["precisions"]}
    return [precision for precision in ("fp32", "fp16", "int8", "best") if precision in found]


def thumbnail(result: Result) -> Picture | None:
    """Return the first of a sample's pictures, small."""
    return inline(result.figures[0], THUMBNAIL) if result.figures else None


def picture_of(report: Mapping[str, Any]) -> str:
    """Return the name of the first of a sample's pictures."""
    return words.figure(Path(report["figures"][0]).stem)


def caption(stem: str, sample: str) -> str:
    """Return the caption that `snakemake --report` gives a picture, as plain text; nothing where it gives none."""
    path = CAPTIONS / f"{stem}.rst"
    if not path.exists():
        return ""
    text = Template(path.read_text()).render(snakemake={"wildcards": {"sample": sample}})
    return words.without_markup(text)


def gauge(gate: Mapping[str, Any]) -> tuple[float, float]:
    """Return how far the value and the limit of a gate reach on a scale from 0 to 1."""
    value, limit = abs(gate["value"] or 0.0), abs(gate["limit"])
    scale = max(value, 1.25 * limit) or 1.0
    return value / scale, limit / scale


def layer_rows(profiles: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, float], float]]:
    """Return the layers, the costliest first: name, milliseconds by precision, share of the costliest of all."""
    times: dict[str, dict[str, float]] = {}
    for profile in profiles:
        for layer in profile["layers"]:
            times.setdefault(layer["name"], {})[profile["precision"]] = layer["ms"]
    longest = max((max(row.values()) for row in times.values()), default=0.0) or 1.0
    rows = [(name, row, max(row.values()) / longest) for name, row in times.items()]
    return sorted(rows, key=lambda row: -row[2])


def range_rows(ranges: Ranges | None) -> list[tuple[str, float, float]]:
    """Return the tensors in network order: name, range, its place between least and largest, by logarithm."""
    if ranges is None:
        return []
    logarithms = [math.log10(value) for value in ranges.values.values() if value > 0]
    low, high = min(logarithms, default=0.0) - 0.1, max(logarithms, default=0.0)
    return [
        (tensor, value, (math.log10(value) - low) / (high - low) if value > 0 else 0.0)
        for tensor, value in ranges.values.items()
    ]


def _matrix_rows(matrix: Sequence[Sequence[float]]) -> list[list[Any]]:
    """Return a matrix with a heading: a row a true class, a column a found one, the last of what is none."""
    classes = [str(place) for place in range(len(matrix))]
    heading = ["true, found", *classes, *["none"] * (len(matrix[0]) - len(classes))]
    return [heading, *([name, *row] for name, row in zip(classes, matrix, strict=True))]


def target_metrics(target: Mapping[str, Any]) -> list[str]:
    """Return the metrics that a runtime gives of any precision."""
    return list(dict.fromkeys(name for entry in target["precisions"].values() for name in entry.get("metrics", {})))


def loss_rows(losses: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], float]]:
    """Return what INT8 loses of tensors, those that lose most first, each with its place between worst and best."""
    known = [loss for loss in losses if loss["snr_db"] is not None]
    least = min((loss["snr_db"] for loss in known), default=0.0)
    spread = max((loss["snr_db"] for loss in known), default=0.0) - least or 1.0
    lost: list[tuple[Mapping[str, Any], float]] = [(loss, 0.0) for loss in losses if loss["snr_db"] is None]
    return [
        *lost,
        *((loss, (loss["snr_db"] - least) / spread) for loss in sorted(known, key=lambda one: one["snr_db"])),
    ]


def detail_tables(precisions: Mapping[str, Mapping[str, Any]]) -> dict[str, list[list[Any]]]:
    """Return what the score says of each class, as tables: a heading, then a row a class and a column a precision.

    A matrix, which says what each class was taken for, is a table a precision.
    """
    tables: dict[str, list[list[Any]]] = {}
    first = next(iter(precisions.values())).get("details", {})
    for name, values in first.items():
        if not isinstance(values, Mapping | Sequence) or isinstance(values, str):
            continue
        if isinstance(values, Sequence) and values and isinstance(values[0], Sequence):
            matrices = {key: entry["details"][name] for key, entry in precisions.items() if name in entry["details"]}
            tables |= {f"{name}, {precision}": _matrix_rows(matrix) for precision, matrix in matrices.items()}
            continue
        keys = list(values) if isinstance(values, Mapping) else list(range(len(values)))
        columns = [entry.get("details", {}).get(name) for entry in precisions.values()]
        rows = [[key, *(column[key] if column else None for column in columns)] for key in keys]
        tables[name] = [["", *precisions], *rows]
    return tables
