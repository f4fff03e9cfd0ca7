"""Runtime, engine and execution context of TensorRT 8.6 on ONNX Runtime; device memory is host memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from trtflow.reference.lower.graph import ONNX_TYPES
from trtflow.reference.memory import view
from trtflow.reference.record.enums import DataType, TensorIOMode
from trtflow.reference.record.values import Dims, Logger
from trtflow.reference.run.kernels import for_cpu
from trtflow.reference.run.plan import read_plan
from trtflow.reference.run.profiler import IProfiler, layer_times

WARM_UP = 3  # runs before the one that is profiled: the first ones pay for memory
FROM_ONNX = {int(onnx_type): dtype for dtype, onnx_type in ONNX_TYPES.items()}


class Runtime:
    """Loads plans."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: Any) -> ICudaEngine:
        """Return the engine of a plan.

        Raises:
            PlanError: the plan is damaged or of another version. (TensorRT logs that and returns None.)
        """
        return ICudaEngine(bytes(serialized_engine), self.logger)


class _Binding:
    """Name, role, type and shape of one input or output; the shape without an implicit batch."""

    def __init__(self, value: onnx.ValueInfoProto, is_input: bool, batch_axes: int) -> None:
        tensor = value.type.tensor_type
        sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
        self.name, self.is_input = value.name, is_input
        self.dtype, self.shape = FROM_ONNX[tensor.elem_type], Dims(sizes[batch_axes:])


class ICudaEngine:
    """A built network that contexts run."""

    def __init__(self, plan: bytes, logger: Logger) -> None:
        self.plan, self.logger = plan, logger
        model, self.metadata = read_plan(plan)
        self.model = for_cpu(model)
        self.has_implicit_batch_dimension: bool = self.metadata["implicit_batch"]
        self.max_batch_size: int = self.metadata["max_batch_size"]
        self.layers: list[dict[str, str]] = self.metadata["layers"]
        skip = int(self.has_implicit_batch_dimension)
        self.bindings = [_Binding(value, True, skip) for value in model.graph.input]
        self.bindings += [_Binding(value, False, skip) for value in model.graph.output]
        self._by_name = {binding.name: index for index, binding in enumerate(self.bindings)}

    num_layers = property(lambda self: len(self.layers), doc="Number of layers.")
    num_bindings = property(lambda self: len(self.bindings), doc="Number of inputs and outputs.")
    num_io_tensors = num_bindings
    name = property(lambda self: self.metadata["name"], doc="Name of the network.")

    def __iter__(self) -> Any:
        return (binding.name for binding in self.bindings)

    def __getitem__(self, key: int | str) -> str | int:
        return self.get_binding_index(key) if isinstance(key, str) else self.bindings[key].name

    def get_binding_index(self, name: str) -> int:
        """Return the index of a binding, or -1."""
        return self._by_name.get(name, -1)

    def get_binding_name(self, index: int) -> str:
        """Return the name of a binding."""
        return self.bindings[index].name

    def binding_is_input(self, key: int | str) -> bool:
        """Whether a binding is an input."""
        return self._binding(key).is_input

    def get_binding_shape(self, key: int | str) -> Dims:
        """Return the shape of a binding, without an implicit batch."""
        return self._binding(key).shape

    def get_binding_dtype(self, key: int | str) -> DataType:
        """Return the type of a binding."""
        return self._binding(key).dtype

    get_tensor_name, get_tensor_shape, get_tensor_dtype = get_binding_name, get_binding_shape, get_binding_dtype

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """Return whether a tensor is an input or an output."""
        return TensorIOMode.INPUT if self._binding(name).is_input else TensorIOMode.OUTPUT

    def serialize(self) -> bytes:
        """Return the plan."""
        return self.plan

    def create_execution_context(self) -> IExecutionContext:
        """Return a context that runs the engine."""
        return IExecutionContext(self)

    def _binding(self, key: int | str) -> _Binding:
        return self.bindings[self._by_name[key] if isinstance(key, str) else key]


