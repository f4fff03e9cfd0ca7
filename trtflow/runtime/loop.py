"""Engines that run step after step on their own outputs, as a recurrent network does when it writes a text.

Outputs that become inputs, and tables of which each step takes a row, stay on the device: a step moves pointers, and
nothing is copied but what `StepLoop.read` asks for. The same code runs on TensorRT (PyCUDA) and on the reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.plugins import is_reference
from trtflow.runtime.timing import percentile

WARM_UP_S = 0.2
ALIGNMENT = 256  # bytes: TensorRT's least of a binding's address


class Memory(Protocol):
    """Memory of a device from the address `pointer` on."""

    pointer: int

    def write(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array."""
        ...

    def read(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start, once all steps before are done, as a new array."""
        ...


class HostMemory:
    """Memory of the host, which is the device of the reference runtime; aligned as a GPU's is."""

    def __init__(self, nbytes: int, stream: None) -> None:
        whole = np.zeros(nbytes + ALIGNMENT, np.uint8)
        first = -whole.ctypes.data % ALIGNMENT
        self._bytes = whole[first : first + nbytes]
        self.pointer = self._bytes.ctypes.data

    def write(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array."""
        self._bytes[: values.nbytes] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)

    def read(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start as a new array."""
        return self._bytes[: _nbytes(shape, dtype)].view(dtype).reshape(shape).copy()


class CudaMemory:
    """Memory of a GPU, and page-locked memory of the host that its reads pass through."""

    def __init__(self, nbytes: int, stream: Any) -> None:
        import pycuda.driver as cuda  # noqa: PLC0415 - only where TensorRT is

        self._cuda, self._stream = cuda, stream
        self._device, self._host = cuda.mem_alloc(nbytes), cuda.pagelocked_zeros(nbytes, np.uint8)
        self.pointer = int(self._device)

    def write(self, values: np.ndarray) -> None:
        """Fill the memory from its start with the bytes of an array, behind what the stream still does."""
        self._stream.synchronize()  # it may still read what is overwritten, here and on the device
        self._host[: values.nbytes] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self._cuda.memcpy_htod_async(self.pointer, self._host[: values.nbytes], self._stream)

    def read(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return what the memory holds at its start, once all steps before are done, as a new array."""
        nbytes = _nbytes(shape, dtype)
        self._cuda.memcpy_dtoh_async(self._host[:nbytes], self.pointer, self._stream)
        self._stream.synchronize()
        return self._host[:nbytes].view(dtype).reshape(shape).copy()


def _nbytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape)) * dtype.itemsize


def _cuda_stream() -> Any:
    import pycuda.autoprimaryctx  # noqa: F401, PLC0415 - TensorRT runs in the primary context
    import pycuda.driver as cuda  # noqa: PLC0415

    return cuda.Stream()


class StepLoop:
    """An engine with an implicit batch that is run step after step.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: the engine.
        feedback: for outputs that are the next step's inputs, the input's name; they begin as zeros.
        tables: for inputs that are a row of a table each step, the table, float32 [rows, elements of the input].
        batch_size: of every step; a table's row counts for one.

    Raises:
        UserError: a name is no input or output of the engine, or sizes differ.
    """

    def __init__(
        self,
        trt: ModuleType,
        engine: Any,
        feedback: Mapping[str, str],
        tables: Mapping[str, np.ndarray] | None = None,
        batch_size: int = 1,
    ) -> None:
        self.engine, self.context, self.batch_size = engine, engine.create_execution_context(), batch_size
        self._place = {engine.get_binding_name(index): index for index in range(engine.num_bindings)}
        self._shapes = {name: (batch_size, *engine.get_binding_shape(index)) for name, index in self._place.items()}
        self._dtypes = {
            name: np.dtype(trt.nptype(engine.get_binding_dtype(index))) for name, index in self._place.items()
        }
        self._feedback, self._row_bytes = dict(feedback), dict[str, int]()
        self._check(tables or {})
        reference = is_reference(trt)
        stream = None if reference else _cuda_stream()
        memory: Any = HostMemory if reference else CudaMemory
        self._handle = 0 if stream is None else int(stream.handle)
        self._memory: dict[str, Memory] = {
            name: memory(max(1, _nbytes(shape, self._dtypes[name])), stream) for name, shape in self._shapes.items()
        }
        self._bindings = [0] * engine.num_bindings
        for name, rows in (tables or {}).items():
            padded = _aligned(rows.astype(self._dtypes[name]))
            self._memory[name] = memory(padded.nbytes, stream)
            self._memory[name].write(padded)
            self._row_bytes[name] = padded.strides[0]
        self.reset()

    def _check(self, tables: Mapping[str, np.ndarray]) -> None:
        for name in [*self._feedback, *self._feedback.values(), *tables]:
            if name not in self._place:
                raise UserError(f"the engine has no binding {name!r}; it has {', '.join(self._place)}.")
        for output, name in self._feedback.items():
            if (self._shapes[output], self._dtypes[output]) != (self._shapes[name], self._dtypes[name]):
                shapes = f"{self._shapes[output]} and {self._shapes[name]}"
                raise UserError(f"output {output!r} cannot become input {name!r}: their shapes are {shapes}.")
        for name, rows in tables.items():
            if rows.shape[1:] != (int(np.prod(self._shapes[name])),):
                raise UserError(f"input {name!r} has shape {self._shapes[name]}, but rows of a table {rows.shape}.")

    def reset(self) -> None:
        """Begin anew: what is fed back is zero."""
        for name in self._feedback.values():
            self.write(name, np.zeros(self._shapes[name], self._dtypes[name]))
        for name, index in self._place.items():
            self._bindings[index] = self._memory[name].pointer

    def write(self, name: str, values: np.ndarray) -> None:
        """Set an input [batch, …] from the host."""
        self._memory[name].write(values.astype(self._dtypes[name], copy=False).reshape(self._shapes[name]))

    def choose(self, name: str, row: int) -> None:
        """Let an input be a row of its table; nothing is copied."""
        self._bindings[self._place[name]] = self._memory[name].pointer + row * self._row_bytes[name]

    def step(self) -> None:
        """Run once. On a GPU this returns before the step is done.

        Raises:
            UserError: the engine could not run.
        """
        if not self.context.execute_async(self.batch_size, self._bindings, self._handle):
            raise UserError("the engine could not run; its messages stand above this line.")
        for output, name in self._feedback.items():
            self._memory[output], self._memory[name] = self._memory[name], self._memory[output]
            for swapped in (output, name):
                self._bindings[self._place[swapped]] = self._memory[swapped].pointer

    def read(self, name: str) -> np.ndarray:
        """Return an output of the last step, [batch, …]; of one that is fed back, too."""
        return self._memory[self._feedback.get(name, name)].read(self._shapes[name], self._dtypes[name])


def _aligned(rows: np.ndarray) -> np.ndarray:
    """Return a table whose rows begin at addresses that TensorRT takes; zeros lie between them."""
    step = ALIGNMENT // rows.itemsize
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, -rows.shape[1] % step))))


def measure_steps(queries: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, dict[str, Any]]:
    """Time functions that take a step each, in turns, after a warm-up; by the host's clock, which waits for the result.

    Args:
        queries: the functions, by name.
        seconds: how long to measure each.

    Returns:
        for each name `latency_ms` (mean, median, p95, p99) and `throughput_per_s`, steps a second of their own time.
    """
    times: dict[str, list[float]] = {name: [] for name in queries}
    for phase in (WARM_UP_S, seconds):
        for taken in times.values():
            taken.clear()
        end = time.perf_counter() + phase * len(queries)
        while time.perf_counter() < end or not all(times.values()):
            for name, query in queries.items():
                start = time.perf_counter()
                query()
                times[name].append(time.perf_counter() - start)
    found = {}
    for name, taken in times.items():
        ms = np.array(taken) * 1000
        latency = {"mean": float(ms.mean()), **{f"p{part}": percentile(ms, part) for part in (95, 99)}}
        found[name] = {
            "latency_ms": {**latency, "median": percentile(ms, 50)},
            "throughput_per_s": len(ms) / float(ms.sum()) * 1000,
        }
    return found
