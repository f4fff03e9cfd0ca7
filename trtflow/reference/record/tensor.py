"""Tensors of a network under construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtflow.reference.record.enums import DataType
from trtflow.reference.record.values import Dims

if TYPE_CHECKING:
    from trtflow.reference.record.layers import ILayer


class ITensor:
    """An input of the network, or an output of a layer, whose shape follows from that layer.

    In a network with an implicit batch, shapes leave the batch dimension out.
    """

    def __init__(self, name: str, producer: ILayer | None = None, index: int = 0) -> None:
        self.name, self.producer, self.index = name, producer, index
        self.dynamic_range: tuple[float, float] | None = None
        self.is_network_input = producer is None
        self.is_network_output = False
        self._shape, self._dtype = Dims(), DataType.FLOAT
        self._revision = -1

    @property
    def shape(self) -> Dims:
        """The sizes; -1 where they are only known at run time."""
        if self.producer is not None and self._revision != self.producer.network.revision:
            self._shape = Dims(self.producer.output_shape(self.index))
            self._revision = self.producer.network.revision
        return self._shape

    @shape.setter
    def shape(self, shape: Dims) -> None:
        if self.producer is not None:
            raise AttributeError(f"the shape of {self.name!r} follows from its layer; only inputs' shapes can be set")
        self._shape = Dims(shape)

    @property
    def dtype(self) -> DataType:
        """Type of the elements in the network as it is defined, before the builder lowers precisions."""
        return self._dtype if self.producer is None else self.producer.output_dtype(self.index)

    @dtype.setter
    def dtype(self, dtype: DataType) -> None:
        self._dtype = DataType(dtype)

    def set_dynamic_range(self, min: float, max: float) -> bool:
        """Set the range of values for INT8; TensorRT uses the larger magnitude, symmetrically."""
        if not min <= max:
            return False
        self.dynamic_range = (float(min), float(max))
        return True

    def reset_dynamic_range(self) -> None:
        """Forget the range."""
        self.dynamic_range = None
