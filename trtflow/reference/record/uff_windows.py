"""UFF's operations with weights and windows, which want their channels first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import (
    PoolingType,
    ScaleMode,
)
from trtflow.reference.record.uff_registry import parses
from trtflow.reference.record.uff_values import Operand, Value

if TYPE_CHECKING:
    from trtflow.reference.record.uff_parser import Parse

POOLINGS = {"max": PoolingType.MAX, "avg": PoolingType.AVERAGE}


@parses("Conv", inputs=2)
def _conv(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    groups, channels = parse.field(node, "number_groups", 1), data.tensor.shape[-3]
    if groups > 1 and kernel.shape[1] == groups == channels:  # a depthwise kernel [H, W, C, M]
        kernel = kernel.swapaxes(0, 1).reshape(-1, 1, *kernel.shape[2:])
    _check_channels(parse, node, kernel.shape[1] * groups, data)
    layer = parse.network.add_convolution(data.tensor, kernel.shape[0], kernel.shape[2:], parse.weights(kernel))
    layer.num_groups = groups
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    layer.dilation = tuple(parse.field(node, "dilation") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


def _check_channels(parse: Parse, node: Any, channels: int, data: Value) -> None:
    """Refuse data that a kernel does not fit, as when an input is registered in the wrong order."""
    if data.tensor.shape[-3] != channels:
        fault = f"a kernel for {channels} channels, but its data in {parse.source} has C, H, W = {data.tensor.shape}"
        raise NetworkError(node.id, fault, "Register the inputs with their dimensions in the order given with them.")


def _canonical(kernel: np.ndarray, order: str) -> np.ndarray:
    """Return a kernel with the axes K, C, and the spatial ones."""
    rank = kernel.ndim
    spatial = {"+KC": range(rank - 2), "+CK": range(rank - 2)}.get(order, range(2, rank))
    first = {"+KC": (rank - 2, rank - 1), "+CK": (rank - 1, rank - 2), "KC": (0, 1), "CK": (1, 0)}[order]
    return np.ascontiguousarray(kernel.transpose(*first, *spatial))


def _pad_window(parse: Parse, node: Any, layer: Any, data: Value) -> None:
    """Set the padding of a window: none, the same on both sides, or as much as keeps size / stride."""
    explicit = parse.field(node, "padding")
    if explicit:
        layer.padding = tuple(explicit)
    if parse.field(node, "implicit_padding") != "same":
        return
    before, after = [], []
    for axis, size in enumerate(data.tensor.shape[-2:]):
        reach = layer.dilation[axis] * (layer.window[axis] - 1) + 1
        total = max((-(-size // layer.stride[axis]) - 1) * layer.stride[axis] + reach - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    layer.pre_padding, layer.post_padding = tuple(before), tuple(after)


@parses("ConvTranspose", inputs=3)
def _conv_transpose(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order).swapaxes(0, 1)  # TensorRT's: C, K
    _check_channels(parse, node, kernel.shape[0], data)
    shape = parse.need(node, operands[2], "output shape").tolist()
    sizes = shape[1:3] if order == "N+C" else shape[2:4]
    layer = parse.network.add_deconvolution(data.tensor, kernel.shape[1], kernel.shape[2:], parse.weights(kernel))
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    layer.dilation = tuple(parse.field(node, "dilation") or (1, 1))
    whole = layer.output_shape(0)[-2:]
    cut = [have - want for have, want in zip(whole, sizes, strict=True)]
    if min(cut) < 0:
        fault = f"an output of {tuple(sizes)} from a transposed convolution that makes {tuple(whole)}"
        raise NetworkError(node.id, fault, "TensorRT can cut its border off, but not add to it.")
    layer.pre_padding = tuple(amount // 2 for amount in cut)
    layer.post_padding = tuple(amount - amount // 2 for amount in cut)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@parses("Pool")
def _pool(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node)
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    window = tuple(parse.need_field(node, "kernel"))
    layer = parse.network.add_pooling(data.tensor, parse.function(node, POOLINGS), window)
    layer.stride = tuple(parse.field(node, "strides") or (1, 1))
    _pad_window(parse, node, layer, data)
    return replace(data, tensor=layer.outputs[0], order="NC+", logical=order)


@parses("FullyConnected", inputs=2)
def _fully_connected(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    order, kernel_order = parse.orders(node, ("NC", "CK"))
    if order == "CN":
        raise NetworkError(
            node.id, "a product whose data is transposed, which moves the batch", "Transpose the result."
        )
    kernel = _canonical(parse.need(node, operands[1], "kernel"), kernel_order)
    data = parse.need_value(node, operands[0])
    if int(np.prod(data.tensor.shape[data.rows :])) != kernel.shape[1]:
        fault = f"a kernel for {kernel.shape[1]} inputs, but its data has the shape {parse.axes.shape(data)}"
        raise NetworkError(node.id, fault, "Flatten the data first.")
    flat = parse.axes.reshaped(data, (-1, kernel.shape[1]), node.id)
    layer = parse.network.add_fully_connected(flat.tensor, kernel.shape[0], parse.weights(kernel))
    return replace(flat, tensor=layer.outputs[0])


@parses("LRN")
def _lrn(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node, ["N+C"])
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    window, *constants = (parse.need_field(node, key) for key in ("window_size", "alpha", "beta", "k"))
    layer = parse.network.add_lrn(data.tensor, window, *constants)
    return replace(data, tensor=layer.outputs[0])


@parses("BatchNorm", inputs=5)
def _batch_norm(parse: Parse, node: Any, operands: list[Operand]) -> Value:
    (order,) = parse.orders(node, ["N+C"])
    data = parse.axes.channels_first(parse.need_value(node, operands[0]), order)
    gamma, beta, mean, variance = (parse.need(node, operand, "moments").astype(np.float64) for operand in operands[1:])
    scale = gamma / np.sqrt(variance + parse.field(node, "epsilon", 1e-3))
    shift = parse.weights(beta - mean * scale)
    layer = parse.network.add_scale(data.tensor, ScaleMode.CHANNEL, shift, parse.weights(scale))
    return replace(data, tensor=layer.outputs[0])
