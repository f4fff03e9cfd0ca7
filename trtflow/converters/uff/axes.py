"""Inputs, and operations that move values, or reduce them, along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.converters.uff.dense import add_dense_of_many_axes
from trtflow.converters.uff.folding import INPUTS
from trtflow.converters.uff.graph import Conversion, ConversionError, converts, numpy_type
from trtflow.converters.uff.sizes import Open, shape_of, sizes_of
from trtflow.formats.uff import dtype_of

REDUCTIONS = {"Sum": "sum", "Prod": "prod", "Max": "max", "Min": "min", "Mean": "mean"}


@converts(*INPUTS)
def convert_placeholder(conversion: Conversion, node: Any) -> None:
    """Input. Types that UFF does not have, such as a picture's uint8, become float32."""
    dtype = numpy_type(node, "dtype")
    known = dtype if dtype_of(dtype) is not None else np.dtype(np.float32)
    shape = [] if node.attr["shape"].shape.unknown_rank else [dim.size for dim in node.attr["shape"].shape.dim]
    conversion.add(node, "Input", [], dtype=known, shape=shape)


def constant_shape(conversion: Conversion, node: Any, index: int, what: str) -> str:
    """Return the name of a constant that holds a shape.

    Where the graph computes the shape, as it does to keep the size of the batch open, the node's own shape serves if no
    more than one size of it is open, which becomes -1; else what the graph is seen to compute.
    """
    name = conversion.inputs_of(node)[index]
    if name in conversion.constants:
        return name
    shape = shape_of(conversion, node.name)
    if shape is not None and shape.count(None) <= 1:
        sizes = [-1 if size is None else size for size in shape]
    else:
        sizes = _computed_shape(conversion, name) or conversion.constant(node, index, what).tolist()
    constant = f"{node.name}/constant_shape"
    conversion.add_constant(constant, np.array(sizes, np.int32))
    return constant


def _computed_shape(conversion: Conversion, name: str) -> list[int] | None:
    """Return a shape that begins with the batch and whose other sizes are known, of which one may be -1."""
    sizes = sizes_of(conversion, name)
    if sizes is None or sizes.endless or not sizes.values:
        return None
    first, *others = sizes.values
    rest = [size for size in others if isinstance(size, int)]
    if len(rest) < len(others) or rest.count(-1) > 1 or not (first is Open.BATCH or isinstance(first, int)):
        return None
    if isinstance(first, int):
        return [first, *rest]
    return [0 if -1 in rest else -1, *rest]


@converts("Reshape")
def convert_reshape(conversion: Conversion, node: Any) -> None:
    """Reshape, or Flatten where the name says so, as Keras's does."""
    data = conversion.inputs_of(node)[0]
    if add_dense_of_many_axes(conversion, node, data):
        return
    if "flatten" in node.name.lower() and _may_flatten(conversion, node, data):
        conversion.add(node, "Flatten", [data])
        return
    conversion.add(node, "Reshape", [data, constant_shape(conversion, node, 1, "shape")])


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
    if order == list(range(len(order))):  # as Keras leaves some in front of a matrix product
        conversion.add(node, "Identity", conversion.inputs_of(node)[:1])
        return
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
    dtype = numpy_type(node, key)
    return {"i8": np.dtype(np.int32), "f8": np.dtype(np.float32)}.get(dtype.str[1:], dtype)
