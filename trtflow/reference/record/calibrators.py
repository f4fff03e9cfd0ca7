"""Base classes of INT8 calibrators; an application derives from one and feeds it batches."""

from __future__ import annotations

from trtflow.reference.record.enums import CalibrationAlgoType


class IInt8Calibrator:
    """Serves calibration batches and keeps the table.

    `get_batch` returns one address a network input, float32 and contiguous, or None when there are no more.
    """

    algorithm: CalibrationAlgoType

    def get_algorithm(self) -> CalibrationAlgoType:
        """Return the algorithm."""
        return self.algorithm

    def get_batch_size(self) -> int:
        """Return the number of images a batch."""
        raise NotImplementedError

    def get_batch(self, names: list[str]) -> list[int] | None:
        """Return the addresses of the next batch for these inputs, or None."""
        raise NotImplementedError

    def read_calibration_cache(self) -> bytes | None:
        """Return a table to use instead of calibrating, or None."""
        return None

    def write_calibration_cache(self, cache: memoryview) -> None:
        """Keep a new table."""


class IInt8EntropyCalibrator2(IInt8Calibrator):
    """Entropy calibration before layers are fused; TensorRT's recommendation."""

    algorithm = CalibrationAlgoType.ENTROPY_CALIBRATION_2


class IInt8EntropyCalibrator(IInt8Calibrator):
    """Entropy calibration after layers are fused."""

    algorithm = CalibrationAlgoType.ENTROPY_CALIBRATION


class IInt8MinMaxCalibrator(IInt8Calibrator):
    """The largest magnitude seen."""

    algorithm = CalibrationAlgoType.MINMAX_CALIBRATION


class IInt8LegacyCalibrator(IInt8Calibrator):
    """A quantile of the magnitudes."""

    algorithm = CalibrationAlgoType.LEGACY_CALIBRATION

    def get_quantile(self) -> float:
        """Return the quantile, in [0, 1]."""
        return 0.9999

    def get_regression_cutoff(self) -> float:
        """Return the regression cut-off; 1 means that no regression is used."""
        return 1.0

    def read_histogram_cache(self, length: int) -> bytes | None:
        """Return a kept histogram, or None; the reference runtime keeps none."""
        return None

    def write_histogram_cache(self, data: bytes) -> None:
        """Keep a histogram; the reference runtime gives none."""
