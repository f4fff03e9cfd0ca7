"""One function a kind of operation: from TensorFlow's nodes to UFF's."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.converters.uff.custom import add_custom
from trtflow.converters.uff.folding import INPUTS
from trtflow.converters.uff.graph import Conversion, ConversionError, converts
from trtflow.formats.uff import dtype_of

DATA = {"NHWC": "N+C", "NCHW": "NC+"}
ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Elu": "elu",
    "Selu": "selu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}
BINARY = {
    "Add": "add",
    "AddV2": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "RealDiv": "div",
    "Pow": "pow",
}
UNARY = (
    *("Neg", "Exp", "Log", "Abs", "Sqrt", "Rsqrt", "Square", "Ceil", "Floor"),
    *("Sin", "Cos", "Tan", "Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh"),
)
LRN_DEFAULTS = (("alpha", 1.0), ("beta", 0.5), ("bias", 1.0))
REDUCTIONS = {"Sum": "sum", "Prod": "prod", "Max": "max", "Min": "min", "Mean": "mean"}


def text(node: Any, key: str, default: str = "") -> str:
    """Return a text attribute."""
    return node.attr[key].s.decode() if key in node.attr else default


def data_format(node: Any) -> str:
    """Return the order of a node's data, by UFF's name."""
    order = text(node, "data_format") or "NHWC"
    if order not in DATA:
        raise ConversionError(node, f"its data are {order}", "UFF has NHWC and NCHW.")
    return DATA[order]


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


@converts(*INPUTS)
def convert_placeholder(conversion: Conversion, node: Any) -> None:
    """Input. Types that UFF does not have, such as a picture's uint8, become float32."""
    import tensorflow as tf  # noqa: PLC0415

    dtype = np.dtype(tf.as_dtype(node.attr["dtype"].type).as_numpy_dtype)
    known = dtype if dtype_of(dtype) is not None else np.dtype(np.float32)
    shape = [] if node.attr["shape"].shape.unknown_rank else [dim.size for dim in node.attr["shape"].shape.dim]
    conversion.add(node, "Input", [], dtype=known, shape=shape)


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
    _, kernel, data = conversion.inputs_of(node)
    shape = _constant_shape(conversion, node, 0, "output's shape")
    _add_convolution(conversion, node, "ConvTranspose", [data, kernel, shape], "+KC")


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


def _constant_shape(conversion: Conversion, node: Any, index: int, what: str) -> str:
    """Return the name of a constant that holds a shape.

    Where the graph computes the shape, as it does to keep the size of the batch open, the node's own shape serves if no
    more than one size of it is open, which becomes -1.
    """
    name = conversion.inputs_of(node)[index]
    shape = conversion.shapes.get(node.name)
    if name in conversion.constants or shape is None or shape.count(None) > 1:
        conversion.constant(node, index, what)
        return name
    constant = f"{node.name}/constant_shape"
    conversion.add_constant(constant, np.array([-1 if size is None else size for size in shape], np.int32))
    return constant


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


@converts(*BINARY)
def convert_binary(conversion: Conversion, node: Any) -> None:
    """Binary; c - x and c / x with a constant c, which TensorRT's parser refuses, turned round."""
    first, second = conversion.inputs_of(node)
    function = BINARY[node.op]
    if function not in ("sub", "div") or first not in conversion.constants:
        conversion.add(node, "Binary", [first, second], func=function)
        return
    turned = f"{node.name}/turned"
    conversion.add(node, "Binary", [turned, first], func="add" if function == "sub" else "mul")
    if function == "sub":
        conversion.add(node, "Unary", [second], as_name=turned, func="neg")
    else:
        conversion.add(node, "Binary", [second, f"{node.name}/exponent"], as_name=turned, func="pow")
        conversion.add_constant(f"{node.name}/exponent", np.array([-1], np.float32))


@converts("Maximum", "Minimum")
def convert_extremum(conversion: Conversion, node: Any) -> None:
    """Binary min or max of two tensors; with a constant c, which TensorRT's parser refuses there, by way of ReLU.

    max(x, c) is relu(x - c) + c, and min(x, c) is c - relu(c - x).
    """
    first, second = conversion.inputs_of(node)
    known = [name in conversion.constants for name in (first, second)]
    if not any(known):
        conversion.add(node, "Binary", [first, second], func=node.op[:3].lower())
        return
    data, bound = (second, first) if known[0] else (first, second)
    steps = (
        [("relu", "Activation", "relu"), ("less", "Binary", "sub")]
        if node.op == "Maximum"
        else [
            ("back", "Unary", "neg"),
            ("relu", "Activation", "relu"),
            ("less", "Binary", "add"),
            ("turned", "Unary", "neg"),
        ]
    )
    names = [f"{node.name}/{name}" for name, _, _ in steps]
    conversion.add(node, "Binary", [names[0], bound], func="add")
    for name, source, (_, operation, function) in zip(names, [*names[1:], data], steps, strict=True):
        others = [bound] if operation == "Binary" else []
        conversion.add(node, operation, [source, *others], as_name=name, func=function)


