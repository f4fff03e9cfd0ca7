"""An engine that is ready to run: arrays in, arrays out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from itertools import cycle, product
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.runtime.backend import check_device, load_backend
from trtflow.runtime.devices import device_of
from trtflow.runtime.entry import create_context, create_runtime
from trtflow.runtime.layouts import layout_of
from trtflow.runtime.messages import because, logger_of
from trtflow.runtime.open_outputs import allocator_of
from trtflow.runtime.origin import read_origin, read_plan
from trtflow.runtime.plugins import load_plugins
from trtflow.runtime.slots import Lane, Query, Slot, Streams, Way


def load_engine(plan: Path, backend: dict[str, Any]) -> tuple[ModuleType, Any]:
    """Return the implementation of TensorRT's API and the engine of a plan.

    Args:
        plan: `engine.<precision>.plan`; `engine.<precision>.json` beside it says where it was built.
        backend: content of `results/backend.json`, the backend that is to run it.

    Raises:
        FormatError: the plan was built by another version or for another device, or is damaged; or this process has
            another GPU or TensorRT than the backend says.
    """
    rebuild = f"Delete it and make {plan} again with snakemake."
    origin = read_origin(plan)
    built = origin["backend"]
    if built != backend:
        keys = [key for key in {**backend, **built} if built.get(key) != backend.get(key)]
        fault = ", ".join(f"built with {key} {built.get(key)}, not {backend.get(key)}" for key in keys)
        raise FormatError(plan, fault, rebuild)
    serialised = read_plan(plan, origin)
    trt = load_backend(backend)
    check_device(backend)
    logger = logger_of(trt)
    trt.init_libnvinfer_plugins(logger, "")  # TensorRT's own; a plan that holds one cannot be read without
    load_plugins(trt, origin["plugins"])
    runtime = create_runtime(trt, logger)
    engine = runtime.deserialize_cuda_engine(serialised)
    if engine is None:
        raise FormatError(plan, "TensorRT cannot load it", because(rebuild))
    return trt, engine


class Session:
    """A context with buffers for the largest shapes that the engine takes, under its first optimization profile.

    On a GPU there are as many buffers as `depth` for each context, and streams of their own for copies to the device,
    computing and copies back, so that the copies of one batch overlap with computing another. Memory is given back by
    `close`, at the end of a `with` block, and when the session is no longer used.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        engine: an engine with an implicit batch, or with an explicit one that is fixed or dynamic.
        scales: of inputs that are INT8 in the engine; arrays of floats for them are rounded to steps of it, as TensorRT
            does it, and arrays of int8 are taken for steps.
        contexts: batches that are computed at the same time, each by a context and streams of its own; where one leaves
            multiprocessors idle, another has work for them.

    Attributes:
        opened: names of the outputs whose sizes depend on values.

    Raises:
        UserError: there is not enough memory, or the engine has several contexts, but no optimization profile for each.
    """

    def __init__(
        self, trt: ModuleType, engine: Any, scales: Mapping[str, float] = MappingProxyType({}), contexts: int = 1
    ) -> None:
        self._slots: list[Slot] = []
        self._scales = scales
        self.device = device_of(trt)
        self.engine, self.context = engine, create_context(engine)
        # TensorRT 8.6 repeats all bindings for each further profile
        count = engine.num_bindings // max(1, engine.num_optimization_profiles)
        self.names = [engine.get_binding_name(index) for index in range(count)]
        self._spare = [0] * (engine.num_bindings - count)
        self._layouts = {name: layout_of(trt, engine, index) for index, name in enumerate(self.names)}
        self._inputs = {name: index for index, name in enumerate(self.names) if engine.binding_is_input(index)}
        self._ranges = {name: self._range(index) for name, index in self._inputs.items()}
        largest = {name: shapes[2] for name, shapes in self._ranges.items()}
        others = [create_context(engine) for _ in range(contexts - 1)]
        self._lanes = [Lane(context, Streams(self.device)) for context in (self.context, *others)]
        shapes = self._output_shapes(largest)
        self.opened = [name for name, shape in shapes.items() if -1 in shape]
        opened = {name: self._layouts[name] for name in self.opened}
        inputs, outputs = self._sizes(largest), self._sizes(shapes)
        try:
            for _, lane in product(range(self.device.depth), self._lanes):
                self._set_shapes(lane, largest)
                self._slots.append(slot := Slot(self.device, lane, inputs, outputs, opened))
                slot.allocators = {name: allocator_of(trt, memory) for name, memory in slot.opened.items()}
        except UserError:
            self.close()
            raise

    @classmethod
    def load(cls, plan: Path, backend: dict[str, Any]) -> Session:
        """Return a session of a plan and of what the file beside it says of its inputs; see `load_engine`."""
        trt, engine = load_engine(plan, backend)
        return cls(trt, engine, read_origin(plan).get("io", {}).get("scales", {}))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give context and memory back; harmless when that was done."""
        for slot in self._slots:
            slot.free()
        self._slots = []
        self._lanes = []
        self.context = None

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one batch.

        Args:
            feeds: an array for each input, [N, ...], N at most the engine's largest batch; where the network fixes
                its batch, N must be that.

        Returns:
            an array for each output.

        Raises:
            UserError: an input is missing, or has a shape that the engine does not take.
        """
        return next(self.run_all([feeds]))

    def run_all(self, batches: Iterable[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
        """Run batches as `run` does, and yield their outputs in order; each buffer has one under way."""
        pending: deque[tuple[Slot, dict[str, tuple[int, ...]]]] = deque()
        try:
            for slot, feeds in zip(cycle(self._slots), batches):
                if len(pending) == len(self._slots):
                    yield self._collect(*pending.popleft())
                pending.append((slot, self._submit(slot, feeds)))
            while pending:
                yield self._collect(*pending.popleft())
        finally:  # what is left under way would write into buffers that the next batch uses
            for slot, _ in pending:
                slot.wait()

    def fill(self, feeds: dict[str, np.ndarray]) -> None:
        """Leave a batch in all buffers, for `execute` and `queries`, where time depends on values; see `run`."""
        for _ in self.run_all([feeds] * len(self._slots)):
            pass

    def execute(self, batch_size: int) -> None:
        """Run a batch on what the buffers hold, without copies; see `best_shapes`."""
        slot = self._slots[0]
        self._enqueue(slot, self.best_shapes(batch_size))
        slot.lane.streams.compute.synchronize()

    def best_shapes(self, batch_size: int) -> dict[str, tuple[int, ...]]:
        """Return shapes of the inputs for a batch; other dynamic sizes are those the engine was optimised for.

        Raises:
            UserError: the engine does not take such a batch.
        """
        batched = [name for name, (low, _, high) in self._ranges.items() if low[:1] != high[:1]]
        if not batched:  # the batch is fixed, in every input that has one
            batched = [name for name, (_, best, _) in self._ranges.items() if len(best) > 1]
        shapes = {name: best for name, (_, best, _) in self._ranges.items()}
        shapes |= {name: (batch_size, *shapes[name][1:]) for name in batched}
        self._check(shapes)
        return shapes

    def queries(self, batch_size: int, *, graph: bool = False) -> Generator[Query, None, None]:
        """Run a batch again and again on what the buffers hold, copies included, for as long as the caller wants.

        Args:
            batch_size: see `best_shapes`.
            graph: whether to launch a CUDA graph instead of enqueueing each time.

        Yields:
            for each batch, when it is done, how long its parts took. Each buffer has one under way.

        Raises:
            RuntimeError: the engine cannot be recorded as a CUDA graph.
        """
        shapes = self.best_shapes(batch_size)
        sizes = self._sizes({**shapes, **self._output_shapes(shapes)})
        if graph:
            self._record_graphs(shapes)
        origin = self.device.create_event()
        origin.record(self._lanes[0].streams.upload)
        pending: deque[Slot] = deque()
        ways: dict[Slot, Way] = {}
        try:
            for slot in cycle(self._slots):
                if len(pending) == len(self._slots):
                    yield pending.popleft().times(origin)
                if slot not in ways:
                    enqueue = slot.graph.launch if graph else self._repeated(slot, shapes)
                    ways[slot] = slot.way(sizes, enqueue)
                slot.send(ways[slot])
                pending.append(slot)
        finally:
            for slot in pending:
                slot.wait()

    def _record_graphs(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Record the execution of each slot, once it was run in the plain way, which TensorRT asks for.

        Raises:
            RuntimeError: sizes depend on values, for which TensorRT waits.
        """
        if self.opened:
            raise RuntimeError(f"the size of {self.opened[0]!r} depends on values")
        for slot in self._slots:
            stream = slot.lane.streams.compute
            self._enqueue(slot, shapes)
            stream.synchronize()
            if slot.graph is not None:
                slot.graph.free()
            slot.graph = self.device.capture(partial(self._enqueue, slot, shapes), stream)

    def _submit(self, slot: Slot, feeds: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
        """Send a batch on its way; return the shapes of its outputs."""
        if set(feeds) != set(self._inputs):
            raise UserError(f"got the inputs {', '.join(feeds)}, but the engine takes {', '.join(self._inputs)}.")
        shapes = {name: feeds[name].shape for name in self._inputs}
        self._check(shapes)
        for name, values in feeds.items():
            slot.buffers[name].stage(self._layouts[name].to_memory(self._in_steps(name, values)))
        outputs = self._output_shapes(shapes)
        sizes = self._sizes({**shapes, **outputs})
        slot.send(slot.way(sizes, partial(self._enqueue, slot, shapes)))
        return outputs

    def _in_steps(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return an input of floats in steps of its scale, where the engine takes such."""
        if name not in self._scales or values.dtype.kind != "f":
            return values
        return np.clip(np.rint(values / np.float32(self._scales[name])), -128, 127).astype(np.int8)

    def _collect(self, slot: Slot, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        """Wait for a batch and return its outputs."""
        slot.wait()
        found = {}
        for name, known in shapes.items():
            if name in slot.opened:
                found[name] = slot.opened[name].values()
                continue
            layout = self._layouts[name]
            found[name] = layout.from_memory(slot.buffers[name].values(layout.memory_shape(known), layout.dtype), known)
        return found

    def _sizes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Return bytes of arrays of these shapes, but for those whose shapes depend on values."""
        return {name: self._layouts[name].nbytes(shape) for name, shape in shapes.items() if name not in self.opened}

    def _range(self, index: int) -> tuple[tuple[int, ...], ...]:
        """Return the smallest, best and largest shape of an input, with the batch."""
        shape = tuple(self.engine.get_binding_shape(index))
        if self.engine.has_implicit_batch_dimension:
            return (1, *shape), (self.engine.max_batch_size, *shape), (self.engine.max_batch_size, *shape)
        return tuple(map(tuple, self.engine.get_profile_shape(0, index))) if -1 in shape else (shape, shape, shape)

    def _check(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Refuse shapes that the engine does not take."""
        for name, shape in shapes.items():
            smallest, _, largest = self._ranges[name]
            fits = len(shape) == len(largest)
            if not fits or any(not low <= n <= high for low, n, high in zip(smallest, shape, largest, strict=True)):
                takes = f"{largest}" if smallest == largest else f"{smallest} to {largest}"
                raise UserError(f"input {name!r}: got an array of shape {shape}, but the engine takes {takes}.")
        if self.engine.has_implicit_batch_dimension and len({shape[0] for shape in shapes.values()}) > 1:
            raise UserError(f"inputs of shapes {', '.join(map(str, shapes.values()))} differ in their batch.")

    def _enqueue(self, slot: Slot, shapes: dict[str, tuple[int, ...]]) -> None:
        """Let the compute stream run on what a slot's buffers hold."""
        self._set_shapes(slot.lane, shapes)
        self._repeated(slot, shapes)()

    def _repeated(self, slot: Slot, shapes: dict[str, tuple[int, ...]]) -> Callable[[], None]:
        """Return what lets the compute stream run on a slot's buffers, once its context has the shapes.

        All that is the same from query to query is made ready here: between two queries the host has little time.
        """
        bindings = [slot.buffers[name].pointer for name in self.names if name in slot.buffers] + self._spare
        context, stream = slot.lane.context, slot.lane.streams.compute.handle
        if self.opened:
            execute = partial(self._execute_open, slot, stream)
        elif self.engine.has_implicit_batch_dimension:
            execute = partial(context.execute_async, _batch_size(shapes), bindings, stream)
        else:
            execute = partial(context.execute_async_v2, bindings, stream)

        def enqueue() -> None:
            if not execute():
                raise UserError(because("the engine could not run"))

        return enqueue

    def _execute_open(self, slot: Slot, stream: int) -> bool:
        """Run with memory of a slot's allocators for what depends on values."""
        context = slot.lane.context
        for name, buffer in slot.buffers.items():
            context.set_tensor_address(name, buffer.pointer)
        for name, allocator in slot.allocators.items():  # another batch of the same context had others
            context.set_output_allocator(name, allocator)
        done = bool(context.execute_async_v3(stream))
        for memory in slot.opened.values():
            if memory.fault is not None:
                raise memory.fault
        return done

    def _set_shapes(self, lane: Lane, shapes: dict[str, tuple[int, ...]]) -> None:
        """Tell a context the shapes of the inputs, unless it has them."""
        if self.engine.has_implicit_batch_dimension or shapes == lane.shapes:
            return
        for name, index in self._inputs.items():
            if not lane.context.set_binding_shape(index, shapes[name]):
                raise UserError(because(f"input {name!r} cannot take the shape {shapes[name]}"))
        lane.shapes = shapes

    def _output_shapes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the outputs for shapes of the inputs; -1 is a size that depends on values."""
        outputs = {name: index for index, name in enumerate(self.names) if name not in self._inputs}
        if self.engine.has_implicit_batch_dimension:
            batch = _batch_size(shapes)
            return {name: (batch, *self.engine.get_binding_shape(index)) for name, index in outputs.items()}
        self._set_shapes(self._lanes[0], shapes)
        return {name: tuple(self.context.get_binding_shape(index)) for name, index in outputs.items()}


def _batch_size(shapes: dict[str, tuple[int, ...]]) -> int:
    return next(iter(shapes.values()))[0]
