"""`pycuda.gpuarray`: arrays of the device with the arithmetic that NumPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from trtflow.nvidia.pycuda.memory import DeviceAllocation, memcpy_htod


class GPUArray(NDArrayOperatorsMixin):
    """An array in device memory; arithmetic gives new ones.

    Args:
        shape: sizes, or one size.
        dtype: of the elements.
        allocator: gives device memory of a number of bytes.
        base: another array that this is a view of.
        gpudata: its memory, where it is there already.
        strides: bytes from one element to the next in each dimension.
        order: "C" or "F".

    Attributes:
        gpudata: the memory; `int(array.gpudata)` is a binding.
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any,
        allocator: Callable[[int], Any] = DeviceAllocation,
        base: Any = None,
        gpudata: Any = None,
        strides: tuple[int, ...] | None = None,
        order: str = "C",
    ) -> None:
        sizes = tuple(int(size) for size in shape) if np.ndim(shape) else (int(shape),)
        kind = np.dtype(dtype)
        self.allocator, self.base = allocator, base
        self.gpudata = allocator(int(np.prod(sizes, dtype=np.int64)) * kind.itemsize) if gpudata is None else gpudata
        self._array = np.asarray(_Interface(int(self.gpudata), sizes, kind, strides, order))

    shape = property(lambda self: self._array.shape, doc="Sizes.")
    dtype = property(lambda self: self._array.dtype, doc="Type of the elements.")
    size = property(lambda self: self._array.size, doc="Number of elements.")
    mem_size = property(lambda self: self._array.size, doc="Number of elements, by another name.")
    nbytes = property(lambda self: self._array.nbytes, doc="Bytes.")
    itemsize = property(lambda self: self._array.itemsize, doc="Bytes of an element.")
    ndim = property(lambda self: self._array.ndim, doc="Number of dimensions.")
    strides = property(lambda self: self._array.strides, doc="Bytes to the next element in each dimension.")
    flags = property(lambda self: self._array.flags, doc="NumPy's flags.")
    ptr = property(lambda self: int(self.gpudata), doc="Its address.")

    def set(self, ary: np.ndarray, async_: bool = False, stream: Any = None) -> None:
        """Take the values of an array of the same size and type.

        Raises:
            ValueError: of another.
        """
        if ary.size != self.size or ary.dtype != self.dtype:
            raise ValueError(f"{ary.size} of {ary.dtype} for an array of {self.size} of {self.dtype}")
        if self._array.flags.contiguous and ary.flags.c_contiguous:
            memcpy_htod(self.gpudata, ary)
        else:
            self._array[...] = ary.reshape(self.shape)

    def set_async(self, ary: np.ndarray, stream: Any = None) -> None:
        """Take the values of an array; it is done on return."""
        self.set(ary)

    def get(self, ary: np.ndarray | None = None, pagelocked: bool = False, async_: bool = False, stream: Any = None,
            ) -> np.ndarray:  # fmt: skip
        """Return the values in an array of the host, a new one where none is given."""
        int(self.gpudata)  # freed memory is an error here, and not a fault of the process
        if ary is None:
            return self._array.copy()
        ary[...] = self._array
        return ary

    def get_async(self, stream: Any = None, ary: np.ndarray | None = None) -> np.ndarray:
        """Return the values; they are there on return."""
        return self.get(ary)

    def fill(self, value: Any, stream: Any = None) -> GPUArray:
        """Set all elements."""
        self._array[...] = value
        return self

    def copy(self) -> GPUArray:
        """Return a new array with the same values."""
        return to_gpu(self.get())

    def astype(self, dtype: Any, stream: Any = None) -> GPUArray:
        """Return a new array of another type."""
        return to_gpu(self.get().astype(dtype))

    def reshape(self, *shape: Any, order: Literal["C", "F"] = "C") -> GPUArray:
        """Return a view of other sizes."""
        return self._view(self._array.reshape(shape[0] if len(shape) == 1 else shape, order=order))

    def ravel(self) -> GPUArray:
        """Return a view of one dimension."""
        return self.reshape(-1)

    def view(self, dtype: Any = None) -> GPUArray:
        """Return the same memory as another type."""
        return self._view(self._array if dtype is None else self._array.view(dtype))

    def _view(self, array: np.ndarray) -> GPUArray:
        if not np.shares_memory(array, self._array) and array.size:
            raise ValueError("the array is not contiguous, so there is no such view of it")
        return GPUArray(array.shape, array.dtype, base=self, gpudata=_Offset(self, array), strides=array.strides)

    def __getitem__(self, index: Any) -> GPUArray:
        return self._view(self._array[index if isinstance(index, tuple) else (index, ...)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._array[index] = value._array if isinstance(value, GPUArray) else value

    def __len__(self) -> int:
        return len(self._array)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        arrays = [value._array if isinstance(value, GPUArray) else value for value in inputs]
        if out := options.pop("out", None):
            ufunc(*arrays, out=tuple(value._array for value in out), **options)
            return out[0]
        return to_gpu(np.asarray(ufunc(*arrays, **options)))

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())


class _Interface:
    """Memory as NumPy takes it."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype, strides: Any, order: str) -> None:
        if strides is None and order == "F":
            strides = tuple(int(np.prod(shape[:axis], dtype=np.int64)) * dtype.itemsize for axis in range(len(shape)))
        self.__array_interface__ = {
            "version": 3,
            "data": (address, False),
            "shape": shape,
            "typestr": dtype.str,
            "strides": strides,
        }


class _Offset:
    """An address in the memory of another array, which it keeps."""

    def __init__(self, base: GPUArray, array: np.ndarray) -> None:
        self._base, self._offset = base, array.ctypes.data - base._array.ctypes.data

    def __int__(self) -> int:
        return int(self._base.gpudata) + self._offset

    __index__ = __int__


def to_gpu(ary: np.ndarray, allocator: Callable[[int], Any] = DeviceAllocation) -> GPUArray:
    """Return a new array with the values of one of the host."""
    order = "F" if ary.flags.fnc else "C"
    array = GPUArray(ary.shape, ary.dtype, allocator, order=order)
    array._array[...] = ary
    return array


def to_gpu_async(ary: np.ndarray, allocator: Callable[[int], Any] = DeviceAllocation, stream: Any = None) -> GPUArray:
    """Return a new array; the values are there on return."""
    return to_gpu(ary, allocator)


def empty(shape: Any, dtype: Any, allocator: Callable[[int], Any] = DeviceAllocation, order: str = "C") -> GPUArray:
    """Return a new array."""
    return GPUArray(shape, dtype, allocator, order=order)


def zeros(shape: Any, dtype: Any = np.float64, allocator: Any = DeviceAllocation, order: str = "C") -> GPUArray:
    """Return a new array of zeros."""
    return GPUArray(shape, dtype, allocator, order=order).fill(0)


def ones_like(other: GPUArray) -> GPUArray:
    """Return a new array of ones."""
    return empty_like(other).fill(1)


def empty_like(other: GPUArray) -> GPUArray:
    """Return a new array of another's shape and type."""
    return GPUArray(other.shape, other.dtype)


def zeros_like(other: GPUArray) -> GPUArray:
    """Return a new array of zeros of another's shape and type."""
    return empty_like(other).fill(0)


def arange(*limits: Any, dtype: Any = None, **more: Any) -> GPUArray:
    """Return a new array of numbers that grow by a step."""
    return to_gpu(np.arange(*limits, dtype=dtype))


def _reduction(name: str) -> Callable[..., GPUArray]:
    def reduce(array: GPUArray, dtype: Any = None, stream: Any = None) -> GPUArray:
        values = array.get()
        return to_gpu(np.asarray(np.sum(values, dtype=dtype) if name == "sum" else getattr(np, name)(values)))

    reduce.__name__, reduce.__doc__ = name, f"Return the {name} of all elements as an array without dimensions."
    return reduce


sum, max, min = _reduction("sum"), _reduction("max"), _reduction("min")


def dot(first: GPUArray, second: GPUArray, dtype: Any = None, stream: Any = None) -> GPUArray:
    """Return the sum of the products of elements as an array without dimensions."""
    return to_gpu(np.asarray(np.dot(first.get().ravel(), second.get().ravel()), dtype))
