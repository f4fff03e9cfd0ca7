"""Tensors of a network under construction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.dims import sizes_of
from trtflow.reference.record.enumeration import members
from trtflow.reference.record.enums import DataType, LayerType, TensorFormat, TensorLocation
from trtflow.reference.record.sealed import Sealed
from trtflow.reference.record.shape_tensors import shape_tensors
from trtflow.reference.record.values import Dims

if TYPE_CHECKING:
    from trtflow.reference.record.layer import ILayer
    from trtflow.reference.record.network import INetworkDefinition

ALL_FORMATS = sum(1 << int(layout) for layout in members(TensorFormat))


class ITensor(Sealed):
    """An input of the network, or an output of a layer, whose shape follows from that layer.

    In a network with an implicit batch, shapes leave the batch dimension out.

    Attributes:
        name: its name; that of a binding where the tensor is an input or output of the network.
        allowed_formats: bits of TensorFormat, of which the engine takes rows, or else the first that the type has.
        location, broadcast_across_batch: recorded only: all memory is the host's.
    """

    read_only = ("is_network_input", "producer", "index")

    def __init__(
        self,
        name: str,
        producer: ILayer | None = None,
        index: int = 0,
        network: INetworkDefinition | None = None,
    ) -> None:
        self.name, self.producer, self.index = name, producer, index
        self._range: tuple[float, float] | None = None
        self.location, self.allowed_formats = TensorLocation.DEVICE, ALL_FORMATS
        self.broadcast_across_batch = False
        self.is_network_input = producer is None
        self._marked = False
        self._network = network
        self._shape: tuple[int, ...] = ()
        self._dtype = DataType.FLOAT
        self._bound_dtype: DataType | None = None
        self._dimension_names: dict[int, str] = {}
        self._derived: dict[str, tuple[int, Any]] = {}  # what followed from the layer, and at which revision

    @property
    def shape(self) -> Dims:
        """The sizes; -1 where they are only known at run time. What is done to them has no effect on the tensor."""
        return Dims(self._shape if self.producer is None else self._derive("shape"))

    @shape.setter
    def shape(self, shape: Any) -> None:
        if self.producer is not None:
            raise AttributeError(f"the shape of {self.name!r} follows from its layer; only inputs' shapes can be set")
        self._shape = sizes_of(shape)
        self._touch()

    @property
    def dtype(self) -> DataType:
        """Type of the elements in the network as it is defined, before the builder lowers precisions.

        Set for an input or output of the network, it is the type of the binding.
        """
        if self.is_network_output and self._bound_dtype is not None:
            return self._bound_dtype
        return self._dtype if self.producer is None else self.native_dtype

    @dtype.setter
    def dtype(self, dtype: DataType) -> None:
        if self.producer is None:
            self._dtype = DataType(dtype)
        else:
            self._bound_dtype = DataType(dtype)
        self._touch()

    @property
    def native_dtype(self) -> DataType:
        """Type that layers read: that of an input, or what follows from the layer.

        An input that is INT8 and has a range holds floats, whose binding alone is INT8.
        """
        if self.producer is not None:
            return DataType(self._derive("dtype"))
        return DataType.FLOAT if self.is_quantised_input else self._dtype

    @property
    def is_stored_in_int8(self) -> bool:
        """Whether floats are stored in steps of a range because the network says so.

        It does by the type of a binding, or by the type that it wants of what an identity layer gives to others: an
        output of the network has its binding's type alone.
        """
        if self.producer is None or self.native_dtype not in (DataType.FLOAT, DataType.HALF):
            return self.is_quantised_input
        wanted = self.producer.layer_type == LayerType.IDENTITY and self.producer.output_type_is_set(self.index)
        if self.is_network_output:
            return self.dtype == DataType.INT8
        return wanted and self.producer.get_output_type(self.index) == DataType.INT8

    @property
    def is_quantised_input(self) -> bool:
        """Whether the binding has steps of a range for what layers read as floats."""
        return self.producer is None and self._dtype == DataType.INT8 and self._range is not None

    @property
    def dynamic_range(self) -> tuple[float, float] | None:
        """Range of values for INT8, (min, max), or None."""
        return self._range

    @dynamic_range.setter
    def dynamic_range(self, range: Any) -> None:
        if len(range) != 2:
            raise ValueError("Dynamic range must contain exactly 2 elements")
        self.set_dynamic_range(*range)

    def set_dynamic_range(self, min: float, max: float) -> bool:
        """Set the range of values for INT8; TensorRT uses the larger magnitude, symmetrically.

        Returns False, and leaves the range as it is, where the ends are not finite or in the wrong order.
        """
        if not -math.inf < min <= max < math.inf:
            return False
        self._range = (float(min), float(max))
        return True

    def reset_dynamic_range(self) -> None:
        """Forget the range."""
        self._range = None

    @property
    def is_network_output(self) -> bool:
        """Whether it is marked as an output of the network."""
        return self._marked

    def mark(self, is_output: bool) -> None:
        """Make it an output of the network, or none: `INetworkDefinition.mark_output` does so."""
        self._marked = is_output

    @property
    def is_bound(self) -> bool:
        """Whether it is an input or output of the network."""
        return self.is_network_input or self._marked

    def set_dimension_name(self, index: int, name: str) -> None:
        """Name a dimension of an input; recorded only."""
        self._dimension_names[index] = name

    def get_dimension_name(self, index: int) -> str | None:
        """Return the name of a dimension, or None."""
        return self._dimension_names.get(index)

    @property
    def is_shape_tensor(self) -> bool:
        """Whether its values are sizes, or sizes are computed from them."""
        network = self._network_of()
        return network is not None and self in shape_tensors(network)

    @property
    def is_execution_tensor(self) -> bool:
        """Whether its values are computed on the device: those of all tensors are but of inputs that are sizes."""
        return not (self.is_network_input and self.is_shape_tensor)

    @property
    def is_known(self) -> bool:
        """Whether its shape or type was asked for since its layer was made."""
        return bool(self._derived)

    def _network_of(self) -> INetworkDefinition | None:
        return self._network if self.producer is None else self.producer.network

    def _touch(self) -> None:
        network = self._network_of()
        if network is not None:
            network.revision += 1

    def forget(self) -> None:
        """Forget what followed from the layer."""
        self._derived.clear()

    def _is_derived(self, what: str) -> bool:
        if self.producer is None:
            return True
        return what in self._derived and self._derived[what][0] == self.producer.network.revision

    def _derive(self, what: str) -> Any:
        """Return what follows from the layer; those of all layers before come first, without recursion."""
        pending, begun = [self], set()
        while pending:
            tensor = pending[-1]
            if tensor._is_derived(what):
                pending.pop()
                continue
            producer = tensor.producer
            assert producer is not None
            missing = [source for source in producer.sources() if not source._is_derived(what)]
            if missing and tensor in begun:
                raise NetworkError(
                    producer.name, "its inputs depend on its own output", "Lead them from another tensor."
                )
            begun.add(tensor)
            if missing:
                pending += missing
                continue
            value = (
                sizes_of(producer.output_shape(tensor.index))
                if what == "shape"
                else producer.output_dtype(tensor.index)
            )
            tensor._derived[what] = (producer.network.revision, value)
        return self._derived[what][1]
