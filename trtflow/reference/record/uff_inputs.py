"""Where a UFF graph's values come from: inputs as they are registered, and constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    UffInputOrder,
)
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import Constant, Operand, Value
from trtflow.reference.record.values import DTYPES, Dims

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse


@parses("Input", inputs=0)
def _input(parse: Parse, node: Any, operands: list[Operand]) -> Value:
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
    _check_shape(parse, node, shape, order, declared)
    tensor = parse.network.add_input(node.id, types[dtype], shape)
    if order == UffInputOrder.NC:
        return Value(tensor, 2, "NC+", "NC+")
    rank = len(declared) if 0 < len(declared) <= len(shape) + 1 else len(shape) + 1
    if rank != 4:
        return Value(tensor, rank)
    channels = shape[0 if order == UffInputOrder.NCHW else -1]
    matters = 1 < channels < np.prod(shape)  # else both orders are the same numbers one after the other
    turned = bool(matters and not _fits(declared[1:], shape))
    return Value(tensor, rank, "NC+" if order == UffInputOrder.NCHW else "N+C", turned=turned)


def _has_rows(shape: Dims, sizes: Sequence[int]) -> bool:
    """Whether a list of indices is registered with more rows than the graph's one, as in sampleMovieLens."""
    return tuple(sizes) == (1,) and len(shape) > 1 and shape[0] > 1 and set(shape[1:]) == {1}


def _check_shape(parse: Parse, node: Any, shape: Dims, order: UffInputOrder, declared: Sequence[int]) -> None:
    """Refuse dimensions that cannot be the graph's, whichever of the two has its channels first."""
    fault = f"registered as {order.name} with the shape {shape}, but {parse.source} has {list(declared)}"
    if order != UffInputOrder.NC and len(shape) > 3:
        fault = f"registered as {order.name} with {len(shape)} dimensions, {shape}"
        raise NetworkError(node.id, fault, "Register three, and leave the batch out.")
    sizes = declared[1:]
    if -1 not in sizes and sizes and np.prod(sizes) != np.prod(shape):
        fault = f"registered with the shape {shape}, but {parse.source} has {list(declared)}"
        remedy = f"Register {tuple(sizes)} in the order of the graph, or the same sizes in {order.name}."
        raise NetworkError(node.id, fault, remedy)
    if len(sizes) == len(shape) == 3 and order != UffInputOrder.NC:
        turned = (sizes[2], *sizes[:2]) if order == UffInputOrder.NCHW else (*sizes[1:], sizes[0])
        if not _fits(sizes, shape) and not _fits(turned, shape):
            raise NetworkError(node.id, fault, "Register the dimensions in the order that is given with them.")


def _fits(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether a shape is one that the graph's sizes allow, of which -1 allows all; no sizes allow all shapes."""
    return not sizes or all(size in (-1, given) for size, given in zip(sizes, shape, strict=True))


@parses("Const", inputs=0)
def _const(parse: Parse, node: Any, operands: list[Operand]) -> Constant:
    array = parse.values_of(node)
    wide = {"i8": np.int32, "i2": np.int32, "f2": np.float32}.get(array.dtype.str[1:])
    return Constant(array if wide is None else array.astype(wide))


@parses("Identity")
def _identity(parse: Parse, node: Any, operands: list[Operand]) -> Operand:
    return operands[0]
