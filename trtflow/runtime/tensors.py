"""Short names for what networks are made of, a function each: they take and return tensors of the network."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np


def add_constant(network: Any, values: np.ndarray) -> Any:
    """Return a tensor of weights; its layer keeps no name of its own."""
    return network.add_constant(values.shape, np.ascontiguousarray(values)).get_output(0)


def add_product(trt: ModuleType, network: Any, left: Any, right: Any, *, transpose_right: bool = False) -> Any:
    """Return the matrix product of two tensors."""
    none, transpose = trt.MatrixOperation.NONE, trt.MatrixOperation.TRANSPOSE
    layer = network.add_matrix_multiply(left, none, right, transpose if transpose_right else none)
    return layer.get_output(0)


def add_elementwise(network: Any, left: Any, right: Any, operation: Any) -> Any:
    """Return an operation on each element of two tensors; axes of size 1 are repeated."""
    return network.add_elementwise(left, right, operation).get_output(0)


def add_reshape(network: Any, value: Any, shape: tuple[int, ...]) -> Any:
    """Return a tensor in another shape: Shuffle."""
    layer = network.add_shuffle(value)
    layer.reshape_dims = shape
    return layer.get_output(0)


def add_joined(network: Any, values: Sequence[Any], axis: int) -> Any:
    """Return tensors joined along an axis; one alone as it is."""
    if len(values) == 1:
        return values[0]
    layer = network.add_concatenation(list(values))
    layer.axis = axis
    return layer.get_output(0)


def add_conversion(network: Any, value: Any, dtype: Any) -> Any:
    """Return a tensor in another type: Identity."""
    layer = network.add_identity(value)
    layer.set_output_type(0, dtype)
    return layer.get_output(0)


def add_part(network: Any, value: Any, start: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return a part of a tensor: Slice with strides of 1."""
    return network.add_slice(value, start, shape, (1,) * len(shape)).get_output(0)
