"""Where a UFF graph's values come from: inputs as they are registered, and constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import UffInputOrder
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import LEAST_DIMS, Constant, Operand, Value
from trtflow.reference.record.values import DTYPES, Dims, volume

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse


@parses("Input", inputs=0)
def _input(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    """An input as it is registered; as in TensorRT, the shape that the graph declares decides nothing about its data.

    It only tells how many axes the graph counts where the registered dimensions end in 1s, as of a list.
    """
    if node.id not in parse.inputs:
        raise NetworkError(node.id, f"an input of {parse.source} that is not registered", "Call register_input first.")
    shape, order = parse.inputs[node.id]
    dtype = parse.field(node, "dtype") or np.dtype(np.float32)
    types = {value: key for key, value in DTYPES.items()}
    if dtype not in types:
        remedy = f"Convert with -I {node.id},{node.id},int32,… or another of TensorRT's types."
        raise NetworkError(node.id, f"an input of type {dtype} in {parse.source}", remedy)
    declared = tuple(parse.field(node, "shape") or ())
    if dtype.kind == "i" and _has_rows(shape, declared[1:]):
        return Value(parse.network.add_input(node.id, types[dtype], shape), len(declared), rows=1)
    if order != UffInputOrder.NC and len(shape) > LEAST_DIMS:
        fault = f"registered as {order.name} with {len(shape)} dimensions, {shape}"
        raise NetworkError(node.id, fault, "Register three, and leave the batch out.")
    tensor = parse.network.add_input(node.id, types[dtype], shape)
    if order == UffInputOrder.NC:
        return Value(tensor, 2, "NC+", "NC+")
    picture = "" if len(shape) < LEAST_DIMS else "NC+" if order == UffInputOrder.NCHW else "N+C"
    if _ends_in_ones(declared[1:], shape):
        return Value(tensor, len(declared), picture=picture)
    return Value(tensor, len(shape) + 1, picture, turned=bool(picture) and _is_turned(declared, shape, order))


def _has_rows(shape: Dims, sizes: Sequence[int]) -> bool:
    """Whether a list of indices is registered with more rows than the graph's one, as in sampleMovieLens."""
    return tuple(sizes) == (1,) and len(shape) > 1 and shape[0] > 1 and set(shape[1:]) == {1}


def _ends_in_ones(sizes: Sequence[int], shape: Dims) -> bool:
    """Whether dimensions are the graph's own, which has fewer, and 1s behind them."""
    count = len(sizes)
    return 0 < count < len(shape) and _fits(sizes, shape[:count]) and set(shape[count:]) == {1}


def _is_turned(declared: Sequence[int], shape: Dims, order: UffInputOrder) -> bool:
    """Whether the graph's own shape, with or without its batch, has the registered one's axes in the other order."""
    channels = shape[0 if order == UffInputOrder.NCHW else -1]
    if not 1 < channels < volume(shape):  # both orders are the same numbers one after the other
        return False
    sizes = declared if len(declared) == len(shape) else declared[1:]
    other = (*shape[1:], shape[0]) if order == UffInputOrder.NCHW else (shape[-1], *shape[:-1])
    return len(sizes) == len(shape) and not _fits(sizes, tuple(shape)) and _fits(sizes, other)


def _fits(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a shape is one that the graph's sizes allow, of which -1 allows all."""
    return all(size in (-1, given) for size, given in zip(sizes, shape, strict=True))


@parses("Const", inputs=0)
def _const(parse: Parse, node: Any, operands: list[Operand]) -> Constant:
    array = parse.values_of(node)
    wide = {"i8": np.int32, "i2": np.int32, "f2": np.float32}.get(array.dtype.str[1:])
    return Constant(array if wide is None else array.astype(wide))


@parses("Identity")
def _identity(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    return operands[0]
