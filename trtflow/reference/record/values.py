"""Small values that networks and engines are made of: weights, memory of the host, log."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from trtflow.reference.record.dims import Dims  # noqa: F401 - it is found here too
from trtflow.reference.record.enumeration import OrderedEnumeration, members
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.sealed import Sealed

DTYPES: dict[DataType, np.dtype[Any]] = {
    DataType.FLOAT: np.dtype(np.float32),
    DataType.HALF: np.dtype(np.float16),
    DataType.INT8: np.dtype(np.int8),
    DataType.INT32: np.dtype(np.int32),
    DataType.BOOL: np.dtype(np.bool_),
    DataType.UINT8: np.dtype(np.uint8),
}


def nptype(trt_type: DataType) -> Any:
    """Return the NumPy scalar type of a TensorRT data type.

    Raises:
        TypeError: there is none, as for FP8.
    """
    if trt_type not in DTYPES:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
    return DTYPES[trt_type].type


def volume(iterable: Iterable[int]) -> int:
    """Return the number of elements of a shape."""
    return prod(iterable)


class Weights(Sealed):
    """Weights of a layer: a contiguous array of float32, float16, int8 or int32; empty when absent.

    Attributes:
        name: name for a refitter, see `INetworkDefinition.set_weights_name`.
    """

    def __init__(self, a: Any = DataType.FLOAT) -> None:
        if isinstance(a, DataType):
            a = np.empty(0, nptype(a))
        values = a if isinstance(a, np.ndarray) else np.asarray(a, np.float32)
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

    def __len__(self) -> int:
        return self._array.size

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return self._array.nbytes

    @property
    def dtype(self) -> DataType:
        """Type of the elements."""
        return next(key for key, value in DTYPES.items() if value == self._array.dtype)

    @classmethod
    def of(cls, values: Any) -> Weights:
        """Take weights, an array or nothing."""
        return values if isinstance(values, cls) else cls(() if values is None else values)


class IHostMemory(bytes):
    """Bytes that TensorRT made, as a plan: what reads a buffer reads them (`bytes`, `memoryview`, a file's `write`).

    They are bytes because only such give their memory away in every Python that this runs on. As in TensorRT they
    have no len().
    """

    __slots__ = ()
    __len__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return True

    dtype = property(lambda self: DataType.INT8, doc="Type of the elements.")
    nbytes = property(lambda self: memoryview(self).nbytes, doc="Number of bytes.")

    def __enter__(self) -> IHostMemory:
        return common_enter(self)

    def __exit__(self, *exception: object) -> None:
        common_exit(self, *exception)

    def __del__(self) -> None:
        """Do nothing: Python frees the bytes."""


def common_enter(this: Any) -> Any:
    """Return an object that a `with` statement takes; it frees nothing, as since TensorRT 8.0.

    Warns:
        DeprecationWarning: always, in TensorRT's words.
    """
    warnings.warn(
        "Context managers for TensorRT types are deprecated. "
        "Memory will be freed automatically when the reference count reaches 0.",
        DeprecationWarning,
        stacklevel=3,
    )
    return this


def common_exit(this: Any, exc_type: Any = None, exc_value: Any = None, traceback: Any = None) -> None:
    """Do nothing: objects are freed when nothing refers to them."""


class ILogger(Sealed):
    """What takes TensorRT's messages; a logger of one's own overrides `log`."""

    class Severity(OrderedEnumeration):
        """How bad a message is; smaller is worse."""

        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = members(Severity)

    def __enter__(self) -> ILogger:
        return common_enter(self)

    def __exit__(self, *exception: object) -> None:
        pass

    def log(self, severity: Severity, msg: str) -> None:
        """Take a message."""
        raise NotImplementedError(f"{type(self).__name__} is a logger without log(severity, message).")


class Logger(ILogger):
    """TensorRT's logger: messages of at least `min_severity` go to standard error."""

    def __init__(self, min_severity: ILogger.Severity = ILogger.WARNING) -> None:
        self.min_severity = min_severity

    def log(self, severity: ILogger.Severity, msg: str) -> None:
        """Print a message unless its severity is below the minimum."""
        if severity <= self.min_severity:
            print(f"[TRT] [{'IEWIV'[int(severity)]}] {msg}", file=sys.stderr)
