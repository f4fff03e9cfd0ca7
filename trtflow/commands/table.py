"""Read INT8 calibration tables, turn them into dynamic ranges and back, and compare two.

examples:
  trtflow table read CalibrationTable
  trtflow table to-ranges CalibrationTable ranges.txt
  trtflow table to-table ranges.txt CalibrationTable --version 8601
  trtflow table compare gpu/CalibrationTable cpu/CalibrationTable

A table has TensorRT's own form: a header with version and algorithm, then a scale a tensor. Ranges are what
sampleINT8API reads, a line `tensor:largest absolute value` each. `compare` exits with 1 where tables differ.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from trtflow.cli import columns, json_text

NAMED = 20  # tensors of each kind that `compare` lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own commands and their options."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    read = actions.add_parser("read", help="print a table: a tensor, its scale and its range a line")
    read.add_argument("table", type=Path, help="calibration table")
    read.add_argument("--json", action="store_true", help="print JSON")
    ranges = actions.add_parser("to-ranges", help="write a table's ranges as sampleINT8API reads them")
    ranges.add_argument("table", type=Path, help="calibration table")
    ranges.add_argument("ranges", type=Path, help="file to write")
    table = actions.add_parser("to-table", help="write ranges as a table; to the bit the one that they came from")
    table.add_argument("ranges", type=Path, help="file of dynamic ranges")
    table.add_argument("table", type=Path, help="calibration table to write")
    table.add_argument("--version", default="8600", help="TensorRT that is to use it: 8600 (the default) for 8.6.0")
    text = "calibrator that is to read it: EntropyCalibration2 (the default), EntropyCalibration, MinMaxCalibration"
    table.add_argument("--algorithm", default="EntropyCalibration2", help=text)
    compare = actions.add_parser("compare", help="tell which scales of two tables differ")
    compare.add_argument("first", type=Path, help="calibration table")
    compare.add_argument("second", type=Path, help="the one that it is compared with")
    text = "largest relative difference that counts as equal; default: 2e-6, rounding"
    compare.add_argument("--tolerance", type=tolerance, help=text)
    compare.add_argument("--json", action="store_true", help="print JSON")


def tolerance(text: str) -> float:
    """Return a relative difference, a number from 0 on."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def main(options: argparse.Namespace) -> None:
    """Do what the command line asks for.

    Raises:
        UserError: a file is damaged, or there is no such algorithm or version.
    """
    actions = {"read": _read, "to-ranges": _to_ranges, "to-table": _to_table, "compare": _compare}
    actions[options.action](options)


def _read(options: argparse.Namespace) -> None:
    from trtflow.inspection.scales import describe_table  # noqa: PLC0415 - help needs no NumPy

    described = describe_table(options.table)
    print(json_text(described.to_json()) if options.json else described.to_text())


def _to_ranges(options: argparse.Namespace) -> None:
    from trtflow.calibration.tables import ranges_of  # noqa: PLC0415
    from trtflow.formats import FormatError  # noqa: PLC0415
    from trtflow.formats.calibration_table import read_table  # noqa: PLC0415
    from trtflow.formats.dynamic_ranges import write_ranges  # noqa: PLC0415

    ranges = ranges_of(read_table(options.table).scales)
    if not ranges:
        raise FormatError(options.table, "there are no scales in it", "Calibrate again.")
    infinite = [name for name, value in ranges.items() if value == float("inf")]
    if infinite:
        raise FormatError(options.table, f"the scale of tensor {infinite[0]!r} is infinite", "Calibrate again.")
    write_ranges(options.ranges, ranges)
    print(f"{options.ranges}: ranges of {len(ranges)} tensors")


def _to_table(options: argparse.Namespace) -> None:
    from trtflow.calibration.tables import scales_of  # noqa: PLC0415
    from trtflow.formats import UserError  # noqa: PLC0415
    from trtflow.formats.calibration_table import ALGORITHMS, CalibrationTable, write_table  # noqa: PLC0415
    from trtflow.formats.dynamic_ranges import read_ranges  # noqa: PLC0415

    if options.algorithm not in ALGORITHMS:
        raise UserError(f"unknown algorithm {options.algorithm!r}. Known: {', '.join(ALGORITHMS)}.")
    if not options.version.isdecimal():
        raise UserError(f"version {options.version!r} is not as a table's header has it: 8600 for 8.6.0.")
    scales = scales_of(read_ranges(options.ranges), str(options.ranges))
    table = CalibrationTable(options.version, options.algorithm, scales)
    write_table(options.table, table)
    print(f"{options.table}: {table.header}, scales of {len(scales)} tensors")


def _compare(options: argparse.Namespace) -> None:
    from trtflow.calibration.tables import EQUAL, compare_tables  # noqa: PLC0415
    from trtflow.formats.calibration_table import read_table  # noqa: PLC0415

    tolerance = EQUAL if options.tolerance is None else options.tolerance
    first, second = read_table(options.first), read_table(options.second)
    compared = {"headers": [first.header, second.header], **compare_tables(first, second, tolerance)}
    print(json_text(compared) if options.json else _told(compared, tolerance))
    if compared["differing"] or compared["only_first"] or compared["only_second"]:
        sys.exit(1)


def _told(compared: dict, tolerance: float) -> str:
    """Return a comparison as text: what differs most comes first, the count last."""
    parts = []
    differing = sorted(compared["differing"].items(), key=lambda item: -item[1]["relative"])
    if differing:
        rows = [(name, f"{entry['relative']:.3g}") for name, entry in differing[:NAMED]]
        parts.append(columns(("tensor", "relative difference"), rows))
    for key in ("only_first", "only_second"):
        if compared[key]:
            more = ", …" if len(compared[key]) > NAMED else ""
            parts.append(f"{key.replace('_', ' the ')}: {', '.join(compared[key][:NAMED])}{more}")
    if len(set(compared["headers"])) > 1:
        parts.append(f"headers: {compared['headers'][0]} and {compared['headers'][1]}")
    counts = f"{compared['equal']} of {compared['common']} tensors equal to {tolerance:g}"
    return "\n".join([*parts, f"{counts}; largest difference {compared['largest']:.3g}"])
