"""Files that say what INT8 is made of: calibration tables and dynamic ranges."""

from __future__ import annotations

from pathlib import Path

from trtflow.calibration.tables import STEPS, ranges_of
from trtflow.formats.calibration_table import LEGACY, read_table
from trtflow.formats.dynamic_ranges import read_ranges
from trtflow.inspection.description import Description, Range


def describe_table(path: Path) -> Description:
    """Return what a calibration table holds.

    Raises:
        FormatError: it is damaged, or no table.
    """
    table = read_table(path)
    facts = {"algorithm": table.algorithm, "TensorRT": table.version}
    if table.algorithm == LEGACY:
        facts = {"algorithm": LEGACY, "cutoff": f"{table.cutoff:g}", "quantile": f"{table.quantile:g}"}
    ranges = [Range(name, float(table.scales[name]), value) for name, value in ranges_of(table.scales).items()]
    return Description(str(path), "calibration table", facts, ranges=ranges)


def describe_ranges(path: Path) -> Description:
    """Return what a file of dynamic ranges holds.

    Raises:
        FormatError: it is damaged, or holds no ranges.
    """
    ranges = [Range(name, value / STEPS, value) for name, value in read_ranges(path).items()]
    return Description(str(path), "dynamic ranges", ranges=ranges)
