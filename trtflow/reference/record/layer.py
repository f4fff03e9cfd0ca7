"""What all layers share, and the rules by which shapes and types of several inputs fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.attributes import PLACE
from trtflow.reference.record.dims import MAX_DIMS
from trtflow.reference.record.enumeration import members
from trtflow.reference.record.enums import DataType, LayerType
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition

Types = tuple[DataType, ...]
FLOATS: Types = (DataType.FLOAT, DataType.HALF)
NUMBERS: Types = (*FLOATS, DataType.INT32)
INT32: Types = (DataType.INT32,)
BOOL: Types = (DataType.BOOL,)
# attributes of layers that TensorRT has not, and that a look at one does not show
OWN = {"network", "layer_type", "node", "names", "elem_types", "shapes", "dtypes", "constants", "fault", "known"}
ANY: Types = tuple(members(DataType))


class ILayer(Sealed):
    """What all layers share: name, inputs, outputs, precision.

    Attributes:
        network: the network that the layer belongs to.
        layer_type: what `type` says, but for the layers whose own `type` says more (see `as_layer`).
        title: TensorRT's word for the kind, used in default names and in profiles.
        takes: types that each input may have; the last entry stands for all inputs behind it too.
        most_inputs: number of inputs where `set_input` can add some to those that the layer begins with.
        input_instead: attributes that an input can stand in for, and its index; setting the attribute removes it.
        weight_names: attributes that are a `WeightsAttribute`.
        carries_sizes: whether TensorRT computes it on the host where what it makes is a size.
        explicit_batch_only, implicit_batch_only: whether TensorRT refuses the layer with the other kind of batch.
        metadata: text that an engine inspector tells.
    """

    read_only: ClassVar[tuple[str, ...]] = ("num_outputs", "network", "layer_type", "title")
    network: INetworkDefinition
    layer_type: LayerType
    title = ""
    num_outputs = 1
    takes: tuple[Types, ...] = (ANY,)
    most_inputs = 0
    input_instead: dict[str, int] = {}  # noqa: RUF012 - a constant of each class
    weight_names: tuple[str, ...] = ()
    carries_sizes = False
    explicit_batch_only = False
    implicit_batch_only = False
    name = metadata = ""
    outputs: list[ITensor] = []  # noqa: RUF012 - each layer sets its own
    _places: dict[int, ITensor]
    _identity: object

    def __init__(self, network: INetworkDefinition, inputs: list[ITensor]) -> None:
        object.__setattr__(self, "network", network)
        object.__setattr__(self, "_places", dict(enumerate(inputs)))
        object.__setattr__(self, "_identity", object())  # that a layer and what `as_layer` gives of it share
        object.__setattr__(self, "outputs", [])
        self.name = f"(Unnamed Layer* {network.num_layers}) [{self.title}]"
        self.metadata = ""
        self._precision: DataType | None = None
        self._output_types: dict[int, DataType] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ILayer) and other._identity is self._identity

    def __hash__(self) -> int:
        return id(self._identity)

    @property
    def type(self) -> LayerType:
        """Kind of the layer."""
        return self.layer_type

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in OWN]

    def add_outputs(self) -> None:
        """Create the output tensors; called when the layer's attributes are set."""
        count = self.num_outputs
        names = [f"{self.name}_output" if count == 1 else f"{self.name}_output_{i}" for i in range(count)]
        self.outputs = [ITensor(name, self, index) for index, name in enumerate(names)]

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self.input_instead:
            self._places.pop(self.input_instead[name], None)
        if name not in ("name", "metadata", "outputs") and not name.startswith("_"):
            self._changed()

    def _changed(self) -> None:
        """Forget what followed from the layer: of all the network, as shapes behind it may have changed.

        What is being added has nothing behind it, and what nobody asked for has nothing that followed: else a network
        of n layers would take n * n steps to be made.
        """
        if self.network.is_newest(self):
            for tensor in self.outputs:
                tensor.forget()
        elif any(tensor.is_known for tensor in self.outputs):
            self.network.revision += 1

    def held(self, name: str) -> Weights:
        """Return the weights that an attribute holds; empty where there are none."""
        found: Weights = vars(self)[PLACE.format(name)]
        return found

    @property
    def inputs(self) -> list[ITensor]:
        """The input tensors that there are, in order; an optional one that is left out has no entry."""
        return [self._places[index] for index in sorted(self._places)]

    @property
    def num_inputs(self) -> int:
        """Number of input tensors; those that are left out count where one is behind them."""
        return max(self._places, default=-1) + 1

    def get_input(self, index: int) -> ITensor | None:
        """Return an input tensor, or None."""
        return self._places.get(index)

    def set_input(self, index: int, tensor: ITensor) -> None:
        """Replace an input tensor, or add one that the layer can do without; tell of an error where it has none."""
        with self.network.telling():
            self._set_input(index, tensor)

    def _set_input(self, index: int, tensor: ITensor) -> None:
        count = max(self.num_inputs, self.most_inputs)
        if not 0 <= index < count:
            raise NetworkError(self.name, f"no input {index}", f"{self.title} has inputs 0 to {count - 1}.")
        self._places[index] = tensor
        self.network.in_order = False
        self._changed()

    def by_input(self, values: list[str]) -> dict[int, str]:
        """Return values, given one for each of `inputs`, by the index of their input."""
        return dict(zip(sorted(self._places), values, strict=True))

    def get_output(self, index: int) -> ITensor | None:
        """Return an output tensor, or None."""
        return self.outputs[index] if index < len(self.outputs) else None

    @property
    def precision(self) -> DataType:
        """Type the layer computes in, once it is set."""
        return DataType.FLOAT if self._precision is None else self._precision

    @precision.setter
    def precision(self, dtype: DataType) -> None:
        self._precision = DataType(dtype)
        self._changed()

    @property
    def precision_is_set(self) -> bool:
        """Whether `precision` was set."""
        return self._precision is not None

    def reset_precision(self) -> None:
        """Leave the precision to the builder."""
        self._precision = None

    def set_output_type(self, index: int, dtype: DataType) -> None:
        """Set the type that an output is computed in; the type of an engine's output is `ITensor.dtype`."""
        self._output_types[index] = DataType(dtype)
        self._changed()

    def get_output_type(self, index: int) -> DataType:
        """Return the type of an output as set; else FLOAT, or what the layer gives where that is no float."""
        dtype = self.output_dtype(index)
        return self._output_types.get(index, DataType.FLOAT if dtype in FLOATS else dtype)

    def output_type_is_set(self, index: int) -> bool:
        """Whether an output's type was set."""
        return index in self._output_types

    def reset_output_type(self, index: int) -> None:
        """Leave the type of an output to the builder."""
        self._output_types.pop(index, None)
        self._changed()

    def sources(self) -> list[ITensor]:
        """Return the inputs from which shape and type of the outputs follow."""
        return self.inputs

    def size_inputs(self) -> list[ITensor]:
        """Return the inputs whose values are sizes, or bounds of a loop or of a choice."""
        given = [self.get_input(place) for place in self.input_instead.values()]
        return [tensor for tensor in given if tensor is not None]

    def check_types(self) -> None:
        """Compare the types of the inputs with what the layer takes.

        Raises:
            NetworkError: one of them does not fit.
        """
        for index, tensor, allowed in self.misfits():
            names = ", ".join(dtype.name for dtype in allowed)
            fault = f"its input {index}, {tensor.name!r}, is {tensor.native_dtype.name}"
            raise NetworkError(self.name, fault, f"{self.title} takes {names} there; convert it with add_cast.")

    def misfits(self) -> Iterator[tuple[int, ITensor, Types]]:
        """Yield the inputs that are of no type that the layer takes: place, tensor, and the types that it takes."""
        for index, tensor in sorted(self._places.items()):
            allowed = self.allowed_types(index)
            if tensor.native_dtype not in allowed:
                yield index, tensor, allowed

    def allowed_types(self, index: int) -> Types:
        """Return the types that an input may have."""
        return self.takes[min(index, len(self.takes) - 1)]

    def output_shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of an output."""
        return tuple(self.inputs[0].shape)

    def output_dtype(self, index: int) -> DataType:
        """Return the type of an output as the network defines it: FLOAT for floats of any precision."""
        dtype = self.inputs[0].native_dtype
        return DataType.FLOAT if dtype in FLOATS else dtype


def broadcast(layer: ILayer, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return what shapes of equal rank give together; sizes of 1 are stretched.

    Raises:
        NetworkError: they do not fit together.
    """
    together = shapes[0]
    for shape in shapes[1:]:
        pairs = list(zip(together, shape, strict=False))
        if len(together) != len(shape) or any(a != b and not {a, b} & {1, -1} for a, b in pairs):
            listed = " and ".join(str(Dims(shape)) for shape in shapes)
            raise NetworkError(
                layer.name,
                f"inputs of shapes {listed} do not fit together",
                "They need the same number of dimensions, and in each the same size or 1.",
            )
        together = tuple(b if a == 1 or (a == -1 and b != 1) else a for a, b in pairs)
    return tuple(together)


