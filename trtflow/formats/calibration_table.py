"""TensorRT's INT8 calibration table: a header, then one scale a tensor (guide §8.2.3).

    TRT-8600-EntropyCalibration2
    data: 3c000889

A scale is range / 127, printed as the hexadecimal bits of a float32 without leading zeros. The Legacy calibrator has a
first line of its own, without a version: 0, its regression cutoff and its quantile, the hexadecimal bits of two
float64.

    0 3ff0000000000000 3fefff2e48e8a71e
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trtflow.formats.errors import FormatError
from trtflow.formats.files import write_bytes

LEGACY = "LegacyCalibration"
ALGORITHMS = ("EntropyCalibration2", "EntropyCalibration", "MinMaxCalibration", LEGACY)
AGAIN = "Delete the table and calibrate again."
HEADER = re.compile(r"TRT-(\d+)-(\w+)")
LEGACY_HEADER = re.compile(r"(\d+) ([0-9a-fA-F]{1,16}) ([0-9a-fA-F]{1,16})")
QUANTILE, NO_REGRESSION = 0.9999, 1.0  # of the legacy calibrator


def table_version(tensorrt_version: str) -> str:
    """Return a version of TensorRT as it stands in a table's header: 8600 for 8.6.0, 8502 for 8.5.2.

    What stands behind it, as in the reference's «8.6.0 on ONNX Runtime 1.32.0», is no part of it.
    """
    major, minor, patch = tensorrt_version.split(maxsplit=1)[0].split(".")[:3]
    return f"{major}{minor}{patch:0>2}"


@dataclass
class CalibrationTable:
    """A table.

    Attributes:
        version: of the TensorRT that made it, as in the header: 8600 for 8.6.0; 0 of the Legacy calibrator, which
            writes none.
        algorithm: one of `ALGORITHMS`.
        scales: float32 range / 127 by tensor, in network order.
        cutoff, quantile: of the Legacy calibrator.
    """

    version: str
    algorithm: str
    scales: Mapping[str, np.float32]
    cutoff: float = NO_REGRESSION
    quantile: float = QUANTILE

    @property
    def header(self) -> str:
        """The first line."""
        if self.algorithm == LEGACY:
            return f"0 {_bits(self.cutoff)} {_bits(self.quantile)}"
        return f"TRT-{self.version}-{self.algorithm}"

    def to_bytes(self) -> bytes:
        """Return the text of the table."""
        lines = [self.header]
        lines += [f"{name}: {int(np.float32(scale).view(np.uint32)):x}" for name, scale in self.scales.items()]
        return ("\n".join(lines) + "\n").encode()

    @staticmethod
    def from_bytes(data: bytes, name: str | Path) -> CalibrationTable:
        """Parse the text of a table; `name` is what errors call it."""
        try:
            lines = data.decode().split("\n")  # and nothing else that str.splitlines takes for an end of line
        except UnicodeDecodeError as error:
            raise FormatError(name, "not a calibration table: it is no text", AGAIN) from error
        table = _begun(lines[0].strip(), name)
        scales: dict[str, np.float32] = {}
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                tensor, scale = _entry(line, number, name)
                if tensor in scales:
                    raise FormatError(name, f"line {number}: a second scale of tensor {tensor!r}", AGAIN)
                scales[tensor] = scale
        return replace(table, scales=scales)

    def is_of(self, version: str, algorithm: str) -> bool:
        """Return whether a version and algorithm made the table; one of the Legacy calibrator is of any version."""
        return self.algorithm == algorithm and (algorithm == LEGACY or self.version == version)

    def check(self, version: str, algorithm: str, name: str | Path) -> None:
        """Raise a FormatError unless the table is of this version and algorithm, as TensorRT wants it."""
        if not self.is_of(version, algorithm):
            fault = f"made by TRT-{self.version}-{self.algorithm}, but TRT-{version}-{algorithm} is to use it"
            raise FormatError(name, fault, AGAIN)


def _begun(line: str, name: str | Path) -> CalibrationTable:
    """Return what a first line says, as a table without scales."""
    header = HEADER.fullmatch(line)
    if header is not None and header[2] in ALGORITHMS:
        return CalibrationTable(header[1], header[2], {})
    legacy = LEGACY_HEADER.fullmatch(line)
    if legacy is None:
        fault = f"not a calibration table: it begins with {line[:60]!r}, not with TRT-<version>-<algorithm>"
        raise FormatError(name, fault, AGAIN)
    cutoff, quantile = (struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))[0] for bits in legacy.group(2, 3))
    if not (0 <= cutoff <= 1 and 0 <= quantile <= 1):
        fault = f"line 1: regression cutoff {cutoff:g} and quantile {quantile:g} are not between 0 and 1"
        raise FormatError(name, fault, AGAIN)
    return CalibrationTable(legacy[1], LEGACY, {}, cutoff, quantile)


def _bits(value: float) -> str:
    return f"{int.from_bytes(struct.pack('>d', value), 'big'):x}"


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