@converts("SquaredDifference")
def convert_squared_difference(conversion: Conversion, node: Any) -> None:
    """A difference and its square."""
    difference = f"{node.name}/difference"
    conversion.add(node, "Unary", [difference], func="square")
    conversion.add(node, "Binary", conversion.inputs_of(node), as_name=difference, func="sub")


@converts("Reciprocal", "Inv")
def convert_reciprocal(conversion: Conversion, node: Any) -> None:
    """The power of -1."""
    exponent = f"{node.name}/exponent"
    conversion.add(node, "Binary", [*conversion.inputs_of(node), exponent], func="pow")
    conversion.add_constant(exponent, np.array([-1], np.float32))


@converts(*UNARY)
def convert_unary(conversion: Conversion, node: Any) -> None:
    """Unary."""
    conversion.add(node, "Unary", conversion.inputs_of(node), func=node.op.lower())


@converts(*ACTIVATIONS)
def convert_activation(conversion: Conversion, node: Any) -> None:
    """Activation."""
    conversion.add(node, "Activation", conversion.inputs_of(node), func=ACTIVATIONS[node.op])


@converts("LeakyRelu")
def convert_leaky_relu(conversion: Conversion, node: Any) -> None:
    """LeakyRelu with its slope, an operation of its own in TensorRT's parser."""
    conversion.add(node, "LeakyRelu", conversion.inputs_of(node), alpha=float(node.attr["alpha"].f))


@converts("Softmax")
def convert_softmax(conversion: Conversion, node: Any) -> None:
    """Softmax over the last axis, which is TensorFlow's only one."""
    _add_softmax(conversion, node, node.name)


@converts("LogSoftmax")
def convert_log_softmax(conversion: Conversion, node: Any) -> None:
    """A softmax and its logarithm."""
    softmax = f"{node.name}/softmax"
    conversion.add(node, "Unary", [softmax], func="log")
    _add_softmax(conversion, node, softmax)


def _add_softmax(conversion: Conversion, node: Any, name: str) -> None:
    data = conversion.inputs_of(node)[0]
    # The channels are the last axis of a picture; for a matrix NVIDIA's converter says NC+, and both mean the same.
    order = "N+C" if len(conversion.shapes.get(data, [])) > 2 else "NC+"
    orders = conversion.orders(order)
    conversion.add(node, "Softmax", [data], as_name=name, axis=conversion.axis(-1, data), inputs_orders=orders)


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


@converts("Reshape")
def convert_reshape(conversion: Conversion, node: Any) -> None:
    """Reshape, or Flatten where the name says so, as Keras's does."""
    data = conversion.inputs_of(node)[0]
    if "flatten" in node.name.lower() and _may_flatten(conversion, node, data):
        conversion.add(node, "Flatten", [data])
        return
    conversion.add(node, "Reshape", [data, _constant_shape(conversion, node, 1, "shape")])


def _may_flatten(conversion: Conversion, node: Any, data: str) -> bool:
    """Whether all that is known of the shapes fits to a flattening of all axes behind the batch."""
    before, after = conversion.shapes.get(data), conversion.shapes.get(node.name)
    if after is None:
        return True
    if len(after) != 2 or before is None or None in (*before[1:], after[1]):
        return len(after) == 2
    return bool(np.prod(np.array(before[1:], np.int64)) == after[1])


@converts("Transpose")
def convert_transpose(conversion: Conversion, node: Any) -> None:
    """Transpose."""
    order = conversion.constant(node, 1, "permutation").tolist()
    conversion.add(node, "Transpose", conversion.inputs_of(node)[:1], permutation=order)


@converts("ExpandDims", "ArgMax", "ArgMin")
def convert_along_axis(conversion: Conversion, node: Any) -> None:
    """The operation of the same name along a constant axis."""
    data = conversion.inputs_of(node)[0]
    axis = conversion.axis(int(conversion.constant(node, 1, "axis")), data, added=int(node.op == "ExpandDims"))
    conversion.add(node, node.op, [data], axis=axis)


@converts(*REDUCTIONS)
def convert_reduction(conversion: Conversion, node: Any) -> None:
    """Reduce."""
    data = conversion.inputs_of(node)[0]
    conversion.add(
        node,
        "Reduce",
        [data],
        func=REDUCTIONS[node.op],
        axes=[conversion.axis(axis, data) for axis in np.atleast_1d(conversion.constant(node, 1, "axes")).tolist()],
        keepdims=bool(node.attr["keep_dims"].b),
    )


