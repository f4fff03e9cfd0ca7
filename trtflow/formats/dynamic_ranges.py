"""Per-tensor dynamic ranges as sampleINT8API reads them: a line `<tensor>:<largest absolute value>` each (guide §9)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_text

AGAIN = "Correct the line, or record the ranges again with scripts/record_ranges.py."
MOST_NAMED = 10  # tensors that an error names


def read_ranges(path: Path) -> dict[str, float]:
    """Return the range of each tensor, in the file's order.

    Raises:
        FormatError: a line is no range, a range is negative or not finite, or a tensor has two, or there is none.
    """
    ranges: dict[str, float] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            tensor, value = _entry(path, number, line)
            if tensor in ranges:
                raise FormatError(path, f"line {number}: a second range of tensor {tensor!r}", AGAIN)
            ranges[tensor] = value
    if not ranges:
        raise FormatError(path, "there are no ranges in it", AGAIN)
    return ranges


def _entry(path: Path, number: int, line: str) -> tuple[str, float]:
    tensor, _, text = line.rpartition(":")  # tensors may have colons in their names
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not tensor or (math.isnan(value) and text.strip().lower() != "nan"):
        raise FormatError(path, f"line {number}: {line[:60]!r} is not <tensor>:<largest absolute value>", AGAIN)
    if not math.isfinite(value) or value < 0:
        fault = f"line {number}: the range of tensor {tensor!r} is {value}, not a number from 0 on"
        raise FormatError(path, fault, AGAIN)
    return tensor, value


def write_ranges(path: Path, ranges: Mapping[str, float]) -> None:
    """Write ranges, with the digits that tell one float32 from another."""
    write_text(path, "".join(f"{tensor}:{value:.9g}\n" for tensor, value in ranges.items()))


def check_ranges(path: Path, ranges: Mapping[str, float], tensors: Sequence[str]) -> None:
    """Compare the tensors of a ranges file with a network's.

    Raises:
        FormatError: a tensor has no range, or a range belongs to no tensor; both are named.
    """
    missing = [tensor for tensor in tensors if tensor not in ranges]
    known = set(tensors)
    unknown = [tensor for tensor in ranges if tensor not in known]
    faults = [
        f"{len(names)} {what}: {', '.join(names[:MOST_NAMED])}{', ...' if len(names) > MOST_NAMED else ''}"
        for names, what in ((missing, "tensors without a range"), (unknown, "ranges of unknown tensors"))
        if names
    ]
    if faults:
        remedy = "scripts/write_tensors.py lists the network's tensors; scripts/record_ranges.py records their ranges."
        raise FormatError(path, "; ".join(faults), remedy)
