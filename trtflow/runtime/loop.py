"""Engines that run step after step on their own outputs, as a recurrent network does when it writes a text.

Outputs that become inputs, and tables of which each step takes a row, stay on the device: a step moves pointers, and
nothing is copied but what `StepLoop.read` asks for. The same code runs on TensorRT and on the reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.devices import Buffer, device_of
from trtflow.runtime.timing import percentile

WARM_UP_S = 0.2
ALIGNMENT = 256  # bytes: TensorRT's least of a binding's address


def _nbytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape)) * dtype.itemsize


class StepLoop:
    """An engine with an implicit batch that is run step after step. Memory is given back by `close`.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: the engine.
        feedback: for outputs that are the next step's inputs, the input's name; they begin as zeros.
        tables: for inputs that are a row of a table each step, the table, float32 [rows, elements of the input].
        batch_size: of every step; a table's row counts for one.

    Raises:
        UserError: a name is no input or output of the engine, sizes differ, or there is not enough memory.
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
        if self.context is None:
            raise UserError("TensorRT could not make a context, most likely for want of device memory: see above.")
        self._place = {engine.get_binding_name(index): index for index in range(engine.num_bindings)}
        self._shapes = {name: (batch_size, *engine.get_binding_shape(index)) for name, index in self._place.items()}
        self._dtypes = {
            name: np.dtype(trt.nptype(engine.get_binding_dtype(index))) for name, index in self._place.items()
        }
        self._feedback, self._row_bytes = dict(feedback), dict[str, int]()
        padded = {name: _aligned(rows) for name, rows in self._checked(tables or {}).items()}
        device = device_of(trt)
        self._stream, self._memory = device.create_stream(), dict[str, Buffer]()
        self._bindings = [0] * engine.num_bindings
        try:
            for name, shape in self._shapes.items():
                nbytes = padded[name].nbytes if name in padded else _nbytes(shape, self._dtypes[name])
                self._memory[name] = device.allocate(nbytes)
        except UserError:
            self.close()
            raise
        for name, rows in padded.items():
            self._memory[name].copy_from(rows)
            self._row_bytes[name] = rows.strides[0]
        self.reset()

    def close(self) -> None:
        """Give context and memory back; harmless when that was done."""
        for buffer in self._memory.values():
            buffer.free()
        self._memory, self.context = {}, None

    def _checked(self, tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables in their inputs' types; refuse names and sizes that do not fit."""
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
        return {name: rows.astype(self._dtypes[name]) for name, rows in tables.items()}

    def reset(self) -> None:
        """Begin anew: what is fed back is zero."""
        for name in self._feedback.values():
            self.write(name, np.zeros(self._shapes[name], self._dtypes[name]))
        for name, index in self._place.items():
            self._bindings[index] = self._memory[name].pointer

    def write(self, name: str, values: np.ndarray) -> None:
        """Set an input [batch, …] from the host."""
        self._stream.synchronize()  # a step may still read what is overwritten
        self._memory[name].copy_from(values.astype(self._dtypes[name], copy=False).reshape(self._shapes[name]))

    def take(self, name: str, other: StepLoop, output: str) -> None:
        """Let an input be what another loop put out: the two exchange memory, and nothing is copied.

        Raises:
            UserError: their shapes or types differ.
        """
        ours, theirs = (self._shapes[name], self._dtypes[name]), (other._shapes[output], other._dtypes[output])
        if ours != theirs:
            raise UserError(
                f"output {output!r} cannot become input {name!r}: their shapes are {theirs[0]} and {ours[0]}."
            )
        self._stream.synchronize()
        other._stream.synchronize()
        self._memory[name], other._memory[output] = other._memory[output], self._memory[name]
        self._bindings[self._place[name]] = self._memory[name].pointer
        other._bindings[other._place[output]] = other._memory[output].pointer

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an input or output, with the batch."""
        return tuple(self._shapes[name])

    def choose(self, name: str, row: int) -> None:
        """Let an input be a row of its table; nothing is copied."""
        self._bindings[self._place[name]] = self._memory[name].pointer + row * self._row_bytes[name]

    def step(self) -> None:
        """Run once. On a GPU this returns before the step is done.

        Raises:
            UserError: the engine could not run.
        """
        if not self.context.execute_async(self.batch_size, self._bindings, self._stream.handle):
            raise UserError("the engine could not run; its messages stand above this line.")
        for output, name in self._feedback.items():
            self._memory[output], self._memory[name] = self._memory[name], self._memory[output]
            for swapped in (output, name):
                self._bindings[self._place[swapped]] = self._memory[swapped].pointer

    def read(self, name: str) -> np.ndarray:
        """Return an output of the last step, [batch, …]; of one that is fed back, too."""
        buffer, shape, dtype = self._memory[self._feedback.get(name, name)], self._shapes[name], self._dtypes[name]
        buffer.download(_nbytes(shape, dtype), self._stream)
        self._stream.synchronize()
        return buffer.values(shape, dtype)


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
