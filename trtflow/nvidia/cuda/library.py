"""CUDA's runtime library for those who call it by `ctypes`: the functions of `cudart` with C's signatures."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from trtflow.nvidia.cuda import cudart
from trtflow.nvidia.cuda.calls import TEXTS

_POINTER, _SIZE, _INT, _FLOAT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_float
_SIGNATURES: dict[str, tuple[list[Any], list[Any]]] = {  # what is returned through pointers, and what is given
    "cudaMalloc": ([_POINTER], [_SIZE]),
    "cudaMallocHost": ([_POINTER], [_SIZE]),
    "cudaHostAlloc": ([_POINTER], [_SIZE, _INT]),
    "cudaMallocManaged": ([_POINTER], [_SIZE, _INT]),
    "cudaFree": ([], [_POINTER]),
    "cudaFreeHost": ([], [_POINTER]),
    "cudaMemcpy": ([], [_POINTER, _POINTER, _SIZE, _INT]),
    "cudaMemcpyAsync": ([], [_POINTER, _POINTER, _SIZE, _INT, _POINTER]),
    "cudaMemset": ([], [_POINTER, _INT, _SIZE]),
    "cudaMemGetInfo": ([_SIZE, _SIZE], []),
    "cudaStreamCreate": ([_POINTER], []),
    "cudaStreamSynchronize": ([], [_POINTER]),
    "cudaStreamDestroy": ([], [_POINTER]),
    "cudaEventCreate": ([_POINTER], []),
    "cudaEventRecord": ([], [_POINTER, _POINTER]),
    "cudaEventSynchronize": ([], [_POINTER]),
    "cudaEventElapsedTime": ([_FLOAT], [_POINTER, _POINTER]),
    "cudaEventDestroy": ([], [_POINTER]),
    "cudaGetDeviceCount": ([_INT], []),
    "cudaGetDevice": ([_INT], []),
    "cudaSetDevice": ([], [_INT]),
    "cudaDeviceSynchronize": ([], []),
    "cudaDeviceReset": ([], []),
    "cudaRuntimeGetVersion": ([_INT], []),
    "cudaDriverGetVersion": ([_INT], []),
    "cudaGetLastError": ([], []),
}


def _function(name: str, results: list[Any], arguments: list[Any]) -> Any:
    call: Callable[..., tuple[Any, ...]] = getattr(cudart, name)

    def run(*given: Any) -> int:
        values = [value or 0 for value in given[len(results) :]]
        status, *found = call(*values)
        if status == cudart.cudaError_t.cudaSuccess:
            for kind, address, value in zip(results, given, found, strict=False):
                kind.from_address(address).value = value
        return int(status)

    return ctypes.CFUNCTYPE(ctypes.c_int, *[_POINTER] * len(results), *arguments)(run)


def _error_string(status: Any) -> bytes:
    """Return what an error means, given as a number of Python's or C's."""
    return TEXTS[cudart.cudaError_t(getattr(status, "value", status))]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cudaGetErrorString": _error_string,
    **{name: _function(name, *signature) for name, signature in _SIGNATURES.items()},
}
