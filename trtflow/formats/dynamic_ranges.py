"""Per-tensor dynamic ranges as sampleINT8API reads them: a line `<tensor>:<largest absolute value>` each (guide §9)."""

from __future__ import annotations

import codecs
import logging
import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_text

AGAIN = "Correct the line, or record the ranges again with scripts/record_ranges.py."
MOST_NAMED = 10  # tensors that an error names
LIKENESS = 0.6  # of two names, from which on one is offered for the other
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
logger = logging.getLogger(__name__)


def read_ranges(path: Path) -> dict[str, float]:
    """Return the range of each tensor, in the file's order.

    Raises:
        FormatError: it is no text, a line is no range, a range is negative or not finite, or a tensor has two, or there
            is none.
    """
    ranges: dict[str, float] = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            tensor, value = _entry(path, number, line)
            if tensor in ranges:
                raise FormatError(path, f"line {number}: a second range of tensor {tensor!r}", AGAIN)
            ranges[tensor] = value
    if not ranges:
        raise FormatError(path, "there are no ranges in it", AGAIN)
    return ranges


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not a text in UTF-8 ({error})", "Save it as UTF-8.") from error


def _entry(path: Path, number: int, line: str) -> tuple[str, float]:
    tensor, _, text = line.rpartition(":")  # tensors may have colons in their names
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan  # Python alone takes 1_0 for 10
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

    Another version of a parser names some tensors otherwise, or makes fewer of them. Ranges that belong to no tensor
    are a warning, as TensorRT's own sample passes over them.

    Raises:
        FormatError: a tensor has no range; each is named, with the range that is called most like it.
    """
    known = set(tensors)
    missing = [tensor for tensor in tensors if tensor not in ranges]
    unknown = [tensor for tensor in ranges if tensor not in known]
    if missing:
        named = [_with_closest(tensor, unknown) for tensor in missing[:MOST_NAMED]]
        remedy = "scripts/write_tensors.py lists the network's tensors; scripts/record_ranges.py records their ranges."
        raise FormatError(path, f"{len(missing)} tensors without a range: {_listed(named, len(missing))}", remedy)
    if unknown:
        text = _listed(unknown[:MOST_NAMED], len(unknown))
        logger.warning("%s: %d ranges of tensors that the network has not are left out: %s", path, len(unknown), text)


def _with_closest(tensor: str, names: Sequence[str]) -> str:
    closest = get_close_matches(tensor, names, 1, LIKENESS)
    return f"{tensor} (is it {closest[0]}?)" if closest else tensor


def _listed(names: Sequence[str], count: int) -> str:
    return ", ".join(names) + (", ..." if count > len(names) else "")
