"""Engine of TensorRT 8.6 on ONNX Runtime; device memory is host memory."""

from __future__ import annotations

from typing import Any

import onnx

from trtflow.formats.layouts import Layout
from trtflow.reference.errors import PlanError, ProfileError
from trtflow.reference.lower.graph import ONNX_TYPES
from trtflow.reference.record.allocators import IGpuAllocator, hold
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.dims import InvalidDims
from trtflow.reference.record.enums import (
    DataType,
    EngineCapability,
    HardwareCompatibilityLevel,
    ProfilingVerbosity,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
)
from trtflow.reference.record.profile import Range
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.values import Dims, IHostMemory, ILogger
from trtflow.reference.run.context import IExecutionContext
from trtflow.reference.run.formats import layout_of
from trtflow.reference.run.inspector import EngineInspector
from trtflow.reference.run.plan import read_plan
from trtflow.reference.run.providers import ONNX_RUNTIME, fitted
from trtflow.reference.run.shapes import OutputShapes

FROM_ONNX = {int(onnx_type): dtype for dtype, onnx_type in ONNX_TYPES.items()}
NAMES = {DataType.FLOAT: "FP32", DataType.HALF: "FP16"}


class _Binding:
    """Name, role, type and shape of one input or output; the shape without an implicit batch."""

    def __init__(
        self, value: onnx.ValueInfoProto, is_input: bool, batch_axes: int, is_shape: bool, layout: TensorFormat
    ) -> None:
        tensor = value.type.tensor_type
        sizes = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
        self.name, self.is_input, self.is_shape, self.layout = value.name, is_input, is_shape, layout
        self.dtype, self.sizes = FROM_ONNX[tensor.elem_type], tuple(sizes[batch_axes:])

    @property
    def shape(self) -> Dims:
        """The shape, of which the caller may change his own."""
        return Dims(self.sizes)


