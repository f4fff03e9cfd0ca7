"""Values in UFF: Python's in, Python's out; orders of axes by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.formats.damage import is_shape_of
from trtflow.formats.uff.uff_pb2 import Data, DataType, DimensionOrders, MetaGraph, OrderEnum

SPECIAL = int(OrderEnum.OE_SPECIAL)
ASCENDING = int(OrderEnum.OE_INCREMENT)
# For each position of the stored tensor its axis: N (of a kernel K) is 0, C is 1, "+" are all spatial axes.
ORDERS = {
    "NC": (0, 1),
    "CN": (1, 0),
    "NC+": (0, 1, ASCENDING),
    "N+C": (0, ASCENDING, 1),
    "KC": (0, 1),
    "CK": (1, 0),
    "+KC": (ASCENDING, 0, 1),
    "+CK": (ASCENDING, 1, 0),
}
# What the spatial axes stand for in a stored order: axis 2 and all after it.
STORED = {
    "NC+": (0, 1, 2, ASCENDING),
    "N+C": (0, 2, ASCENDING, 1),
    "+KC": (2, ASCENDING, 0, 1),
    "+CK": (2, ASCENDING, 1, 0),
}
DTYPES = {
    DataType.DT_INT8: np.dtype("i1"),
    DataType.DT_INT16: np.dtype("<i2"),
    DataType.DT_INT32: np.dtype("<i4"),
    DataType.DT_INT64: np.dtype("<i8"),
    DataType.DT_FLOAT16: np.dtype("<f2"),
    DataType.DT_FLOAT32: np.dtype("<f4"),
}
TYPES = {dtype: number for number, dtype in DTYPES.items()}


def dtype_of(dtype: Any) -> int | None:
    """Return UFF's number of a NumPy type, or None where UFF has none."""
    number = TYPES.get(np.dtype(dtype))
    return None if number is None else int(number)


def data_of(value: Any) -> Data:
    """Return a Python value as UFF has it: int, float, bool, str, bytes, NumPy type, or a list of one kind of these.

    bytes become a blob. An empty list is one of integers.
    """
    if isinstance(value, Data):
        return value
    if isinstance(value, np.dtype):
        return Data(dtype=TYPES[value])
    if isinstance(value, (list, tuple, np.ndarray)):
        return _list_of([item.item() if isinstance(item, np.generic) else item for item in value])
    if isinstance(value, np.generic):
        value = value.item()
    for kind, field in ((bool, "b"), (int, "i"), (float, "d"), (str, "s"), (bytes, "blob")):
        if isinstance(value, kind):
            return Data(**{field: value})
    raise TypeError(f"UFF cannot hold a {type(value).__name__}")


def _list_of(values: list[Any]) -> Data:
    data = Data()
    if values and isinstance(values[0], np.dtype):
        data.dtype_list.val.extend(TYPES[value] for value in values)
        return data
    kinds = ((bool, data.b_list), (int, data.i_list), (float, data.d_list), (str, data.s_list))
    field = next((field for kind, field in kinds if values and isinstance(values[0], kind)), data.i_list)
    field.SetInParent()
    field.val.extend(values)
    return data


def value_of(data: Data) -> Any:
    """Return what a value of UFF is in Python; `data_of` undoes it. A reference is the key it names."""
    kind = data.WhichOneof("data_oneof")
    if kind is None:
        return None
    value = getattr(data, kind)
    if kind == "dtype":
        return DTYPES.get(value)
    if kind == "dtype_list":
        return [DTYPES.get(item) for item in value.val]
    if kind == "dim_orders":
        return _order(value)
    if kind == "dim_orders_list":
        return [_order(item) for item in value.val]
    return list(value.val) if kind.endswith("_list") else value


def orders_key(graph: MetaGraph, orders: Sequence[str]) -> Data:
    """Return a reference to orders by their names, such as N+C and +CK, which is entered if it is not there yet."""
    key = "orders_" + "_".join(orders)
    if key not in graph.referenced_data:
        entries = graph.referenced_data[key].dim_orders_list.val
        for name in orders:
            entries.add().orders[SPECIAL].val.extend(STORED.get(name, ORDERS[name]))
    return Data(ref=key)


def _order(entry: DimensionOrders) -> tuple[int, ...]:
    """Return an order in the form of `ORDERS`: all spatial axes as one entry."""
    axes = list(entry.orders[SPECIAL].val) if SPECIAL in entry.orders else []
    places = [place for place in range(len(axes) - 1) if axes[place] == 2 and axes[place + 1] == ASCENDING]
    for place in places:
        del axes[place]
    return tuple(axes)


def blob_of(graph: MetaGraph, name: str, array: np.ndarray) -> Data:
    """Return a reference to the values of a constant, which are entered as weights_<name>."""
    key = f"weights_{name}"
    graph.referenced_data[key].blob = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return Data(ref=key)


def array_of(graph: MetaGraph, data: Data, dtype: np.dtype, shape: Sequence[int]) -> np.ndarray:
    """Return the array that a constant's field refers to.

    Raises:
        ValueError: there is no such blob, or it has another size.
    """
    blob = graph.referenced_data[data.ref].blob if data.ref in graph.referenced_data else data.blob
    count, rest = divmod(len(blob), dtype.itemsize)
    if rest or not is_shape_of(shape, count):
        raise ValueError(f"{len(blob)} bytes for {tuple(shape)} values of {dtype}")
    return np.frombuffer(blob, dtype).reshape(tuple(shape))
