"""Engines that run step after step on their own outputs, as a recurrent network does when it writes a text.

Outputs that become inputs, and tables of which each step takes a row, stay on the device: a step moves pointers, and
nothing is copied but what is asked for. On a GPU steps that come again are CUDA graphs, where the engine allows it. The
same code runs on TensorRT and on the reference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.runtime.devices import Buffer, device_of
from trtflow.runtime.entry import create_context
from trtflow.runtime.messages import because
from trtflow.runtime.step_graphs import StepGraphs
from trtflow.runtime.timing import BRIEF_QUERIES, LEAST_QUERIES, percentile

WARM_UP_S = 0.2
LEAST_WARM_UP = 5  # steps: buffers that change places make two steps of one, and each is recorded the second time
ALIGNMENT = 256  # bytes: TensorRT's least of a binding's address
MOST_ROWS = 32  # of a table whose rows are worth a CUDA graph each
TOGETHER = 8  # steps of a CUDA graph, where nothing is asked for between them
KEPT = 256  # outputs that are kept on the device before they are read


def _nbytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


class StepLoop:
    """An engine with an implicit batch that is run step after step. Memory is given back by `close`.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: the engine.
        feedback: for outputs that are the next step's inputs, the input's name; they begin as zeros.
        tables: for inputs that are a row of a table each step, the table, [rows, batch_size * elements of the input].
        batch_size: of every step; a table's row is for the whole batch.
        beside: another loop, with which this one is to share a stream, so that all is done in the order of the calls.
        record: whether steps become CUDA graphs where the engine allows it. One with an RNNv2 does not, and TensorRT
            says so as an error. With a table of more than `MOST_ROWS` rows none do: each row would be another.

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
        beside: StepLoop | None = None,
        record: bool = True,
    ) -> None:
        if batch_size > engine.max_batch_size:
            fault = f"steps have a batch of {batch_size}, but the engine takes at most {engine.max_batch_size}"
            raise UserError(f"{fault}. Lower the batch, or raise max_batch_size and build again.")
        self.engine, self.context, self.batch_size = engine, create_context(engine), batch_size
        self._place = {engine.get_binding_name(index): index for index in range(engine.num_bindings)}
        self._shapes = {name: (batch_size, *engine.get_binding_shape(index)) for name, index in self._place.items()}
        self._dtypes = {
            name: np.dtype(trt.nptype(engine.get_binding_dtype(index))) for name, index in self._place.items()
        }
        self._feedback, self._row_bytes = dict(feedback), dict[str, int]()
        padded = {name: _aligned(rows) for name, rows in self._checked(tables or {}).items()}
        self._device = device_of(trt)
        self._stream: Any = self._device.create_stream() if beside is None else beside._stream
        self._memory, self._kept = dict[str, Buffer](), dict[str, _Kept]()
        self._graphs = StepGraphs(self._device, self._stream)
        self._record = record and all(len(rows) <= MOST_ROWS for rows in padded.values())
        self._uploading: set[Buffer] = set()  # what the stream may still read of the host's memory
        self._bindings = [0] * engine.num_bindings
        try:
            for name, shape in self._shapes.items():
                nbytes = padded[name].nbytes if name in padded else _nbytes(shape, self._dtypes[name])
                self._memory[name] = self._device.allocate(nbytes)
        except UserError:
            self.close()
            raise
        for name, rows in padded.items():
            self._memory[name].copy_from(rows)
            self._row_bytes[name] = rows.strides[0]
        self.reset()

    def close(self) -> None:
        """Give context and memory back; harmless when that was done."""
        self._graphs.free()
        for buffer in [*self._memory.values(), *(kept.buffer for kept in self._kept.values())]:
            buffer.free()
        self._memory, self._kept, self.context = {}, {}, None

    def __contains__(self, name: str) -> bool:
        """Whether the engine has an input or output of this name."""
        return name in self._place

    def _checked(self, tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables in their inputs' types; refuse names and sizes that do not fit."""
        for name in [*self._feedback, *self._feedback.values(), *tables]:
            if name not in self._place:
                raise UserError(f"the engine has no binding {name!r}; it has {', '.join(self._place)}.")
        for output, name in self._feedback.items():
            if (self._shapes[output], self._dtypes[output]) != (self._shapes[name], self._dtypes[name]):
                shapes = f"{self._shapes[output]} and {self._shapes[name]}"
                raise UserError(f"output {output!r} cannot become input {name!r}: their shapes are {shapes}.")
        return {name: self._rows(name, rows) for name, rows in tables.items()}

    def _rows(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return rows of a table in their input's type; refuse those of another size."""
        if rows.shape[1:] != (math.prod(self._shapes[name]),):
            raise UserError(f"input {name!r} has shape {self._shapes[name]}, but rows of a table {rows.shape}.")
        return rows.astype(self._dtypes[name], copy=False)

    def profile(self, profiler: Any) -> None:
        """Report the time of each layer to a TensorRT profiler from now on; CUDA graphs, which report none, end."""
        self.context.profiler, self._record = profiler, False

    def reset(self) -> None:
        """Begin anew: what is fed back is zero."""
        for name in self._feedback.values():
            self.clear(name)
        for name, index in self._place.items():
            self._bindings[index] = self._memory[name].pointer

    def clear(self, name: str) -> None:
        """Set an input to zeros."""
        self._memory[name].clear(self._stream)

    def write(self, name: str, values: np.ndarray) -> None:
        """Set an input [batch, …] from the host. On a GPU this returns before the copy is done."""
        self._stage(name, values.reshape(self._shapes[name]))
        self._upload(name)

    def fill(self, name: str, rows: np.ndarray) -> None:
        """Replace the first rows of an input's table, [rows, batch_size * elements]."""
        self._stage(name, _aligned(self._rows(name, rows)))
        self._memory[name].upload(len(rows) * self._row_bytes[name], self._stream)

    def _stage(self, name: str, values: np.ndarray) -> None:
        """Lay values where the stream takes them from; wait where it still takes those before."""
        buffer = self._memory[name]
        if buffer in self._uploading:
            self._synchronize()
        buffer.stage(values.astype(self._dtypes[name], copy=False))
        self._uploading.add(buffer)

    def _upload(self, name: str) -> None:
        self._memory[name].upload(_nbytes(self._shapes[name], self._dtypes[name]), self._stream)

    def _synchronize(self) -> None:
        self._stream.synchronize()
        self._uploading.clear()

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
        self._synchronize()
        other._synchronize()
        self._memory[name], other._memory[output] = other._memory[output], self._memory[name]
        self._bindings[self._place[name]] = self._memory[name].pointer
        other._bindings[other._place[output]] = other._memory[output].pointer

    def lay(self, name: str, first: int, other: StepLoop, output: str) -> None:
        """Let a part of an input [batch, N, …] be what another loop put out, [batch, n, …] or [batch, …] where n is 1.

        It is copied on the device, to the places from `first` on of the second axis; what goes beyond its end is left
        out. The loops share a stream.

        Raises:
            UserError: their shapes or types differ.
        """
        ours, theirs = self._shapes[name], other._shapes[output]
        count = math.prod(theirs[1:]) // math.prod(ours[2:])
        fits = theirs in ((ours[0], count, *ours[2:]), (ours[0], *ours[2:]))
        if not fits or self._dtypes[name] != other._dtypes[output] or self._stream is not other._stream:
            raise UserError(f"output {output!r} of shape {theirs} cannot become a part of input {name!r}, {ours}.")
        place = _nbytes(ours[2:], self._dtypes[name])
        self._memory[name].copy_rows(
            other._last(output),
            ours[0],
            min(count, ours[1] - first) * place,
            (count * place, ours[1] * place),
            first * place,
            self._stream,
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an input or output, with the batch."""
        return tuple(self._shapes[name])

    def choose(self, name: str, row: int) -> None:
        """Let an input be a row of its table; nothing is copied."""
        self._bindings[self._place[name]] = self._memory[name].pointer + row * self._row_bytes[name]

    def step(
        self, inputs: Mapping[str, np.ndarray] | None = None, outputs: Sequence[str] = ()
    ) -> tuple[np.ndarray, ...]:
        """Run once. On a GPU this returns before the step is done, unless outputs are asked for.

        Args:
            inputs: inputs [batch, …] that are set from the host first.
            outputs: those to return, each [batch, …].

        Raises:
            UserError: the engine could not run.
        """
        given = tuple(inputs or ())
        for name, values in (inputs or {}).items():
            self._stage(name, values)

        def enqueue() -> None:
            for name in given:
                self._upload(name)
            self._execute()
            for name in outputs:
                self._download(self._memory[name], name)

        self._give((tuple(self._bindings), given, tuple(outputs)), enqueue)
        awaited = [(self._memory[name], name) for name in outputs]
        self._feed_back()
        if awaited:
            self._synchronize()
        return tuple(buffer.values(self._shapes[name], self._dtypes[name]) for buffer, name in awaited)

    def _execute(self) -> None:
        if not self.context.execute_async(self.batch_size, self._bindings, self._stream.handle):
            raise UserError(because("the engine could not run"))

    def _give(self, key: Hashable, enqueue: Callable[[], None]) -> None:
        """Give work to the stream; work of a key that was given before as a CUDA graph, where there can be one."""
        if self._record:
            self._graphs.run(key, enqueue)
        else:
            enqueue()

    def _feed_back(self) -> None:
        for output, name in self._feedback.items():
            self._memory[output], self._memory[name] = self._memory[name], self._memory[output]
            for swapped in (output, name):
                self._bindings[self._place[swapped]] = self._memory[swapped].pointer

    def _last(self, name: str) -> Buffer:
        """Return where an output of the last step is, be it fed back by now."""
        return self._memory[self._feedback.get(name, name)]

    def _download(self, buffer: Buffer, name: str) -> None:
        buffer.download(_nbytes(self._shapes[name], self._dtypes[name]), self._stream)

    def read(self, name: str) -> np.ndarray:
        """Return an output of the last step, [batch, …]; of one that is fed back, too."""
        buffer = self._last(name)
        self._download(buffer, name)
        self._synchronize()
        return buffer.values(self._shapes[name], self._dtypes[name])

    def run(self, count: int, kept: Sequence[str] = ()) -> None:
        """Run several times, each time on what was fed back the time before. On a GPU this returns before all is done.

        Args:
            count: how often. `TOGETHER` steps become one CUDA graph, where the engine allows it.
            kept: outputs of each step to keep on the device until `kept` reads them; the host waits once in `KEPT`
                steps.

        Raises:
            UserError: the engine could not run.
        """
        while count:
            together = min(count, TOGETHER, *map(self._room, kept))
            self._run_together(together, kept)
            count -= together

    def _run_together(self, count: int, kept: Sequence[str]) -> None:
        def enqueue() -> None:
            for step in range(count):
                self._execute()
                for name in kept:
                    self._copy_to_kept(name, step)
                self._feed_back()
            if count % 2:  # inputs and outputs change places again, for a launch leaves them alone
                self._feed_back()

        places = tuple(self._kept[name].count for name in kept)
        self._give((tuple(self._bindings), count, tuple(kept), places), enqueue)
        if count % 2:
            self._feed_back()
        for name in kept:
            self._kept[name].count += count

    def _room(self, name: str) -> int:
        """Return how many more outputs of one name can be kept, at least one."""
        if name not in self._kept:
            self._kept[name] = _Kept(self._device.allocate(KEPT * _nbytes(self._shapes[name], self._dtypes[name])))
        if self._kept[name].count == KEPT:
            self._read_kept(name)
        return KEPT - self._kept[name].count

    def _copy_to_kept(self, name: str, step: int) -> None:
        kept, nbytes = self._kept[name], _nbytes(self._shapes[name], self._dtypes[name])
        place = (kept.count + step) * nbytes
        kept.buffer.copy_rows(self._memory[name], 1, nbytes, (nbytes, nbytes), place, self._stream)

    def kept(self, name: str) -> np.ndarray:
        """Return what was kept of an output since the last call, [steps, batch, …], and keep it no longer."""
        nothing = np.zeros((0, *self._shapes[name]), self._dtypes[name])
        if (kept := self._kept.get(name)) is None:
            return nothing
        if kept.count:
            self._read_kept(name)
        values = np.concatenate([nothing, *kept.values])
        kept.values.clear()
        return values

    def _read_kept(self, name: str) -> None:
        kept, shape = self._kept[name], (self._kept[name].count, *self._shapes[name])
        kept.buffer.download(_nbytes(shape, self._dtypes[name]), self._stream)
        self._synchronize()
        kept.values.append(kept.buffer.values(shape, self._dtypes[name]))
        kept.count = 0


class _Kept:
    """Outputs of one name: those on the device, and those that had to be read to make room."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer, self.count = buffer, 0
        self.values: list[np.ndarray] = []


def _aligned(rows: np.ndarray) -> np.ndarray:
    """Return a table whose rows begin at addresses that TensorRT takes; zeros lie between them."""
    step = ALIGNMENT // rows.itemsize
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, -rows.shape[1] % step))))


def measure_steps(
    queries: Mapping[str, Callable[[], object]], seconds: float, *, brief: bool = False
) -> dict[str, dict[str, Any]]:
    """Time functions that take a step each, in turns, after a warm-up; by the host's clock, which waits for the result.

    Args:
        queries: the functions, by name.
        seconds: how long to measure each, at least ten times.
        brief: whether three times will do, and one to warm up.

    Returns:
        for each name `latency_ms` (mean, median, p95, p99) and `throughput_per_s`, steps a second of their own time.
    """
    times: dict[str, list[float]] = {name: [] for name in queries}
    warm_up, queried = ((0.0, 1), BRIEF_QUERIES) if brief else ((WARM_UP_S, LEAST_WARM_UP), LEAST_QUERIES)
    for phase, least in (warm_up, (seconds, queried)):
        for taken in times.values():
            taken.clear()
        end = time.perf_counter() + phase * len(queries)
        while time.perf_counter() < end or min(map(len, times.values())) < least:
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