class IExecutionContext:
    """Runs an engine. Bindings are addresses of contiguous memory in the order of the engine's bindings."""

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine = engine
        self.profiler: IProfiler | None = None
        self._session: onnxruntime.InferenceSession | None = None
        self._shapes: dict[str, Dims] = {}
        self._addresses: dict[str, int] = {}

    def set_binding_shape(self, binding: int, shape: Any) -> bool:
        """Set the shape of a dynamic input."""
        return self.set_input_shape(self.engine.get_binding_name(binding), shape)

    def set_input_shape(self, name: str, shape: Any) -> bool:
        """Set the shape of a dynamic input; False where it contradicts the engine."""
        declared = self.engine.get_binding_shape(name)
        wanted = Dims(shape)
        if len(wanted) != len(declared) or any(d not in (-1, w) for d, w in zip(declared, wanted, strict=True)):
            self._error(f"input {name!r} has the shape {declared}; {wanted} does not fit it")
            return False
        self._shapes[name] = wanted
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Set the address of an input or output."""
        self._addresses[name] = int(memory)
        return True

    def execute(self, batch_size: int = 1, bindings: list[int] | None = None) -> bool:
        """Run a batch of an engine with an implicit batch; False, and a message in the log, where that cannot be."""
        if not self.engine.has_implicit_batch_dimension:
            self._error("the engine has an explicit batch; use execute_v2")
            return False
        if not 1 <= batch_size <= self.engine.max_batch_size:
            self._error(f"batch size {batch_size}, but the engine was built for 1 to {self.engine.max_batch_size}")
            return False
        return self._run([int(address) for address in bindings or []], (batch_size,))

    def execute_v2(self, bindings: list[int]) -> bool:
        """Run an engine with an explicit batch."""
        return self._run([int(address) for address in bindings], ())

    def execute_async(self, batch_size: int = 1, bindings: list[int] | None = None, stream_handle: int = 0) -> bool:
        """Run like `execute`; a CPU has no streams, so the work is done on return."""
        return self.execute(batch_size, bindings)

    def execute_async_v2(self, bindings: list[int], stream_handle: int = 0) -> bool:
        """Run like `execute_v2`; the work is done on return."""
        return self.execute_v2(bindings)

    def execute_async_v3(self, stream_handle: int = 0) -> bool:
        """Run with the addresses given to `set_tensor_address`; the work is done on return."""
        return self.execute_v2([self._addresses[name] for name in self.engine])

    def _run(self, addresses: list[int], batch: tuple[int, ...]) -> bool:
        bindings = self.engine.bindings
        if len(addresses) != len(bindings):
            self._error(f"{len(addresses)} bindings, but the engine has {len(bindings)}")
            return False
        feeds = {}
        for binding, address in zip(bindings, addresses, strict=True):
            if binding.is_input:
                shape = (*batch, *self._shapes.get(binding.name, binding.shape))
                if -1 in shape:
                    self._error(f"the shape of input {binding.name!r} is not set")
                    return False
                feeds[binding.name] = view(address, shape, binding.dtype)
        results = self._infer(feeds)
        outputs = [index for index, binding in enumerate(bindings) if not binding.is_input]
        for index, result in zip(outputs, results, strict=True):
            view(addresses[index], result.shape, bindings[index].dtype)[...] = result
        return True

    def _infer(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.profiler is not None:
            return self._infer_profiled(feeds, self.profiler)
        if self._session is None:
            self._session = _session(self.engine.model)
        return self._session.run(None, feeds)

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

    def _error(self, message: str) -> None:
        self.engine.logger.log(Logger.ERROR, message)


def _session(model: onnx.ModelProto, trace: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if trace is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(trace)
    return onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["WeightBiasQuantization"],  # it would quantise weights that are to stay as they are
    )
