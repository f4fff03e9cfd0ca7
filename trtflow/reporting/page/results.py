"""A run's reports, and what lies beside them: pictures, layer times, calibration ranges, configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtflow.formats import FormatError
from trtflow.formats.damage import read_text
from trtflow.formats.dynamic_ranges import read_ranges
from trtflow.formats.files import read_json
from trtflow.reporting.report import read_report

SUFFIX = "_report.json"
INT8_LEVELS = 127  # a calibration table's scale is range / 127


@dataclass(frozen=True)
class Ranges:
    """The largest absolute value of each tensor that INT8 keeps, in network order, and what found it."""

    values: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Result:
    """A sample's report, with what lies in the folder of its name beside it; a report alone is enough.

    Attributes:
        report: content of `<sample>_report.json`.
        profiles: contents of those `profile.<precision>.json` that there are, in the report's order.
        losses: of `calibration/losses.json`, what INT8 loses of each tensor, in network order; empty without it.
        ranges: of `calibration/CalibrationTable<sample>` or `calibration/ranges.txt`.
        figures: those of the report's pictures that there are.
        config: text of `config.yaml`, the sample's effective configuration.
    """

    report: Mapping[str, Any]
    profiles: Sequence[Mapping[str, Any]]
    losses: Sequence[Mapping[str, Any]]
    ranges: Ranges | None
    figures: Sequence[Path]
    config: str | None


def read_result(path: Path) -> Result:
    """Read `<run>/<sample>_report.json` and what belongs to it.

    Raises:
        FormatError: a file that is there is damaged.
    """
    report = read_report(path)
    folder = path.parent / report["sample"]
    profiles = [folder / f"profile.{precision}.json" for precision in report["precisions"]]
    # a report names pictures from the workflow's folder, of which a run's may be anywhere
    figures = [path.parent.joinpath(*Path(figure).parts[1:]) for figure in report["figures"]]
    config, losses = folder / "config.yaml", folder / "calibration" / "losses.json"
    return Result(
        report,
        [read_json(profile) for profile in profiles if profile.exists()],
        read_json(losses)["tensors"] if losses.exists() else [],
        _ranges(folder / "calibration", report["sample"]),
        [figure for figure in figures if figure.exists()],
        read_text(config) if config.exists() else None,
    )


def _ranges(folder: Path, sample: str) -> Ranges | None:
    table, ranges = folder / f"CalibrationTable{sample}", folder / "ranges.txt"
    if table.exists():
        from trtflow.formats.calibration_table import read_table  # noqa: PLC0415 - NumPy, of which no other page has use

        found = read_table(table)
        values = {tensor: float(scale) * INT8_LEVELS for tensor, scale in found.scales.items()}
        return Ranges(values, f"TRT-{found.version}-{found.algorithm}")
    if ranges.exists():
        return Ranges(read_ranges(ranges), "the largest absolute values of the calibration batches")
    return None


def read_run(folder: Path) -> dict[str, Result]:
    """Return the results of a folder of reports by sample, in the guide's order.

    Raises:
        FormatError: there is no report in it, or one is damaged.
    """
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise FormatError(folder, f"no *{SUFFIX} in it", "Name the folder of a run, such as results.")
    return in_order([read_result(path) for path in paths])


def in_order(results: Sequence[Result]) -> dict[str, Result]:
    """Return results by sample, in the guide's order; samples of a user's own come last."""
    ordered = sorted(results, key=lambda result: (result.report["chapter"] or 99, result.report["sample"]))
    return {result.report["sample"]: result for result in ordered}