@converts("ConcatV2")
def convert_concat(conversion: Conversion, node: Any) -> None:
    """Concat; the axis is an attribute, which is graphsurgeon's way, or the last input."""
    inputs = conversion.inputs_of(node)
    axis = int(node.attr["axis"].i) if "axis" in node.attr else int(conversion.constant(node, -1, "axis"))
    data = inputs if "axis" in node.attr else inputs[:-1]
    conversion.add(node, "Concat", data, axis=conversion.axis(axis, data[0]))


@converts("Concat")
def convert_old_concat(conversion: Conversion, node: Any) -> None:
    """Concat; the axis is the first input."""
    data = conversion.inputs_of(node)[1:]
    axis = int(conversion.constant(node, 0, "axis"))
    conversion.add(node, "Concat", data, axis=conversion.axis(axis, data[0]))


@converts("Pack")
def convert_stack(conversion: Conversion, node: Any) -> None:
    """Stack."""
    data = conversion.inputs_of(node)
    conversion.add(node, "Stack", data, axis=conversion.axis(int(node.attr["axis"].i), data[0], added=1))


@converts("Squeeze")
def convert_squeeze(conversion: Conversion, node: Any) -> None:
    """Squeeze."""
    data = conversion.inputs_of(node)[0]
    axes = [conversion.axis(axis, data) for axis in node.attr["squeeze_dims"].list.i]
    conversion.add(node, "Squeeze", [data], axes=axes)


@converts("Pad", "PadV2", "MirrorPad")
def convert_pad(conversion: Conversion, node: Any) -> None:
    """Pad with noughts by constant amounts."""
    conversion.constant(node, 1, "paddings")
    inputs = conversion.inputs_of(node)
    if node.op == "MirrorPad" or (node.op == "PadV2" and conversion.constant(node, 2, "value") != 0):
        raise ConversionError(node, "it pads with other values than 0", "UFF pads with 0 only.")
    conversion.add(node, "Pad", inputs[:2])


@converts("Shape")
def convert_shape(conversion: Conversion, node: Any) -> None:
    """Shape."""
    conversion.add(node, "Shape", conversion.inputs_of(node))


@converts("StridedSlice")
def convert_strided_slice(conversion: Conversion, node: Any) -> None:
    """StridedSlice with constant bounds."""
    masks: dict[str, Any] = {f"{key}_mask": int(node.attr[f"{key}_mask"].i) for key in ("begin", "end", "shrink_axis")}
    for key in ("ellipsis_mask", "new_axis_mask"):
        if node.attr[key].i:
            raise ConversionError(node, f"it has an {key}", "Write the slice axis by axis.")
    for index, what in enumerate(("begin", "end", "strides"), start=1):
        conversion.constant(node, index, what)
    conversion.add(node, "StridedSlice", conversion.inputs_of(node), **masks)


@converts("Gather", "GatherV2")
def convert_gather(conversion: Conversion, node: Any) -> None:
    """Gather, or GatherV2 along a constant axis."""
    fields: dict[str, Any] = {"indices_dtype": _dtype(node, "Tindices"), "params_dtype": _dtype(node, "Tparams")}
    if node.op == "GatherV2":
        if node.attr["batch_dims"].i:
            raise ConversionError(node, "it gathers for each element of a batch", "UFF has batch_dims 0 only.")
        fields["axis"] = conversion.axis(int(conversion.constant(node, 2, "axis")), conversion.inputs_of(node)[0])
    else:
        fields["validate_indices"] = bool(node.attr["validate_indices"].b)
    conversion.add(node, node.op, conversion.inputs_of(node)[:2], **fields)


def _dtype(node: Any, key: str) -> np.dtype:
    import tensorflow as tf  # noqa: PLC0415

    dtype = np.dtype(tf.as_dtype(node.attr[key].type).as_numpy_dtype)
    return {"i8": np.dtype(np.int32), "f8": np.dtype(np.float32)}.get(dtype.str[1:], dtype)


@converts("Cast")
def convert_cast(conversion: Conversion, node: Any) -> None:
    """Identity, for TensorRT computes in a type of its own choice; to integers, which rounds, a custom node."""
    import tensorflow as tf  # noqa: PLC0415

    source, target = (tf.as_dtype(node.attr[key].type) for key in ("SrcT", "DstT"))
    if source.is_floating and not target.is_floating:
        add_custom(conversion, node)
    else:
        conversion.add(node, "Identity", conversion.inputs_of(node))
