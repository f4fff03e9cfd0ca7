"""The ONNX graph under construction, and the registry of lowerings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType, WeightsRole
from trtflow.reference.record.layers import ILayer, IPluginV2Layer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.tensor_layers import LARGEST_K
from trtflow.reference.record.values import DTYPES, Weights

OPSET = 17  # the newest that TensorRT 8.6's own ONNX parser takes
IR_VERSION = 8
BATCH = "N"  # name of an implicit batch dimension
OF_FUSED = "for an integer kernel in front of its activation"  # doc_string of a quantiser that TensorRT does not have
SEPARATOR = "::"  # between a layer's name and what a node or a value of it is

ONNX_TYPES = {
    DataType.FLOAT: TensorProto.FLOAT,
    DataType.HALF: TensorProto.FLOAT16,
    DataType.INT8: TensorProto.INT8,
    DataType.INT32: TensorProto.INT32,
    DataType.BOOL: TensorProto.BOOL,
    DataType.UINT8: TensorProto.UINT8,
}


class Graph:
    """Nodes, initializers, and what the layer that is being lowered needs to know.

    Attributes:
        batch_axes: 1 where the network has an implicit batch dimension that ONNX spells out, else 0.
        dtype: type that the current layer computes in, FLOAT or HALF.
        quantised_weights: whether the current layer's kernel is stored as INT8.
        depth: how many loops and conditionals the current layer is in.
        assertions: values that must be true after a run, and what an error says where they are not.
        batched: tensors that depend on an input of the network; all others have one entry for the whole batch.
        refittable: what a refitter may replace: layer, role, name, count and type of the weights as they were
            given, the initializer that holds them and, for an INT8 kernel, the one with its scales.
        spoilt: what to say of weights that hold values that are no numbers.
    """

    def __init__(self, implicit_batch: bool) -> None:
        self.batch_axes = int(implicit_batch)
        self.dtype = DataType.FLOAT
        self.quantised_weights = False
        self.layer_name = ""
        self.depth = 0
        self.assertions: dict[str, str] = {}
        self.batched: set[ITensor] = set()
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.refittable: list[dict[str, Any]] = []
        self.spoilt: list[str] = []
        self._used: set[str] = set()

    def node(self, op_type: str, inputs: list[str], *, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node of the current layer; return its output's name, or a list of names."""
        name = self.unique(op_type)
        names = [name if outputs == 1 else f"{name}_{index}" for index in range(outputs)]
        for key, value in attributes.items():
            if isinstance(value, float) and math.isnan(value):
                self.spoilt.append(f"layer {self.layer_name!r}: its {key} is no number (NaN)")
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, what: str, values: Any, dtype: Any = None) -> str:
        """Add an initializer of the current layer; return its name. Floats take the layer's type unless told."""
        array = np.asarray(values)
        if dtype is not None:
            array = array.astype(dtype)
        elif array.dtype.kind == "f":
            array = self.cast(array)
        if array.dtype.kind == "f" and np.isnan(array).any():
            self.spoilt.append(f"layer {self.layer_name!r}: {fault_of(array)} in its {what}")
        name = self.unique(what)
        self.initializers[name] = numpy_helper.from_array(np.require(array, requirements="C"), name)
        return name

    def ints(self, what: str, values: Iterable[int]) -> str:
        """Add an initializer of sizes, axes or the like, which ONNX takes as INT64; return its name."""
        return self.constant(what, list(values), np.int64)

    def zero(self, dtype: DataType) -> str:
        """Add a nought of a type, of a float's as the current layer computes in it; return its name."""
        return self.constant("zero", np.zeros((), DTYPES[dtype]))

    def rank(self, tensor: ITensor) -> int:
        """Return a tensor's number of dimensions, the batch included."""
        return len(tensor.shape) + self.batch_axes

    def convert(self, value: str, dtype: DataType) -> str:
        """Add a conversion of a value to another type; floats come out as the current layer computes in them."""
        target = self.dtype if dtype in (DataType.FLOAT, DataType.HALF) else dtype
        return str(self.node("Cast", [value], to=ONNX_TYPES[target]))

    def wide(self, value: str) -> str:
        """Return an INT32 value as INT64, which ONNX takes for sizes."""
        return str(self.node("Cast", [value], to=TensorProto.INT64))

    def single(self, value: str) -> str:
        """Return a float value of the current layer in float32."""
        return value if self.dtype == DataType.FLOAT else str(self.node("Cast", [value], to=TensorProto.FLOAT))

    def without_batch(self, layer: ILayer, tensor: ITensor, value: str) -> str:
        """Return a value that is the same for the whole batch without the dimension that stands for it.

        Raises:
            NetworkError: the tensor depends on an input.
        """
        if not self.batch_axes:
            return value
        if tensor in self.batched:
            fault = f"its input {tensor.name!r} differs from picture to picture of an implicit batch"
            raise NetworkError(layer.name, fault, "Make it a constant, or the batch explicit.")
        return str(self.node("Squeeze", [value, self.ints("axes", [0])]))

    def spread(self, value: str, rank: int, like: str) -> str:
        """Return a value with a first dimension of one, repeated as often as the first dimension of another is long."""
        first = self.first_sizes(like, 1)
        shape = self.node("Concat", [first, self.ints("ones", [1] * (rank - 1))], axis=0) if rank > 1 else first
        return str(self.node("Expand", [value, shape]))

    def first_sizes(self, value: str, count: int) -> str:
        """Return the first sizes of a value, int64 [count].

        Not by Shape's own start and end, which TensorRT 8.6's ONNX parser passes over.
        """
        bounds = [self.ints(what, [number]) for what, number in (("first", 0), ("last", count))]
        return str(self.node("Slice", [self.node("Shape", [value]), *bounds]))

    def largest(self, values: str, count: int) -> tuple[str, str]:
        """Return the `count` largest of the last axis in order, and their places, int64.

        In parts where there are more than TensorRT takes: those that are found give way to minus infinity.
        """
        found: list[tuple[str, str]] = []
        while count > 0:
            part = min(count, LARGEST_K)
            best, places = self.node("TopK", [values, self.ints("most", [part])], outputs=2, axis=-1)
            found.append((best, places))
            count -= part
            if count:
                gone = self.node("Expand", [self.constant("lowest", -np.inf, np.float32), self.node("Shape", [places])])
                values = self.node("ScatterElements", [values, places, gone], axis=-1)
        if len(found) == 1:
            return found[0]
        best, places = (self.node("Concat", list(parts), axis=-1) for parts in zip(*found, strict=True))
        return best, places

    def cast(self, array: np.ndarray) -> np.ndarray:
        """Bring floats to the type that the layer computes in; half precision is clipped, as in TensorRT."""
        return to_half(array) if self.dtype == DataType.HALF else array.astype(np.float32)

    def weights(self, role: WeightsRole, weights: Weights, shape: tuple[int, ...] = (-1,)) -> str:
        """Add weights of the current layer, which a refitter may replace; return their name."""
        name = self.constant(role.name.lower(), weights.numpy().reshape(shape))
        self._note(role, weights, name)
        return name

    def kernel(self, weights: Weights, shape: tuple[int, ...], axis: int | None = 0) -> str:
        """Add a layer's kernel, in INT8 when the layer runs in INT8, with one scale for each place along an axis.

        Args:
            weights: its values.
            shape: its shape.
            axis: of the output channels; None for one scale in all.

        Raises:
            NetworkError: it runs in INT8, which knows no NaN and no infinity, and the kernel holds some.
        """
        values = weights.numpy().reshape(shape)
        if not self.quantised_weights:
            return self.weights(WeightsRole.KERNEL, weights, shape)
        if fault := fault_of(values):
            raise NetworkError(self.layer_name, f"its kernel cannot be INT8: {fault}", "Look at where it came from.")
        steps, scale = quantise_kernel(values, axis)
        inputs = [
            self.constant("kernel", steps),
            self.constant("kernel_scale", scale, np.float32),
            self.constant("kernel_zero", np.zeros(scale.shape), np.int8),
        ]
        self._note(WeightsRole.KERNEL, weights, inputs[0], scale=inputs[1], axis=axis)
        along: dict[str, Any] = {} if axis is None else {"axis": axis}
        return str(self.node("DequantizeLinear", inputs, **along))

    def _note(
        self, role: WeightsRole, weights: Weights, initializer: str, scale: str | None = None, axis: int | None = None
    ) -> None:
        values = weights.numpy()
        fault = "" if np.isnan(values).any() else fault_of(values)  # `constant` has told of NaN
        if fault and role != WeightsRole.CONSTANT:  # a mask of a network's own may be of infinities
            self.spoilt.append(f"layer {self.layer_name!r}: {fault} in its {role.name.lower()}")
        given = {"name": weights.name, "count": weights.size, "dtype": weights.dtype.name}
        stored = {"initializer": initializer, "scale": scale, "axis": axis}
        self.refittable.append({"layer": self.layer_name, "role": role.name, **given, **stored})

    def unique(self, what: str) -> str:
        """Return a name of the current layer's that nothing has."""
        name = f"{self.layer_name}{SEPARATOR}{what}"
        count = 1
        while name in self._used:
            count += 1
            name = f"{self.layer_name}{SEPARATOR}{what}_{count}"
        self._used.add(name)
        return name


