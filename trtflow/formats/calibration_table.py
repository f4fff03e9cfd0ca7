"""TensorRT's INT8 calibration table: a header, then one scale a tensor (guide §8.2.3).

    TRT-8600-EntropyCalibration2
    data: 3c000889

A scale is range / 127, printed as the hexadecimal bits of a float32 without leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

ALGORITHMS = ("EntropyCalibration2", "EntropyCalibration", "MinMaxCalibration", "LegacyCalibration")
AGAIN = "Delete the table and calibrate again."
HEADER = re.compile(r"TRT-(\d+)-(\w+)")


def table_version(tensorrt_version: str) -> str:
    """Return a version of TensorRT as it stands in a table's header: 8600 for 8.6.0, 8502 for 8.5.2."""
    major, minor, patch = tensorrt_version.split(".")[:3]
    return f"{major}{minor}{patch:0>2}"


@dataclass
class CalibrationTable:
    """A table.

    Attributes:
        version: of the TensorRT that made it, as in the header: 8600 for 8.6.0.
        algorithm: one of `ALGORITHMS`.
        scales: float32 range / 127 by tensor, in network order.
    """

    version: str
    algorithm: str
    scales: Mapping[str, np.float32]

    def to_bytes(self) -> bytes:
        """Return the text of the table."""
        lines = [f"TRT-{self.version}-{self.algorithm}"]
        lines += [f"{name}: {int(np.float32(scale).view(np.uint32)):x}" for name, scale in self.scales.items()]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, name: str | Path) -> CalibrationTable:
        """Parse the text of a table; `name` is what errors call it."""
        try:
            lines = data.decode().split("\n")  # and nothing else that str.splitlines takes for an end of line
        except UnicodeDecodeError as error:
            raise FormatError(name, "not a calibration table: it is no text", AGAIN) from error
        header = HEADER.fullmatch(lines[0].strip())
        if header is None or header[2] not in ALGORITHMS:
            fault = f"not a calibration table: it begins with {lines[0][:60]!r}, not with TRT-<version>-<algorithm>"
            raise FormatError(name, fault, AGAIN)
        scales: dict[str, np.float32] = {}
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                tensor, scale = _entry(line, number, name)
                if tensor in scales:
                    raise FormatError(name, f"line {number}: a second scale of tensor {tensor!r}", AGAIN)
                scales[tensor] = scale
        return cls(header[1], header[2], scales)

    def check(self, version: str, algorithm: str, name: str | Path) -> None:
        """Raise a FormatError unless the table is of this version and algorithm, as TensorRT wants it."""
        if (self.version, self.algorithm) != (version, algorithm):
            fault = f"made by TRT-{self.version}-{self.algorithm}, but TRT-{version}-{algorithm} is to use it"
            raise FormatError(name, fault, AGAIN)


def _entry(line: str, number: int, name: str | Path) -> tuple[str, np.float32]:
    tensor, colon, bits = line.rpartition(": ")  # tensors may have colons in their names
    if not colon or not tensor or not re.fullmatch(r"[0-9a-fA-F]{1,8}", bits.strip()):
        raise FormatError(name, f"line {number}: {line[:60]!r} is not <tensor>: <hexadecimal float32>", AGAIN)
    scale = np.uint32(int(bits, 16)).view(np.float32)
    if np.isnan(scale) or scale < 0:
        raise FormatError(name, f"line {number}: the scale of tensor {tensor!r} is {scale}", AGAIN)
    return tensor, scale


def read_table(path: Path) -> CalibrationTable:
    """Read a table from a file."""
    return CalibrationTable.from_bytes(path.read_bytes(), path)


def write_table(path: Path, table: CalibrationTable) -> None:
    """Write a table to a file."""
    write_bytes(path, table.to_bytes())
