"""Operations with weights and windows: convolutions, pooling, matrix products, normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.converters.uff.axes import constant_shape
from trtflow.converters.uff.graph import Conversion, ConversionError, converts, data_format, text

KERNEL_AXES = 4
LRN_DEFAULTS = (("alpha", 1.0), ("beta", 0.5), ("bias", 1.0))


def spatial(node: Any, key: str) -> list[int] | None:
    """Return the spatial part of an attribute with an entry an axis, such as strides; None where it is absent."""
    values = list(node.attr[key].list.i) if key in node.attr else []
    if not values:
        return None
    return values[1:-1] if data_format(node) == "N+C" else values[2:]


def padding(node: Any) -> dict[str, Any]:
    """Return the fields of a window's padding."""
    kind = text(node, "padding")
    if kind == "SAME":
        return {"implicit_padding": "same"}
    if kind == "EXPLICIT":
        pairs = np.array(node.attr["explicit_paddings"].list.i).reshape(-1, 2)
        sides = pairs[1:-1] if data_format(node) == "N+C" else pairs[2:]
        if (sides[:, 0] != sides[:, 1]).any():
            remedy = "Pad with a Pad node first."
            raise ConversionError(node, f"its padding {sides.tolist()} differs from side to side", remedy)
        return {"padding": sides[:, 0].tolist()}
    return {}


@converts("Conv2D")
def convert_convolution(conversion: Conversion, node: Any) -> None:
    """Conv with a kernel in TensorFlow's order: height, width, in, out."""
    _add_convolution(conversion, node, "Conv", conversion.inputs_of(node), "+CK")


@converts("DepthwiseConv2dNative")
def convert_depthwise(conversion: Conversion, node: Any) -> None:
    """Conv with a group a channel, and the kernel [H, W, C, M] as it is, which is what TensorRT's parser reads."""
    channels = conversion.constant(node, 1, "kernel").shape[2]
    _add_convolution(conversion, node, "Conv", conversion.inputs_of(node), "+CK", number_groups=channels)


@converts("Conv2DBackpropInput")
def convert_transposed_convolution(conversion: Conversion, node: Any) -> None:
    """ConvTranspose, whose inputs are data, kernel [H, W, out, in] and the shape of the output."""
    kernel, data, index = _parts_of_transposed(conversion, node)
    shape = constant_shape(conversion, node, index, "output's shape")
    _add_convolution(conversion, node, "ConvTranspose", [data, kernel, shape], "+KC")


def _parts_of_transposed(conversion: Conversion, node: Any) -> tuple[str, str, int]:
    """Return kernel and data of a transposed convolution, and the place of its shape among the inputs.

    TensorFlow's order is shape, kernel, data. sampleUffMaskRCNN's config.py puts the data in front of the others.
    """
    inputs = conversion.inputs_of(node)
    constants = [name in conversion.constants and conversion.constants[name].ndim == KERNEL_AXES for name in inputs]
    if len(inputs) == 3 and constants == [False, False, True]:
        return inputs[2], inputs[0], 1
    _, kernel, data = inputs
    return kernel, data, 0


def _add_convolution(
    conversion: Conversion, node: Any, operation: str, inputs: list[str], kernel_order: str, **fields: Any
) -> None:
    data, *others = inputs
    window = padding(node)
    if operation == "Conv" and not window:
        data, window = _with_pad(conversion, node, data)
    conversion.add(
        node,
        operation,
        [data, *others],
        strides=spatial(node, "strides"),
        dilation=spatial(node, "dilations"),
        inputs_orders=conversion.orders(data_format(node), kernel_order),
        **window,
        **fields,
    )


def _with_pad(conversion: Conversion, node: Any, data: str) -> tuple[str, dict[str, Any]]:
    """Return a convolution's data without the Pad before it, and the padding that the convolution does itself instead.

    That is NVIDIA's converter's way too, and holds where both sides of a spatial axis get the same.
    """
    pad = conversion.node(data)
    if pad.op != "Pad" or conversion.inputs_of(pad)[1] not in conversion.constants:
        return data, {}
    amounts = conversion.constant(pad, 1, "paddings").tolist()
    spatial_axes = slice(1, -1) if data_format(node) == "N+C" else slice(2, None)
    sides = amounts[spatial_axes]
    if any(before != after for before, after in sides) or np.sum(amounts) != np.sum(sides):
        return data, {}
    return conversion.inputs_of(pad)[0], {"padding": [before for before, _ in sides]}


@converts("MaxPool", "AvgPool")
def convert_pooling(conversion: Conversion, node: Any) -> None:
    """Pool."""
    conversion.add(
        node,
        "Pool",
        conversion.inputs_of(node),
        func=node.op[:3].lower(),
        kernel=spatial(node, "ksize"),
        strides=spatial(node, "strides"),
        inputs_orders=conversion.orders(data_format(node)),
        **padding(node),
    )


@converts("MatMul")
def convert_matrix_product(conversion: Conversion, node: Any) -> None:
    """FullyConnected; transposed operands are a matter of their orders."""
    left = "CN" if node.attr["transpose_a"].b else "NC"
    right = "KC" if node.attr["transpose_b"].b else "CK"
    conversion.constant(node, 1, "second matrix")
    conversion.add(node, "FullyConnected", conversion.inputs_of(node), inputs_orders=conversion.orders(left, right))


@converts("BiasAdd")
def convert_bias(conversion: Conversion, node: Any) -> None:
    """Binary add; where channels come first the bias gets two spatial axes."""
    data, bias = conversion.inputs_of(node)
    if text(node, "data_format") == "NCHW" and bias in conversion.constants:
        conversion.add_constant(f"{bias}_channels", conversion.constants[bias].reshape(-1, 1, 1))
        bias = f"{bias}_channels"
    conversion.add(node, "Binary", [data, bias], func="add")


@converts("LRN")
def convert_lrn(conversion: Conversion, node: Any) -> None:
    """LRN; TensorFlow's alpha is for one channel, TensorRT's for the window."""
    radius = node.attr["depth_radius"].i if "depth_radius" in node.attr else 5
    window = int(2 * radius + 1)
    alpha, beta, bias = (float(node.attr[key].f) if key in node.attr else default for key, default in LRN_DEFAULTS)
    conversion.add(
        node,
        "LRN",
        conversion.inputs_of(node),
        window_size=window,
        alpha=alpha * window,
        beta=beta,
        k=bias,
        inputs_orders=conversion.orders(data_format(node)),
    )


@converts("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def convert_batch_norm(conversion: Conversion, node: Any) -> None:
    """BatchNorm with the moments of the training."""
    if node.attr["is_training"].b:
        raise ConversionError(node, "it is in training mode", "Freeze the graph for inference.")
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
    conversion.add(
        node,
        "BatchNorm",
        conversion.inputs_of(node)[:5],
        epsilon=float(epsilon),
        inputs_orders=conversion.orders(data_format(node)),
    )