class ICudaEngine(Scope, Reporter):
    """A built network that contexts run.

    Inputs and outputs are addressed in TensorRT 8.6's two ways. As tensors, each has one name. As bindings, each has
    an index for every optimization profile: those of profile 0 come first, under the tensors' names, then those of
    profile 1, under names that end in " [profile 1]", and so on.

    Attributes:
        revision: grows with each refit, so that contexts notice.
        provider: what contexts run in, one of `providers.PROVIDERS`; TensorRT has no counterpart.
    """

    provider = ONNX_RUNTIME

    read_only = ("has_implicit_batch_dimension", "max_batch_size", "num_aux_streams")
    num_aux_streams = 0

    def __init__(self, plan: bytes, logger: ILogger, allocator: IGpuAllocator | None = None) -> None:
        super().__init__(logger)
        self.logger, self.revision, self.allocator = logger, 0, allocator
        model = self.load(plan)
        hold(self, allocator, sum(len(tensor.raw_data) for tensor in model.graph.initializer), "an engine's weights")
        self.has_implicit_batch_dimension: bool = self.metadata["implicit_batch"]
        self.max_batch_size: int = self.metadata["max_batch_size"]
        self.layers: list[dict[str, Any]] = self.metadata["layers"]
        self.profiles: list[dict[str, list[list[int]]]] = self.metadata["profiles"]
        self.shape_values: list[dict[str, list[list[int]]]] = self.metadata["shape_values"]
        skip, shapes = int(self.has_implicit_batch_dimension), set(self.metadata["shape_tensors"])
        layouts = {name: TensorFormat.__members__[layout] for name, layout in self.metadata["formats"].items()}
        self.assertions: dict[str, str] = self.metadata["assertions"]
        outputs = [value for value in model.graph.output if value.name not in self.assertions]
        self.tensors = {
            value.name: _Binding(
                value, is_input, skip, value.name in shapes, layouts.get(value.name, TensorFormat.LINEAR)
            )
            for is_input, values in ((True, model.graph.input), (False, outputs))
            for value in values
        }
        suffixes = [f" [profile {index}]" if index else "" for index in range(len(self.profiles))]
        self._binding_names = [name + suffix for suffix in suffixes for name in self.tensors]
        self._indices = {name: index for index, name in enumerate(self._binding_names)}
        self.output_shapes = OutputShapes(model, shapes)

    def load(self, plan: bytes) -> onnx.ModelProto:
        """Take the weights of a plan, that of this engine or one that differs in weights only; return its network."""
        model, self.metadata = read_plan(plan)
        self.plan, self.model = plan, fitted(model, self.provider)
        self.revision += 1
        return model

    num_layers = property(
        lambda self: len(self.layers) * len(self.profiles), doc="Number of layers of the network, times profiles."
    )
    num_bindings = property(lambda self: len(self._binding_names), doc="Inputs and outputs, times profiles.")
    num_io_tensors = property(lambda self: len(self.tensors), doc="Number of inputs and outputs.")
    num_optimization_profiles = property(lambda self: len(self.profiles), doc="Number of profiles, at least one.")
    name = property(lambda self: self.metadata["name"], doc="Name of the network.")
    refittable = property(lambda self: self.metadata["refit"] is not None, doc="Whether it was built with REFIT.")
    tactic_sources = property(lambda self: self.metadata["tactic_sources"], doc="Bits of TacticSource, as configured.")
    device_memory_size = property(
        lambda self: self.metadata["inner_bytes"], doc="Bytes of the inner tensors whose sizes are fixed."
    )

    @property
    def engine_capability(self) -> EngineCapability:
        """Restrictions that the engine was built under."""
        return EngineCapability(self.metadata["capability"])

    @property
    def hardware_compatibility_level(self) -> HardwareCompatibilityLevel:
        """GPUs beside the one at hand that the engine was to run on."""
        return HardwareCompatibilityLevel(self.metadata["compatibility"])

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:
        """How much the engine inspector can tell."""
        return ProfilingVerbosity.__members__[self.metadata["verbosity"]]

    def __len__(self) -> int:
        return self.num_bindings

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, arg0: int | str) -> str | int:
        return self.get_binding_index(arg0) if isinstance(arg0, str) else self._binding_names[arg0]

    def get_binding_index(self, name: str) -> int:
        """Return the index of a binding, or -1."""
        return self._indices.get(name, -1)

    @answers(None)
    def get_binding_name(self, index: int) -> str | None:
        """Return the name of a binding; None where there is none of this index."""
        return self._binding_names[self._checked(index, len(self._binding_names))]

    @answers(None)
    def get_tensor_name(self, index: int) -> str | None:
        """Return the name of an input or output; None where there is none of this index."""
        return list(self.tensors)[self._checked(index, len(self.tensors))]

    def _checked(self, index: int, count: int) -> int:
        if not 0 <= index < count:
            raise PlanError(f"no input or output {index}: there are {count}, counted from 0.")
        return index

    @answers(False)
    def binding_is_input(self, index: int | str) -> bool:
        """Whether a binding, by name or index, is an input."""
        return self.tensor(index).is_input

    @answers(InvalidDims())
    def get_binding_shape(self, index: int | str) -> Dims:
        """Return the shape of a binding, without an implicit batch; -1 where it is set at run time."""
        return self.tensor(index).shape

    @answers(DataType.FLOAT)
    def get_binding_dtype(self, index: int | str) -> DataType:
        """Return the type of a binding."""
        return self.tensor(index).dtype

    def get_tensor_shape(self, name: str) -> Dims:
        """Return the shape of an input or output; -1 where it is set at run time."""
        return self.get_binding_shape(name)

    def get_tensor_dtype(self, name: str) -> DataType:
        """Return the type of an input or output."""
        return self.get_binding_dtype(name)

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """Return whether a tensor is an input or an output; NONE where there is no such tensor."""
        if name not in self.tensors:
            return TensorIOMode.NONE
        return TensorIOMode.INPUT if self.tensors[name].is_input else TensorIOMode.OUTPUT

    @answers(TensorLocation.DEVICE)
    def get_location(self, index: int | str) -> TensorLocation:
        """Return where a binding's memory lies: that of shape tensors on the host."""
        return TensorLocation.HOST if self.tensor(index).is_shape else TensorLocation.DEVICE

    def get_tensor_location(self, name: str) -> TensorLocation:
        """Return where the memory of an input or output lies: that of shape tensors on the host."""
        return self.get_location(name)

    @answers(False)
    def is_shape_binding(self, binding: int) -> bool:
        """Whether a binding's values are sizes, or an input's are needed to find sizes."""
        return self.tensor(binding).is_shape

    def is_shape_inference_io(self, name: str) -> bool:
        """Whether a tensor's values are sizes, or an input's are needed to find sizes."""
        return self.is_shape_binding(name)  # type: ignore[arg-type] # names are taken too

    def is_execution_binding(self, binding: int) -> bool:
        """Whether a binding's address is needed to run: all are."""
        return True

    @answers(TensorFormat.LINEAR)
    def get_binding_format(self, index: int | str) -> TensorFormat:
        """Return the memory layout of a binding: by rows, or with the channels last."""
        return self.tensor(index).layout

    def get_tensor_format(self, name: str) -> TensorFormat:
        """Return the memory layout of an input or output: by rows, or with the channels last."""
        return self.get_binding_format(name)

    @answers("")
    def get_binding_format_desc(self, index: int | str) -> str:
        """Return the memory layout and type of a binding in words."""
        tensor = self.tensor(index)
        layout = "Row major linear" if tensor.layout == TensorFormat.LINEAR else "Channel major"
        form = self._form_of(index)
        if form.components > 1:
            layout = f"{'Channel' if form.last else 'Row'} major {form.components} channels a vector"
        return f"{layout} {NAMES.get(tensor.dtype, tensor.dtype.name)} format"

    def _form_of(self, index: int | str) -> Layout:
        tensor = self.tensor(index)
        return layout_of(tensor.dtype, tensor.layout)

    def get_tensor_format_desc(self, name: str) -> str:
        """Return the memory layout and type of an input or output in words."""
        return self.get_binding_format_desc(name)

    @answers(-1)
    def get_binding_bytes_per_component(self, index: int | str) -> int:
        """Return the bytes of a binding's element."""
        return self.tensor(index).dtype.itemsize

    def get_tensor_bytes_per_component(self, name: str, profile_index: int = 0) -> int:
        """Return the bytes of an element of an input or output."""
        return self.get_binding_bytes_per_component(name)

    @answers(-1)
    def get_binding_components_per_element(self, index: int | str) -> int:
        """Return how many channels are one element of a binding."""
        return self._form_of(index).components

    def get_tensor_components_per_element(self, name: str, profile_index: int = 0) -> int:
        """Return how many channels are one element of an input or output."""
        return self.get_binding_components_per_element(name)

    @answers(-1)
    def get_binding_vectorized_dim(self, index: int | str) -> int:
        """Return the axis of which several are one element of a binding; -1 where it has no such elements."""
        form = self._form_of(index)
        return form.channel_axis(len(self.tensor(index).shape)) if form.components > 1 else -1

    def get_tensor_vectorized_dim(self, name: str, profile_index: int = 0) -> int:
        """Return the axis of which several are one element of an input or output; -1 where it has no such elements."""
        return self.get_binding_vectorized_dim(name)

    @answers([])
    def get_profile_shape(self, profile_index: int, binding: int | str) -> list[Dims]:
        """Return the smallest, best and largest shape of an input under a profile; nothing where there is none.

        Of an output, which no profile bounds, it is the engine's shape thrice: NVIDIA's samples of 8.6 allocate the
        memory of every tensor by the last of the three (samples/python/common.py).
        """
        tensor = self.tensor(binding)
        self.check_profile(profile_index)
        return list(self.profile_range(tensor.name, profile_index))

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        """Return what `get_profile_shape` does."""
        return self.get_profile_shape(profile_index, name)

    def get_profile_shape_input(self, profile_index: int, binding: int | str) -> list[list[int]]:
        """Return the smallest, best and largest values of an input that is a shape tensor, under a profile.

        Raises:
            ProfileError: the binding is no such input.
        """
        tensor = self.tensor(binding)
        if not (tensor.is_shape and tensor.is_input):
            raise ProfileError(f"{tensor.name!r}: Binding index does not correspond to an input shape tensor.")
        self.check_profile(profile_index)
        return [list(values) for values in self.shape_values[profile_index].get(tensor.name, [])]

    def profile_range(self, name: str, profile_index: int) -> Range:
        """Return the smallest, best and largest shape of a tensor; its own thrice where no profile says them."""
        shape = list(self.tensors[name].sizes)
        smallest, best, largest = self.profiles[profile_index].get(name, [shape] * 3)
        return Dims(smallest), Dims(best), Dims(largest)

    def check_profile(self, index: int) -> None:
        """Raise ProfileError where there is no such profile."""
        if not 0 <= index < len(self.profiles):
            raise ProfileError(f"no optimization profile {index}: the engine has {len(self.profiles)}, counted from 0.")

    def serialize(self) -> IHostMemory:
        """Return the plan; after a refit it holds the new weights."""
        return IHostMemory(self.plan)

    @answers(None)
    def create_execution_context(self) -> IExecutionContext | None:
        """Return a context that runs the engine; it starts with profile 0, which contexts may share."""
        context = IExecutionContext(self)
        hold(context, self.allocator, self.device_memory_size, "an execution context")
        return context

    def create_execution_context_without_device_memory(self) -> IExecutionContext:
        """Return a context whose memory the application gives, with `device_memory`."""
        return IExecutionContext(self, own_memory=False)

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
