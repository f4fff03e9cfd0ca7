"""Calibrators on TensorRT's own base classes, the same code for NVIDIA's and for the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.streams import BatchStream
from trtflow.formats import UserError
from trtflow.formats.calibration_table import NO_REGRESSION, QUANTILE, read_table, table_version
from trtflow.formats.files import write_bytes
from trtflow.progress import track
from trtflow.runtime.devices import Buffer

BASES = {
    "entropy2": ("IInt8EntropyCalibrator2", "EntropyCalibration2"),
    "entropy": ("IInt8EntropyCalibrator", "EntropyCalibration"),
    "minmax": ("IInt8MinMaxCalibrator", "MinMaxCalibration"),
    "legacy": ("IInt8LegacyCalibrator", "LegacyCalibration"),
}
ALGORITHMS = tuple(BASES)
MADE_BY = "auto"  # in place of an algorithm: the one that made the table that is there


def algorithm_of(table: Path) -> str:
    """Return which of `ALGORITHMS` made a table.

    Raises:
        FormatError: the table is damaged.
    """
    made = read_table(table).algorithm
    return next(key for key, (_, name) in BASES.items() if name == made)


def make_calibrator(
    trt: ModuleType,
    algorithm: str,
    stream: BatchStream | None,
    table: Path | None,
    allocate: Callable[[int], Buffer],
    feeds: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
    on_table: Callable[[], None] | None = None,
) -> Any:
    """Return a calibrator for a builder configuration.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        algorithm: one of `ALGORITHMS`, or `MADE_BY`.
        stream: the batches; None where the table must be there already.
        table: used when it exists, else written; None to keep no table.
        allocate: returns memory that TensorRT can read, of a number of bytes.
        feeds: returns what all inputs get, by name, given a batch; None where there is one input, which gets it.
        on_table: called as soon as a new table is written.

    Raises:
        FormatError: the table is damaged, or of another version or algorithm.
        UserError: there is neither a stream nor the table.

    TensorRT takes an exception of `get_batch` for the end of the batches, and would make a table of those before it. So
    the calibrator keeps it as `fault`, writes no table then, and whoever builds has to raise it.
    """
    if stream is None and (table is None or not table.exists()):
        raise UserError(
            f"{table or 'int8'}: no calibration table, which int8 needs. Make it with scripts/calibrate.py."
        )
    if algorithm == MADE_BY and table is not None:
        algorithm = algorithm_of(table)
    base, name = BASES[algorithm]
    # here and not in the callback: TensorRT swallows what a callback raises, and calibrates again
    known = None
    if table is not None and (stream is None or table.exists()):
        read_table(table).check(table_version(trt.__version__), name, table)
        known = table.read_bytes()

    class Calibrator(getattr(trt, base)):  # type: ignore[misc]
        """Copies each batch of the stream to the device."""

        def __init__(self) -> None:
            getattr(trt, base).__init__(self)  # TensorRT's bindings want it called by name
            self.batches = iter(track(stream, "Calibrating") if stream is not None else ())
            self.buffers: dict[str, Buffer] = {}
            self.fault: Exception | None = None

        def get_batch_size(self) -> int:
            return stream.batch_size if stream is not None else 1

        def get_batch(self, names: list[str]) -> list[int] | None:
            try:
                return self.copy_batch(names)
            except Exception as error:
                self.fault = error
                raise

        def copy_batch(self, names: list[str]) -> list[int] | None:
            images = next(self.batches, None)
            if images is None:
                return None
            values = feeds(images) if feeds else dict.fromkeys(names, images)
            for name in names:
                if name not in self.buffers:
                    self.buffers[name] = allocate(values[name].nbytes)
                self.buffers[name].copy_from(values[name])
            return [self.buffers[name].pointer for name in names]

        def read_calibration_cache(self) -> bytes | None:
            if known is not None:
                return known
            return table.read_bytes() if table is not None and table.exists() else None

        def write_calibration_cache(self, cache: bytes) -> None:
            if self.fault is not None:
                return
            if table is not None:
                write_bytes(table, bytes(cache))
            if on_table is not None:
                on_table()

        if algorithm == "legacy":

            def get_quantile(self) -> float:
                return QUANTILE

            def get_regression_cutoff(self) -> float:
                return NO_REGRESSION

            def read_histogram_cache(self, length: int) -> bytes | None:
                return None

            def write_histogram_cache(self, data: bytes, length: int) -> None:
                return None

    return Calibrator()