def fault_of(values: np.ndarray) -> str:
    """Return how many values of an array are no numbers, in words; nothing where all are numbers."""
    count = values.size - int(np.isfinite(values).sum())
    return f"{count} of {values.size} values are no numbers (NaN or infinite)" if count else ""


def to_half(array: np.ndarray) -> np.ndarray:
    """Return float16; what is too large becomes the largest number, as in TensorRT."""
    largest = np.finfo(np.float16).max
    return np.clip(array, -largest, largest).astype(np.float16)


def quantise_kernel(values: np.ndarray, axis: int | None = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel in steps of its scales, int8 in [-127, 127], and the scales, float32, one for each place of the
    axis, or one in all where that is None."""
    others = tuple(place for place in range(values.ndim) if place != axis)
    largest = np.abs(values.astype(np.float32)).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    steps = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return steps, scale.reshape(() if axis is None else -1)


Lowering = Callable[[Any, Graph, list[str]], list[str]]
_LAYERS: dict[type[ILayer], Lowering] = {}
_PLUGINS: dict[str, Lowering] = {}
Function = TypeVar("Function", bound=Lowering)


def lowers(layer_type: type[ILayer]) -> Callable[[Function], Function]:
    """Register how a layer becomes nodes: function(layer, graph, input names) -> output names."""

    def register(function: Function) -> Function:
        _LAYERS[layer_type] = function
        return function

    return register


def lowers_plugin(plugin_type: str) -> Callable[[Function], Function]:
    """Register how a plugin layer becomes nodes."""

    def register(function: Function) -> Function:
        _PLUGINS[plugin_type] = function
        return function

    return register


def lowering_of(layer: ILayer) -> Lowering:
    """Return the function that lowers a layer; a layer without one is an error that says what there is."""
    if isinstance(layer, IPluginV2Layer):
        function, kind, known = _PLUGINS.get(layer.plugin.plugin_type), layer.plugin.plugin_type, list(_PLUGINS)
    else:
        functions = (_LAYERS.get(base) for base in type(layer).__mro__)
        function = next((found for found in functions if found is not None), None)
        kind, known = layer.title, [lowered.title for lowered in _LAYERS]
    if function is None:
        remedy = f"It runs {', '.join(sorted(known))}."
        raise NetworkError(layer.name, f"the reference runtime cannot run {kind}", remedy)
    return function
