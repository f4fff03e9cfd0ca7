"""Small values that networks are made of: dimensions, weights, log."""

from __future__ import annotations

import sys
from math import prod
from typing import Any

import numpy as np

from trtflow.reference.record.enumeration import OrderedEnumeration, members
from trtflow.reference.record.enums import DataType

DTYPES: dict[DataType, np.dtype[Any]] = {
    DataType.FLOAT: np.dtype(np.float32),
    DataType.HALF: np.dtype(np.float16),
    DataType.INT8: np.dtype(np.int8),
    DataType.INT32: np.dtype(np.int32),
    DataType.BOOL: np.dtype(np.bool_),
    DataType.UINT8: np.dtype(np.uint8),
}


def nptype(dtype: DataType) -> Any:
    """Return the NumPy scalar type of a TensorRT data type."""
    return DTYPES[DataType(dtype)].type


def volume(shape: tuple[int, ...]) -> int:
    """Return the number of elements of a shape."""
    return prod(shape)


class Dims(tuple[int, ...]):
    """A shape; compares equal to the tuple of its sizes. At most eight dimensions, as in TensorRT."""

    MAX_DIMS = 8

    def __new__(cls, shape: Any = ()) -> Dims:
        sizes = tuple(int(size) for size in shape)
        if len(sizes) > cls.MAX_DIMS:
            raise ValueError(f"{len(sizes)} dimensions, but TensorRT takes at most {cls.MAX_DIMS}")
        return super().__new__(cls, sizes)

    def __repr__(self) -> str:
        return f"({', '.join(map(str, self))})"


class Weights:
    """Weights of a layer: a contiguous array of float32, float16, int8 or int32; empty when absent.

    Attributes:
        name: name for a refitter, see `INetworkDefinition.set_weights_name`.
    """

    def __init__(self, array: Any = ()) -> None:
        values = array if isinstance(array, np.ndarray) else np.asarray(array, np.float32)
        if values.dtype not in DTYPES.values():
            raise TypeError(f"weights of type {values.dtype}; TensorRT takes float32, float16, int8, int32 and bool")
        self._array = np.ascontiguousarray(values)
        self.name = ""

    def numpy(self) -> np.ndarray:
        """Return the values; not a copy."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._array.astype(self._array.dtype if dtype is None else dtype, copy=bool(copy))

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._array.size

    @property
    def dtype(self) -> DataType:
        """Type of the elements."""
        return next(key for key, value in DTYPES.items() if value == self._array.dtype)

    @classmethod
    def of(cls, values: Any) -> Weights:
        """Take weights, an array or nothing."""
        return values if isinstance(values, cls) else cls(() if values is None else values)


class ILogger:
    """What takes TensorRT's messages; a logger of one's own overrides `log`."""

    class Severity(OrderedEnumeration):
        """How bad a message is; smaller is worse."""

        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = members(Severity)

    def log(self, severity: Severity, message: str) -> None:
        """Take a message."""
        raise NotImplementedError(f"{type(self).__name__} is a logger without log(severity, message).")


class Logger(ILogger):
    """TensorRT's logger: messages of at least `min_severity` go to standard error."""

    def __init__(self, min_severity: ILogger.Severity = ILogger.WARNING) -> None:
        self.min_severity = min_severity

    def log(self, severity: ILogger.Severity, message: str) -> None:
        """Print a message unless its severity is below the minimum."""
        if severity <= self.min_severity:
            print(f"[TRT] [{'IEWIV'[int(severity)]}] {message}", file=sys.stderr)