def axes_of(mask: int, rank: int) -> list[int]:
    """Return the axes whose bits are set."""
    return [axis for axis in range(rank) if mask >> axis & 1]


def one_axis(layer: ILayer, mask: int) -> int:
    """Return the one axis of a layer's first input whose bit is set.

    Raises:
        NetworkError: there is none, or more than one.
    """
    shape = layer.inputs[0].shape
    axes = axes_of(mask, len(shape))
    if len(axes) != 1 or mask >> len(shape):
        listed = axes_of(mask, MAX_DIMS)
        raise NetworkError(
            layer.name,
            f"{layer.title} along the axes {listed} of an input of shape {shape}",
            "Set exactly one bit in axes.",
        )
    return axes[0]


def alias(name: str, doc: str) -> property:
    """Return a property that reads and writes another attribute: TensorRT has some under two names."""
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value), doc=doc)


def as_layer(layer: ILayer) -> ILayer:
    """Return a layer as a network gives it: its `type` is a LayerType.

    On what `add_activation` and `add_pooling` return, `type` is the function; TensorRT's networks give such a layer as
    a plain ILayer, until its class is set: `layer.__class__ = trt.IActivationLayer`.
    """
    if type(layer).type is ILayer.type:
        return layer
    if type(layer) not in _PLAIN:
        _PLAIN[type(layer)] = type(type(layer).__name__, (type(layer),), {"type": ILayer.type, "__module__": __name__})
    plain: ILayer = object.__new__(_PLAIN[type(layer)])
    object.__setattr__(plain, "__dict__", layer.__dict__)
    return plain


_PLAIN: dict[type[ILayer], type[ILayer]] = {}
