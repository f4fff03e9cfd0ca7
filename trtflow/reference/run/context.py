"""Execution context of TensorRT 8.6 on ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import PlanError, ProfileError
from trtflow.reference.memory import MemoryFaultError, NullAddressError, as_number, read
from trtflow.reference.record.allocators import ALIGNMENT, IGpuAllocator, IOutputAllocator, checked_allocator
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.dims import InvalidDims
from trtflow.reference.record.enums import ErrorCodeTRT
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import DTYPES, Dims, volume
from trtflow.reference.run.formats import read_laid_out, strides_of, write_laid_out
from trtflow.reference.run.profiler import IProfiler, layer_times
from trtflow.reference.run.providers import open_session, session_of_onnxruntime

if TYPE_CHECKING:
    from trtflow.reference.run.engine import ICudaEngine

WARM_UP = 3  # runs before the one that is profiled: the first ones pay for memory


class IExecutionContext(Scope, Reporter):
    """Runs an engine. Bindings are addresses of contiguous memory in the order of the engine's bindings.

    The values of inputs that are shape tensors are taken from `set_shape_input`, or else from their address.

    Attributes:
        profiler: receives the time of each layer after each run.
        enqueue_emits_profile: whether it does so by itself, and not when `report_to_profiler` is called.
        debug_sync, persistent_cache_limit, nvtx_verbosity, temporary_allocator: recorded only: every run is
            synchronous.
    """

    read_only = ("engine",)

    def __init__(self, engine: ICudaEngine, own_memory: bool = True) -> None:
        super().__init__(engine.logger, engine.error_recorder)
        self.engine, self.name, self.debug_sync = engine, "", False
        self.profiler: IProfiler | None = None
        self.enqueue_emits_profile = True
        self.persistent_cache_limit = 0
        self.nvtx_verbosity = engine.profiling_verbosity
        self.temporary_allocator: IGpuAllocator | None = None
        self._memory = own_memory or engine.device_memory_size == 0  # whether there is some to work in
        self._consumed = 0  # the event that is told when inputs are read
        self._times: dict[str, float] = {}  # of the last run that had a profiler
        self._session: Any = None
        self._revision = -1  # of the weights that the session holds
        self._profile = 0
        self._shapes: dict[str, Dims] = {}
        self._values: dict[str, np.ndarray] = {}  # of shape tensors
        self._addresses: dict[str, int] = {}
        self._allocators: dict[str, IOutputAllocator] = {}

    def _set_memory(self, memory: int) -> None:
        self._memory = bool(memory)

    device_memory = property(None, _set_memory, doc="Address of memory to work in, where the context has none.")

    @property
    def active_optimization_profile(self) -> int:
        """Index of the profile whose shapes inputs may take; setting it forgets the shapes that were set."""
        return self._profile

    @active_optimization_profile.setter
    def active_optimization_profile(self, index: int) -> None:
        self.engine.check_profile(index)
        self._profile, self._shapes, self._values = index, {}, {}

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Switch to a profile and forget the shapes that were set.

        Raises:
            ProfileError: there is no such profile.
        """
        self.active_optimization_profile = profile_index
        return True

    @answers(False)
    def set_binding_shape(self, binding: int, shape: Any) -> bool:
        """Set the shape of an input by the index that it has in the active profile."""
        profile, index = divmod(binding, self.engine.num_io_tensors)
        if profile != self._profile:
            return self._error(f"binding {binding} is one of profile {profile}, but profile {self._profile} is active")
        return self.set_input_shape(list(self.engine.tensors)[index], shape)

    @answers(False)
    def set_input_shape(self, name: str, shape: Any) -> bool:
        """Set the shape of an input; False, and a message in the log, where the engine or the profile forbids it."""
        if not self.engine.tensor(name).is_input:
            return self._error(f"{name!r} is an output; its shape follows from the inputs")
        declared, wanted = self.engine.tensors[name].shape, Dims(shape)
        if len(wanted) != len(declared) or any(d not in (-1, w) for d, w in zip(declared, wanted, strict=True)):
            return self._error(f"input {name!r} has the shape {declared}; {wanted} does not fit it")
        smallest, _, largest = self.engine.profile_range(name, self._profile)
        if any(not low <= size <= high for low, size, high in zip(smallest, wanted, largest, strict=True)):
            limits = f"profile {self._profile} allows {smallest} to {largest}"
            return self._error(f"input {name!r} cannot take the shape {wanted}: {limits}")
        self._shapes[name] = wanted
        return True

    @answers(InvalidDims())
    def get_binding_shape(self, binding: int) -> Dims:
        """Return the shape that a binding has with the inputs' shapes as they are set; -1 where they are not."""
        return self._shape_of(binding)

    @answers(InvalidDims())
    def get_tensor_shape(self, name: str) -> Dims:
        """Return what `get_binding_shape` does, by name."""
        return self._shape_of(name)

    def _shape_of(self, key: int | str) -> Dims:
        tensor = self.engine.tensor(key)
        if tensor.is_input:
            return Dims(self._shapes.get(tensor.name, tensor.shape))
        if -1 not in tensor.shape or not self._all_shapes() or self._depends_on_values(tensor.name):
            return tensor.shape
        values = self._known_values()
        if len(values) < len(self._shape_inputs()) and self.engine.output_shapes.by_shape_values(tensor.name):
            return tensor.shape
        return Dims(self.engine.output_shapes.of(tensor.name, self._input_shapes(), values, self._run_on_zeros))

    @answers(InvalidDims())
    def get_tensor_strides(self, name: str) -> Dims:
        """Return how many elements apart neighbours lie along each dimension of an input or output."""
        return self._strides_of(name)

    @answers(InvalidDims())
    def get_strides(self, binding: int) -> Dims:
        """Return how many elements apart neighbours lie along each dimension of a binding."""
        return self._strides_of(binding)

    def _strides_of(self, key: int | str) -> Dims:
        tensor = self.engine.tensor(key)
        return Dims(strides_of(tuple(self._shape_of(key)), tensor.dtype, tensor.layout))

    @answers(False)
    def set_shape_input(self, binding: int, shape: list[int]) -> bool:
        """Set the values of an input that is a shape tensor; False where it is none, or the profile forbids them."""
        tensor = self.engine.tensor(binding)
        if not (tensor.is_input and tensor.is_shape):
            return self._error(f"{tensor.name!r} is no input whose values are sizes")
        values = [int(value) for value in shape]
        if -1 not in tensor.shape and len(values) != volume(tensor.shape):
            return self._error(f"{len(values)} values for {tensor.name!r}, which has {volume(tensor.shape)}")
        limits = self.engine.shape_values[self._profile].get(tensor.name)
        if limits and any(not low <= v <= high for low, v, high in zip(limits[0], values, limits[2], strict=True)):
            return self._error(f"{tensor.name!r} cannot be {values}: the profile allows {limits[0]} to {limits[2]}")
        self._values[tensor.name] = np.array(values, DTYPES[tensor.dtype]).reshape(tuple(self._shape_of(binding)))
        return True

    def get_shape(self, binding: int) -> list[int]:
        """Return the values of a binding that is a shape tensor.

        Raises:
            ProfileError: they are not set, or it is none. (TensorRT raises RuntimeError.)
        """
        tensor = self.engine.tensor(binding)
        values = self._known_values().get(tensor.name)
        if values is None and tensor.is_shape and not tensor.is_input and not self._missing_values():
            values = dict(zip(self._outputs(), self._on_zeros(self._input_shapes()), strict=False))[tensor.name]
        if values is None:
            raise ProfileError(f"{tensor.name!r}: Error in get shape bindings: its values are not known.")
        return [int(value) for value in values.ravel()]

    def _shape_inputs(self) -> list[str]:
        return [name for name, tensor in self.engine.tensors.items() if tensor.is_input and tensor.is_shape]

    def _known_values(self) -> dict[str, np.ndarray]:
        """Return the values of shape tensors that are set, or lie where an address says."""
        known = dict(self._values)
        for name in self._shape_inputs():
            shape = self._input_shapes()[name]
            if name not in known and self._addresses.get(name) and -1 not in shape:
                known[name] = read(self._addresses[name], tuple(shape), self.engine.tensors[name].dtype)
        return known

    def _missing_values(self) -> list[str]:
        known = self._known_values()
        return [name for name in self._shape_inputs() if name not in known]

    def _depends_on_values(self, name: str) -> bool:
        return name in self.engine.output_shapes.by_values.outputs

    @answers(-1)
    def get_max_output_size(self, name: str) -> int:
        """Return the most bytes that an output can take with the inputs' shapes as they are set; -1 where unknown."""
        tensor = self.engine.tensor(name)
        if tensor.is_input or not self._all_shapes():
            return -1
        if self._depends_on_values(tensor.name):
            shape = self.engine.output_shapes.by_values.largest(self._input_shapes())[tensor.name]
        else:
            shape = self._shape_of(tensor.name)
            if -1 in shape:  # the values that are sizes are not set
                shape = self.engine.output_shapes.by_any_values.largest(self._input_shapes())[tensor.name]
        return -1 if -1 in shape else volume(shape) * DTYPES[tensor.dtype].itemsize

    @answers(False)
    def set_output_allocator(self, name: str, output_allocator: IOutputAllocator | None) -> bool:
        """Have an output's memory from an allocator in `execute_async_v3`; None takes it away again."""
        checked_allocator(output_allocator, IOutputAllocator, "set_output_allocator")
        tensor = self.engine.tensor(name)
        if tensor.is_input:
            return self._error(f"{name!r} is an input; only outputs have allocators")
        self._allocators.pop(tensor.name, None)
        if output_allocator is not None:
            self._allocators[tensor.name] = output_allocator
        return True

    @answers(None)
    def get_output_allocator(self, name: str) -> IOutputAllocator | None:
        """Return the allocator of an output, or None."""
        return self._allocators.get(self.engine.tensor(name).name)

    @property
    def all_binding_shapes_specified(self) -> bool:
        """Whether the shape of every dynamic input is set."""
        return self._all_shapes()

    @property
    def all_shape_inputs_specified(self) -> bool:
        """Whether the values of every input that is a shape tensor are set."""
        return not self._missing_values()

    def _all_shapes(self) -> bool:
        return all(-1 not in shape for shape in self._input_shapes().values())

    def infer_shapes(self) -> list[str]:
        """Return the inputs whose shapes, or whose values where they are sizes, are yet to be set."""
        unset = [name for name, shape in self._input_shapes().items() if -1 in shape]
        return unset + [name for name in self._missing_values() if name not in unset]

    def set_input_consumed_event(self, event: int) -> bool:
        """Note the event that is recorded when inputs are read; on a CPU they are when a run returns."""
        self._consumed = int(event)
        return True

    def get_input_consumed_event(self) -> int:
        """Return the event that was noted, or 0."""
        return self._consumed

    def set_aux_streams(self, aux_streams: list[int]) -> None:
        """Do nothing: a CPU has no streams."""

    def report_to_profiler(self) -> bool:
        """Give the profiler the times of the last run; False where there are none."""
        if self.profiler is None or not self._times:
            return self._error("there is no run with a profiler whose times could be told")
        for name, ms in self._times.items():
            self.profiler.report_layer_time(name, ms)
        return True

    @answers(False)
    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Set the address of an input or output.

        Raises:
            TypeError: it is no number, as TensorRT raises it.
        """
        tensor = self.engine.tensor(name)
        try:
            self._addresses[tensor.name] = as_number(memory)
        except MemoryFaultError as fault:
            raise TypeError(f"set_tensor_address of {name!r}: {fault}") from None
        return True

    @answers(0)
    def get_tensor_address(self, name: str) -> int:
        """Return the address of an input or output, 0 where none is set."""
        return self._addresses.get(self.engine.tensor(name).name, 0)

    @answers(False)
    def execute(self, batch_size: int = 1, bindings: list[int] | None = None) -> bool:
        """Run a batch of an engine with an implicit batch; False, and a message in the log, where that cannot be."""
        if not self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an explicit batch; use execute_v2")
        if not 1 <= batch_size <= self.engine.max_batch_size:
            largest = self.engine.max_batch_size
            return self._error(f"batch size {batch_size}, but the engine was built for 1 to {largest}")
        return self._run_bindings([] if bindings is None else bindings, (batch_size,))

    @answers(False)
    def execute_v2(self, bindings: list[int]) -> bool:
        """Run an engine with an explicit batch; False, and a message in the log, where that cannot be.

        Args:
            bindings: as many addresses as the engine has bindings; those of the active profile are used.
        """
        if self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an implicit batch; use execute")
        return self._run_bindings(bindings, ())

    def execute_async(
        self,
        batch_size: int = 1,
        bindings: list[int] | None = None,
        stream_handle: int = 0,
        input_consumed: Any = None,
    ) -> bool:
        """Run like `execute`; a CPU has no streams, so the work is done on return."""
        return self.execute(batch_size, bindings)

    def execute_async_v2(self, bindings: list[int], stream_handle: int, input_consumed: Any = None) -> bool:
        """Run like `execute_v2`; the work is done on return."""
        return self.execute_v2(bindings)

    @answers(False)
    def execute_async_v3(self, stream_handle: int) -> bool:
        """Run with the addresses given to `set_tensor_address`; the work is done on return."""
        if self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an implicit batch; use execute")
        given = {**self._addresses, **self._allocators}
        missing = [name for name in self.engine.tensors if not given.get(name) and name not in self._values]
        if missing:
            return self._error(f"no address is set for {', '.join(missing)}; use set_tensor_address")
        return self._run(self._addresses, (), self._allocators)

    def _input_shapes(self) -> dict[str, Dims]:
        tensors = self.engine.tensors.values()
        return {tensor.name: self._shapes.get(tensor.name, tensor.shape) for tensor in tensors if tensor.is_input}

    def _run_bindings(self, bindings: list[int], batch: tuple[int, ...]) -> bool:
        if not isinstance(bindings, (Sequence, np.ndarray)) or isinstance(bindings, (str, bytes)):
            raise TypeError(f"bindings: {bindings!r:.60} is no list of addresses, one for each input and output")
        first = self._profile * self.engine.num_io_tensors
        addresses = bindings[first : first + self.engine.num_io_tensors]  # what lies behind is not read, as in TensorRT
        if len(addresses) != self.engine.num_io_tensors or len(bindings) > self.engine.num_bindings:
            return self._error(f"{len(bindings)} bindings, but the engine has {self.engine.num_bindings}")
        return self._run(dict(zip(self.engine.tensors, addresses, strict=True)), batch)

    def _run(
        self,
        addresses: Mapping[str, int],
        batch: tuple[int, ...],
        allocators: Mapping[str, IOutputAllocator] | None = None,
    ) -> bool:
        """Run; sizes that depend on values are taken where there are allocators, or could have been."""
        if unset := [name for name, shape in self._input_shapes().items() if -1 in shape]:
            return self._error(f"the shape of input {unset[0]!r} is not set")
        if not self._memory:
            return self._error("the context has no memory to work in; set device_memory")
        feeds = {}
        for name, shape in self._input_shapes().items():
            tensor = self.engine.tensors[name]
            if name in self._values:
                continue
            try:
                feeds[name] = read_laid_out(addresses[name], (*batch, *shape), tensor.dtype, tensor.layout)
            except MemoryFaultError as fault:
                return self._error(f"input {name!r}: {fault}", _kind(fault))
        sizes = {name: feeds[name] for name in self._shape_inputs() if name in feeds}
        self._values |= sizes
        try:
            found = self._infer({**feeds, **self._values})
            results = dict(zip(self._outputs(), found, strict=False))
            self._check_assertions(found[len(results) :])
            return self._give(results, addresses, batch, allocators)
        finally:
            for name in sizes:
                del self._values[name]

    def _check_assertions(self, held: list[np.ndarray]) -> None:
        """Raise PlanError where an assertion of the network does not hold."""
        for message, holds in zip(self.engine.assertions.values(), held, strict=True):
            if not holds:
                raise PlanError(f"an assertion of the network does not hold: {message}", ErrorCodeTRT.FAILED_EXECUTION)

    def _give(
        self,
        results: Mapping[str, np.ndarray],
        addresses: Mapping[str, int],
        batch: tuple[int, ...],
        allocators: Mapping[str, IOutputAllocator] | None,
    ) -> bool:
        """Put results where they belong."""
        for name, result in results.items():
            expected = (*batch, *self._shape_of(name))
            if self._depends_on_values(name) and allocators is not None:
                continue  # its memory is that of the largest, or comes now
            if result.shape != expected:  # its memory was made for the shape that was told
                remedy = "use execute_async_v3 and set_output_allocator"
                fault = f"output {name!r} came out as {result.shape}, not {expected}: {remedy}"
                return self._error(fault, ErrorCodeTRT.FAILED_EXECUTION)
        for name, result in results.items():
            address = addresses.get(name, 0)
            try:
                if allocators and name in allocators:
                    address = _allocate(allocators[name], name, address, result)
                    if not address:
                        fault = f"the allocator of the output {name!r} gave no memory"
                        return self._error(fault, ErrorCodeTRT.FAILED_ALLOCATION)
                write_laid_out(address, result, self.engine.tensors[name].dtype, self.engine.tensors[name].layout)
            except MemoryFaultError as fault:
                return self._error(f"output {name!r}: {fault}", _kind(fault))
        return True

    def _outputs(self) -> list[str]:
        return [name for name, tensor in self.engine.tensors.items() if not tensor.is_input]

    def _run_on_zeros(self, shapes: Mapping[str, Dims]) -> list[tuple[int, ...]]:
        """Return the shapes that the outputs have where all inputs are zero, but for values that are sizes."""
        return [result.shape for result in self._on_zeros(shapes)]

    def _on_zeros(self, shapes: Mapping[str, Dims]) -> list[np.ndarray]:
        feeds = {
            name: np.zeros(tuple(shape), DTYPES[self.engine.tensors[name].dtype]) for name, shape in shapes.items()
        }
        try:
            return self._session_of_weights().run(None, {**feeds, **self._known_values()})
        except Exception as error:  # ONNX Runtime's own classes; what was set fits inputs, but not all of them together
            told = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items())
            raise PlanError(f"no outputs of inputs of the shapes {told}: {error}") from error

    def _infer(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            if self.profiler is not None:
                return self._infer_profiled(feeds)
            return self._session_of_weights().run(None, feeds)
        except Exception as error:  # ONNX Runtime's own classes, which do not say more
            raise PlanError(f"the run failed: {error}", ErrorCodeTRT.FAILED_EXECUTION) from error

    def _session_of_weights(self) -> Any:
        """Return a session with the engine's weights of now, made again after a refit."""
        if self._session is None or self._revision != self.engine.revision:
            self._session = open_session(self.engine.model, self.engine.provider)
            self._revision = self.engine.revision
        return self._session

    def _infer_profiled(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Run in a session of its own: ONNX Runtime closes a trace only once."""
        with tempfile.TemporaryDirectory() as folder:
            session = session_of_onnxruntime(self.engine.model, trace=Path(folder) / "trace")
            for _ in range(WARM_UP):  # the trace's last run counts
                session.run(None, feeds)
            results = session.run(None, feeds)
            groups = {layer["name"]: layer["group"] for layer in self.engine.layers}
            times = layer_times(Path(session.end_profiling()), groups)
        self._times = times
        if self.enqueue_emits_profile:
            self.report_to_profiler()
        return results


def _kind(fault: MemoryFaultError) -> ErrorCodeTRT:
    """Return the kind of a fault of memory: a null binding TensorRT finds itself, any other is CUDA's."""
    return ErrorCodeTRT.INVALID_ARGUMENT if isinstance(fault, NullAddressError) else ErrorCodeTRT.UNSPECIFIED_ERROR


def _allocate(allocator: IOutputAllocator, name: str, address: int, result: np.ndarray) -> int:
    """Ask an allocator for the memory of an output, and tell it the shape; return the address."""
    # TensorRT asks for a byte at least, so that there is memory for an empty tensor too
    given: Any = allocator.reallocate_output(name, address, max(1, result.nbytes), ALIGNMENT)
    found = 0 if given is None else as_number(given)
    if found:
        allocator.notify_shape(name, Dims(result.shape))
    return found
