"""Runtime and engine of TensorRT 8.6 on ONNX Runtime; device memory is host memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from trtflow.reference.errors import PlanError
from trtflow.reference.lower.graph import ONNX_TYPES
from trtflow.reference.record.enums import DataType, EngineCapability, ProfilingVerbosity, TensorIOMode, TensorLocation
from trtflow.reference.record.profile import Range
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import Dims, ILogger
from trtflow.reference.run.context import IExecutionContext
from trtflow.reference.run.inspector import EngineInspector
from trtflow.reference.run.kernels import for_cpu
from trtflow.reference.run.plan import read_plan
from trtflow.reference.run.shapes import OutputShapes

FROM_ONNX = {int(onnx_type): dtype for dtype, onnx_type in ONNX_TYPES.items()}


class Runtime(Scope):
    """Loads plans."""

    num_DLA_cores = 0  # noqa: N815 - TensorRT's name

    def __init__(self, logger: ILogger) -> None:
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


class ICudaEngine(Scope):
    """A built network that contexts run.

    Inputs and outputs are addressed in TensorRT 8.6's two ways. As tensors, each has one name. As bindings, each has
    an index for every optimization profile: those of profile 0 come first, under the tensors' names, then those of
    profile 1, under names that end in " [profile 1]", and so on.

    Attributes:
        revision: grows with each refit, so that contexts notice.
    """

    engine_capability = EngineCapability.STANDARD

    def __init__(self, plan: bytes, logger: ILogger) -> None:
        self.logger, self.revision = logger, 0
        model = self.load(plan)
        self.has_implicit_batch_dimension: bool = self.metadata["implicit_batch"]
        self.max_batch_size: int = self.metadata["max_batch_size"]
        self.layers: list[dict[str, Any]] = self.metadata["layers"]
        self.profiles: list[dict[str, list[list[int]]]] = self.metadata["profiles"]
        skip = int(self.has_implicit_batch_dimension)
        self.tensors = {value.name: _Binding(value, True, skip) for value in model.graph.input}
        self.tensors |= {value.name: _Binding(value, False, skip) for value in model.graph.output}
        suffixes = [f" [profile {index}]" if index else "" for index in range(len(self.profiles))]
        self._binding_names = [name + suffix for suffix in suffixes for name in self.tensors]
        self._indices = {name: index for index, name in enumerate(self._binding_names)}
        self.output_shapes = OutputShapes(model)

    def load(self, plan: bytes) -> onnx.ModelProto:
        """Take the weights of a plan, that of this engine or one that differs in weights only; return its network."""
        model, self.metadata = read_plan(plan)
        self.plan, self.model = plan, for_cpu(model)
        self.revision += 1
        return model

    num_layers = property(lambda self: len(self.layers), doc="Number of layers of the network.")
    num_bindings = property(lambda self: len(self._binding_names), doc="Inputs and outputs, times profiles.")
    num_io_tensors = property(lambda self: len(self.tensors), doc="Number of inputs and outputs.")
    num_optimization_profiles = property(lambda self: len(self.profiles), doc="Number of profiles, at least one.")
    name = property(lambda self: self.metadata["name"], doc="Name of the network.")
    refittable = property(lambda self: self.metadata["refit"] is not None, doc="Whether it was built with REFIT.")

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:
        """How much the engine inspector can tell."""
        return ProfilingVerbosity.__members__[self.metadata["verbosity"]]

    def __len__(self) -> int:
        return self.num_bindings

    def __iter__(self) -> Iterator[str]:
        return iter(self._binding_names)

    def __getitem__(self, key: int | str) -> str | int:
        return self.get_binding_index(key) if isinstance(key, str) else self._binding_names[key]

    def get_binding_index(self, name: str) -> int:
        """Return the index of a binding, or -1."""
        return self._indices.get(name, -1)

    def get_binding_name(self, index: int) -> str:
        """Return the name of a binding."""
        return self._binding_names[index]

    def get_tensor_name(self, index: int) -> str:
        """Return the name of an input or output."""
        return list(self.tensors)[index]

    def binding_is_input(self, key: int | str) -> bool:
        """Whether a binding is an input."""
        return self.tensor(key).is_input

    def get_binding_shape(self, key: int | str) -> Dims:
        """Return the shape of a binding, without an implicit batch; -1 where it is set at run time."""
        return self.tensor(key).shape

    def get_binding_dtype(self, key: int | str) -> DataType:
        """Return the type of a binding."""
        return self.tensor(key).dtype

    get_tensor_shape, get_tensor_dtype = get_binding_shape, get_binding_dtype

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """Return whether a tensor is an input or an output; NONE where there is no such tensor."""
        if name not in self.tensors:
            return TensorIOMode.NONE
        return TensorIOMode.INPUT if self.tensors[name].is_input else TensorIOMode.OUTPUT

    def get_location(self, key: int | str) -> TensorLocation:
        """Return where a binding's memory lies: the host is the reference runtime's device."""
        self.tensor(key)
        return TensorLocation.DEVICE

    get_tensor_location = get_location

    def is_shape_binding(self, binding: int) -> bool:
        """Whether a binding's values are needed to compute shapes: on the reference runtime none are."""
        return False

    is_shape_inference_io = is_shape_binding

    def is_execution_binding(self, binding: int) -> bool:
        """Whether a binding's address is needed to run: all are."""
        return True

    def get_profile_shape(self, profile_index: int, binding: int | str) -> list[Dims]:
        """Return the smallest, best and largest shape of an input under a profile.

        Raises:
            PlanError: there is no such profile, or the binding is no input.
        """
        tensor = self.tensor(binding)
        self.check_profile(profile_index)
        if not tensor.is_input:
            raise PlanError(f"{tensor.name!r} is an output; only inputs have shapes in a profile.")
        return list(self.profile_range(tensor.name, profile_index))

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        """Return what `get_profile_shape` does."""
        return self.get_profile_shape(profile_index, name)

    def profile_range(self, name: str, profile_index: int) -> Range:
        """Return the smallest, best and largest shape of an input; its own shape thrice where that is fixed."""
        shape = self.tensors[name].shape
        smallest, best, largest = self.profiles[profile_index].get(name, [shape] * 3)
        return Dims(smallest), Dims(best), Dims(largest)

    def check_profile(self, index: int) -> None:
        """Raise PlanError where there is no such profile."""
        if not 0 <= index < len(self.profiles):
            raise PlanError(f"no optimization profile {index}: the engine has {len(self.profiles)}, counted from 0.")

    def serialize(self) -> bytes:
        """Return the plan; after a refit it holds the new weights."""
        return self.plan

    def create_execution_context(self) -> IExecutionContext:
        """Return a context that runs the engine; it starts with profile 0, which contexts may share."""
        return IExecutionContext(self)

    def create_engine_inspector(self) -> EngineInspector:
        """Return an object that tells of the engine's layers."""
        return EngineInspector(self)

    def tensor(self, key: int | str) -> _Binding:
        """Return an input or output by its name or by the name or index of a binding.

        Raises:
            PlanError: there is none.
        """
        index = self._indices.get(key, -1) if isinstance(key, str) else key
        if not 0 <= index < len(self._binding_names):
            raise PlanError(f"no input or output {key!r}. The engine has {', '.join(self._binding_names)}.")
        return list(self.tensors.values())[index % len(self.tensors)]
