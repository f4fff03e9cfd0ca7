"""Execution context of TensorRT 8.6 on ONNX Runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime

from trtflow.reference.memory import MemoryFaultError, read, write
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import DTYPES, Dims, Logger, volume
from trtflow.reference.run.profiler import IProfiler, layer_times

if TYPE_CHECKING:
    from trtflow.reference.run.engine import ICudaEngine

# processors without VNNI add two products of uint8 and int8 in 16 bits, which overflow: take uint8 weights there
EXACT_PRODUCTS = "session.x64quantprecision"
ALIGNMENT = 256  # of an output's memory, in bytes
WARM_UP = 3  # runs before the one that is profiled: the first ones pay for memory


class IOutputAllocator:
    """Gives the memory of an output whose sizes are known after it is computed; a subclass has both methods."""

    tensorrt_version = 8600

    def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
        """Return an address with room for `size` bytes, 0 where there is none.

        Args:
            tensor_name: the output.
            memory: what `set_tensor_address` gave for it, or 0.
            size: in bytes.
            alignment: of the address.
        """
        raise NotImplementedError

    def notify_shape(self, tensor_name: str, shape: Dims) -> None:
        """Take note of the shape that an output came out with."""
        raise NotImplementedError


class IExecutionContext(Scope):
    """Runs an engine. Bindings are addresses of contiguous memory in the order of the engine's bindings.

    Attributes:
        profiler: receives the time of each layer after each run.
        debug_sync: recorded only: every run is synchronous.
    """

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine, self.name, self.debug_sync = engine, "", False
        self.profiler: IProfiler | None = None
        self._session: onnxruntime.InferenceSession | None = None
        self._revision = -1  # of the weights that the session holds
        self._profile = 0
        self._shapes: dict[str, Dims] = {}
        self._addresses: dict[str, int] = {}
        self._allocators: dict[str, IOutputAllocator] = {}

    @property
    def active_optimization_profile(self) -> int:
        """Index of the profile whose shapes inputs may take; setting it forgets the shapes that were set."""
        return self._profile

    @active_optimization_profile.setter
    def active_optimization_profile(self, index: int) -> None:
        self.engine.check_profile(index)
        self._profile, self._shapes = index, {}

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int = 0) -> bool:
        """Switch to a profile and forget the shapes that were set.

        Raises:
            PlanError: there is no such profile. (TensorRT raises RuntimeError.)
        """
        self.active_optimization_profile = profile_index
        return True

    def set_binding_shape(self, binding: int, shape: Any) -> bool:
        """Set the shape of an input by the index that it has in the active profile."""
        profile, index = divmod(binding, self.engine.num_io_tensors)
        if profile != self._profile:
            return self._error(f"binding {binding} is one of profile {profile}, but profile {self._profile} is active")
        return self.set_input_shape(self.engine.get_tensor_name(index), shape)

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

    def get_binding_shape(self, binding: int) -> Dims:
        """Return the shape that a binding has with the inputs' shapes as they are set; -1 where they are not."""
        return self.get_tensor_shape(self.engine.tensor(binding).name)

    def get_tensor_shape(self, name: str) -> Dims:
        """Return what `get_binding_shape` does, by name."""
        tensor = self.engine.tensor(name)
        if tensor.is_input:
            return self._shapes.get(tensor.name, tensor.shape)
        if -1 not in tensor.shape or not self.all_binding_shapes_specified or self._depends_on_values(tensor.name):
            return tensor.shape
        return self.engine.output_shapes.of(self._input_shapes(), self._run_on_zeros)[tensor.name]

    def _depends_on_values(self, name: str) -> bool:
        return name in self.engine.output_shapes.by_values.outputs

    def get_max_output_size(self, name: str) -> int:
        """Return the most bytes that an output can take with the inputs' shapes as they are set; -1 where unknown."""
        tensor = self.engine.tensor(name)
        if tensor.is_input or not self.all_binding_shapes_specified:
            return -1
        if self._depends_on_values(tensor.name):
            shape = self.engine.output_shapes.by_values.largest(self._input_shapes())[tensor.name]
        else:
            shape = self.get_tensor_shape(tensor.name)
        return -1 if -1 in shape else volume(shape) * DTYPES[tensor.dtype].itemsize

    def set_output_allocator(self, name: str, output_allocator: IOutputAllocator | None) -> bool:
        """Have an output's memory from an allocator in `execute_async_v3`; None takes it away again."""
        tensor = self.engine.tensor(name)
        if tensor.is_input:
            return self._error(f"{name!r} is an input; only outputs have allocators")
        self._allocators.pop(tensor.name, None)
        if output_allocator is not None:
            self._allocators[tensor.name] = output_allocator
        return True

    def get_output_allocator(self, name: str) -> IOutputAllocator | None:
        """Return the allocator of an output, or None."""
        return self._allocators.get(self.engine.tensor(name).name)

    @property
    def all_binding_shapes_specified(self) -> bool:
        """Whether the shape of every dynamic input is set."""
        return not self.infer_shapes()

    all_shape_inputs_specified = True  # there are none: shapes never come from values

    def infer_shapes(self) -> list[str]:
        """Return the inputs whose shapes are yet to be set."""
        return [name for name, shape in self._input_shapes().items() if -1 in shape]

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Set the address of an input or output."""
        self._addresses[self.engine.tensor(name).name] = int(memory)
        return True

    def get_tensor_address(self, name: str) -> int:
        """Return the address of an input or output, 0 where none is set."""
        return self._addresses.get(self.engine.tensor(name).name, 0)

    def execute(self, batch_size: int = 1, bindings: list[int] | None = None) -> bool:
        """Run a batch of an engine with an implicit batch; False, and a message in the log, where that cannot be."""
        if not self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an explicit batch; use execute_v2")
        if not 1 <= batch_size <= self.engine.max_batch_size:
            largest = self.engine.max_batch_size
            return self._error(f"batch size {batch_size}, but the engine was built for 1 to {largest}")
        return self._run_bindings(bindings or [], (batch_size,))

    def execute_v2(self, bindings: list[int]) -> bool:
        """Run an engine with an explicit batch; False, and a message in the log, where that cannot be.

        Args:
            bindings: as many addresses as the engine has bindings; those of the active profile are used.
        """
        if self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an implicit batch; use execute")
        return self._run_bindings(bindings, ())

    def execute_async(self, batch_size: int = 1, bindings: list[int] | None = None, stream_handle: int = 0) -> bool:
        """Run like `execute`; a CPU has no streams, so the work is done on return."""
        return self.execute(batch_size, bindings)

    def execute_async_v2(self, bindings: list[int], stream_handle: int = 0) -> bool:
        """Run like `execute_v2`; the work is done on return."""
        return self.execute_v2(bindings)

    def execute_async_v3(self, stream_handle: int = 0) -> bool:
        """Run with the addresses given to `set_tensor_address`; the work is done on return."""
        if self.engine.has_implicit_batch_dimension:
            return self._error("the engine has an implicit batch; use execute")
        given = {**self._addresses, **self._allocators}
        missing = [name for name in self.engine.tensors if not given.get(name)]
        if missing:
            return self._error(f"no address is set for {', '.join(missing)}; use set_tensor_address")
        return self._run(self._addresses, (), self._allocators)

    def _input_shapes(self) -> dict[str, Dims]:
        tensors = self.engine.tensors.values()
        return {tensor.name: self._shapes.get(tensor.name, tensor.shape) for tensor in tensors if tensor.is_input}

    def _run_bindings(self, bindings: list[int], batch: tuple[int, ...]) -> bool:
        if len(bindings) != self.engine.num_bindings:
            return self._error(f"{len(bindings)} bindings, but the engine has {self.engine.num_bindings}")
        first = self._profile * self.engine.num_io_tensors
        addresses = bindings[first : first + self.engine.num_io_tensors]
        return self._run(dict(zip(self.engine.tensors, addresses, strict=True)), batch)

    def _run(
        self,
        addresses: dict[str, int],
        batch: tuple[int, ...],
        allocators: Mapping[str, IOutputAllocator] | None = None,
    ) -> bool:
        """Run; sizes that depend on values are taken where there are allocators, or could have been."""
        if unset := self.infer_shapes():
            return self._error(f"the shape of input {unset[0]!r} is not set")
        feeds = {}
        for name, shape in self._input_shapes().items():
            try:
                feeds[name] = read(addresses[name], (*batch, *shape), self.engine.tensors[name].dtype)
            except MemoryFaultError as fault:
                return self._error(f"input {name!r}: {fault}")
        results = dict(zip(self._outputs(), self._infer(feeds), strict=True))
        for name, result in results.items():
            expected = (*batch, *self.get_tensor_shape(name))
            if self._depends_on_values(name) and allocators is not None:
                continue  # its memory is that of the largest, or comes now
            if result.shape != expected:  # its memory was made for the shape that was told
                remedy = "use execute_async_v3 and set_output_allocator"
                return self._error(f"output {name!r} came out as {result.shape}, not {expected}: {remedy}")
        for name, result in results.items():
            address = addresses.get(name, 0)
            if allocators and name in allocators:
                address = _allocate(allocators[name], name, address, result)
                if not address:
                    return self._error(f"the allocator of the output {name!r} gave no memory")
            try:
                write(address, result)
            except MemoryFaultError as fault:
                return self._error(f"output {name!r}: {fault}")
        return True

    def _outputs(self) -> list[str]:
        return [name for name, tensor in self.engine.tensors.items() if not tensor.is_input]

    def _run_on_zeros(self, shapes: Mapping[str, Dims]) -> list[tuple[int, ...]]:
        """Return the shapes that the outputs have where all inputs are zero."""
        feeds = {name: np.zeros(shape, DTYPES[self.engine.tensors[name].dtype]) for name, shape in shapes.items()}
        return [result.shape for result in self._session_of_weights().run(None, feeds)]

    def _infer(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.profiler is not None:
            return self._infer_profiled(feeds, self.profiler)
        return self._session_of_weights().run(None, feeds)

    def _session_of_weights(self) -> onnxruntime.InferenceSession:
        """Return a session with the engine's weights of now, made again after a refit."""
        if self._session is None or self._revision != self.engine.revision:
            self._session, self._revision = _session(self.engine.model), self.engine.revision
        return self._session

    def _infer_profiled(self, feeds: dict[str, np.ndarray], profiler: IProfiler) -> list[np.ndarray]:
        """Run in a session of its own: ONNX Runtime closes a trace only once."""
        with tempfile.TemporaryDirectory() as folder:
            session = _session(self.engine.model, trace=Path(folder) / "trace")
            for _ in range(WARM_UP):  # the trace's last run counts
                session.run(None, feeds)
            results = session.run(None, feeds)
            groups = {layer["name"]: layer["group"] for layer in self.engine.layers}
            times = layer_times(Path(session.end_profiling()), groups)
        for name, ms in times.items():
            profiler.report_layer_time(name, ms)
        return results

    def _error(self, message: str) -> bool:
        """Log an error and return False, as TensorRT's calls do."""
        self.engine.logger.log(Logger.ERROR, message)
        return False


def _allocate(allocator: IOutputAllocator, name: str, address: int, result: np.ndarray) -> int:
    """Ask an allocator for the memory of an output, and tell it the shape; return the address."""
    # TensorRT asks for a byte at least, so that there is memory for an empty tensor too
    found = allocator.reallocate_output(name, address, max(1, result.nbytes), ALIGNMENT)
    if found:
        allocator.notify_shape(name, Dims(result.shape))
    return int(found or 0)


def _session(model: onnx.ModelProto, trace: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(EXACT_PRODUCTS, "1")
    if trace is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(trace)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["WeightBiasQuantization"],  # it would quantise weights that are to stay as they are
    )
