"""Calibration tables and dynamic ranges: one as the other, one table beside another, and one that is there already."""

from __future__ import annotations

import codecs
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.calibration_table import CalibrationTable, read_table
from trtflow.formats.dynamic_ranges import read_ranges

STEPS = 127  # of INT8, on either side of 0
EQUAL = 2e-6  # relative: a unit or two in the last place of what tables hold
TABLE_BEGINS = (b"TRT-", b"0 ")  # the latter of the Legacy calibrator's; a range has no space in front of its number
logger = logging.getLogger(__name__)


def ranges_of(scales: Mapping[str, np.float32]) -> dict[str, float]:
    """Return the range of each tensor, the largest absolute value: 127 times its scale, exactly."""
    return {name: float(scale) * STEPS for name, scale in scales.items()}


def scales_of(ranges: Mapping[str, float], source: str) -> dict[str, np.float32]:
    """Return the scale of each tensor, the nearest float32 to range / 127; `ranges_of` undone.

    Args:
        ranges: by tensor.
        source: what an error calls them.

    Raises:
        UserError: a range is beyond what a float32 scale can say.
    """
    scales = {}
    for name, value in ranges.items():
        with np.errstate(over="ignore"):
            scales[name] = np.float32(value / STEPS)
        if not np.isfinite(scales[name]):
            raise UserError(f"{source}: the range of tensor {name!r} is {value:g}, too large for a scale. Correct it.")
    return scales


def take_table(path: Path, version: str, algorithm: str, *, foreign: bool = False) -> CalibrationTable:
    """Return the table that a builder of this version and algorithm can have, given one that is there already.

    Args:
        path: a calibration table, or a file of dynamic ranges, which belong to no version.
        version: of TensorRT, as tables have it: 8600.
        algorithm: one of `ALGORITHMS`.
        foreign: take the scales of a table of another version or algorithm as they are, with a warning.

    Raises:
        FormatError: it is damaged, has no scales, or is of another version or algorithm and `foreign` is not set.
        UserError: a range is beyond what a float32 scale can say.
    """
    if not _is_table(path.read_bytes()):
        return CalibrationTable(version, algorithm, scales_of(read_ranges(path), str(path)))
    table = read_table(path)
    if not table.scales:
        raise FormatError(path, "there are no scales in it", "Give another table, or leave it out to calibrate.")
    if table.is_of(version, algorithm):
        return table
    if not foreign:
        fault = f"it was made by TRT-{table.version}-{table.algorithm}, and TRT-{version}-{algorithm} is to use it"
        raise FormatError(path, fault, "Calibrate again, or take its scales as they are with calibration.foreign.")
    logger.warning("%s: made by %r; its scales are taken as they are", path, table.header)
    return replace(table, version=version, algorithm=algorithm)


def _is_table(data: bytes) -> bool:
    """Whether a file is a calibration table and no list of ranges, in an encoding that TensorRT does not read too."""
    begins = data[:16].removeprefix(codecs.BOM_UTF8)
    if begins.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        begins = begins.replace(b"\0", b"")[2:]  # of ASCII every second byte is nought
    return begins.startswith(TABLE_BEGINS)


def compare_tables(first: CalibrationTable, second: CalibrationTable, equal: float = EQUAL) -> dict[str, Any]:
    """Return how many tensors of two tables are equal, and those that differ with their relative difference.

    Args:
        first, second: the tables; differences are in parts of the second's scale.
        equal: the largest relative difference of scales that count as equal.

    Returns:
        `common` and `equal`, numbers of tensors; `largest`, the largest difference; `differing`, of each tensor that
        differs its `relative` difference; `only_first` and `only_second`, names.
    """
    common = [name for name in first.scales if name in second.scales]
    off = {name: _relative(float(first.scales[name]), float(second.scales[name])) for name in common}
    differing = {name: {"relative": value} for name, value in off.items() if value > equal}
    return {
        "common": len(common),
        "equal": len(common) - len(differing),
        "largest": max(off.values(), default=0.0),
        "differing": differing,
        "only_first": [name for name in first.scales if name not in second.scales],
        "only_second": [name for name in second.scales if name not in first.scales],
    }


def _relative(value: float, reference: float) -> float:
    """Return a relative difference; infinite where one of the two is 0 or infinite and the other is not."""
    if value == reference:
        return 0.0
    off = abs(value - reference) / abs(reference) if reference else math.inf
    return off if math.isfinite(off) else math.inf
