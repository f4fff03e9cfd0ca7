"""Operations that UFF lacks but can say by slices, joins and reshapes: splits, tiles, enlargements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trtflow.converters.uff.custom import add_custom
from trtflow.converters.uff.graph import Conversion, ConversionError, converts, plain
from trtflow.converters.uff.sizes import shape_of

FIXED = "Give the inputs fixed sizes (-I)."
WHOLE = (0, 0, 1)  # an axis of which all is kept: no begin, no end, each element


def known_shape(conversion: Conversion, node: Any, name: str) -> list[int | None]:
    """Return a value's shape, None for an open size.

    Raises:
        ConversionError: TensorFlow does not know it.
    """
    shape = shape_of(conversion, name)
    if shape is None:
        remedy = "Give the graph's inputs their shapes (-I)."
        raise ConversionError(node, f"no one knows how many axes its input {name!r} has", remedy)
    return shape


def add_slice(
    conversion: Conversion, node: Any, data: str, name: str, bounds: Sequence[tuple[int, int, int]], **masks: Any
) -> None:
    """Write a StridedSlice whose bounds (begin, end, step), one an axis, are constants of its own."""
    columns = zip(("begin", "end", "strides"), zip(*bounds, strict=True), strict=True)
    names = []
    for what, values in columns:
        names.append(f"{name}/{what}_constant")
        conversion.add_constant(names[-1], np.array(values, np.int32))
    conversion.add(node, "StridedSlice", [data, *names], as_name=name, **masks)


def _one_axis(rank: int, axis: int, begin: int, end: int) -> tuple[list[tuple[int, int, int]], int]:
    """Return bounds that cut one axis, and the mask of the others, of which all is kept."""
    bounds = [WHOLE] * rank
    bounds[axis] = (begin, end, 1)
    return bounds, ((1 << rank) - 1) & ~(1 << axis)


@converts("StridedSlice")
def convert_strided_slice(conversion: Conversion, node: Any) -> None:
    """StridedSlice with constant bounds; an ellipsis is written out, new axes are added behind."""
    for index, what in enumerate(("begin", "end", "strides"), start=1):
        conversion.constant(node, index, what)
    if node.attr["ellipsis_mask"].i or node.attr["new_axis_mask"].i:
        _add_whole_slice(conversion, node)
        return
    masks: dict[str, Any] = {f"{key}_mask": int(node.attr[f"{key}_mask"].i) for key in ("begin", "end", "shrink_axis")}
    conversion.add(node, "StridedSlice", conversion.inputs_of(node), **masks)


def _add_whole_slice(conversion: Conversion, node: Any) -> None:
    """Write a slice with an ellipsis or new axes as one of each axis, and ExpandDims."""
    data = conversion.inputs_of(node)[0]
    rank = len(known_shape(conversion, node, data))
    given = zip(*(conversion.constant(node, index, "bounds").tolist() for index in (1, 2, 3)), strict=True)
    bits = {key: int(node.attr[f"{key}_mask"].i) for key in ("begin", "end", "shrink_axis", "new_axis", "ellipsis")}
    entries = [(bound, {key for key in bits if bits[key] >> place & 1}) for place, bound in enumerate(given)]
    used = sum(not flags & {"new_axis", "ellipsis"} for _, flags in entries)
    bounds: list[tuple[int, int, int]] = []
    masks: dict[str, Any] = {"begin_mask": 0, "end_mask": 0, "shrink_axis_mask": 0}
    new, kept = [], 0

    def keep(bound: tuple[int, int, int], flags: set[str]) -> None:
        for key in flags & {"begin", "end", "shrink_axis"}:
            masks[f"{key}_mask"] |= 1 << len(bounds)
        bounds.append(bound)

    for bound, flags in entries:
        if "ellipsis" in flags:
            for _ in range(rank - used):
                keep(WHOLE, {"begin", "end"})
            kept += rank - used
        elif "new_axis" in flags:
            new.append(kept)
            kept += 1
        else:
            keep(bound, flags)
            kept += "shrink_axis" not in flags
    names = [*(f"{node.name}/axis_{axis}" for axis in new[:-1]), node.name][: len(new)]
    sliced = f"{node.name}/slice" if new else node.name
    for name, source, axis in zip(names, [sliced, *names], new, strict=False):
        conversion.add(node, "ExpandDims", [source], as_name=name, axis=axis)
    add_slice(conversion, node, data, sliced, bounds, **masks)


@converts("Slice")
def convert_slice(conversion: Conversion, node: Any) -> None:
    """StridedSlice; a size of -1 is all that is left."""
    begins, sizes = (conversion.constant(node, index, what).tolist() for index, what in ((1, "begin"), (2, "size")))
    bounds = [(begin, 0 if size < 0 else begin + size, 1) for begin, size in zip(begins, sizes, strict=True)]
    begin_mask = sum(1 << axis for axis, begin in enumerate(begins) if begin == 0)
    end_mask = sum(1 << axis for axis, size in enumerate(sizes) if size < 0)
    data = conversion.inputs_of(node)[0]
    add_slice(conversion, node, data, node.name, bounds, begin_mask=begin_mask, end_mask=end_mask)


@converts("Split", "SplitV")
def convert_split(conversion: Conversion, node: Any) -> None:
    """A slice for each part, named as UFF names a node's outputs: x, x_1, x_2."""
    inputs = conversion.inputs_of(node)
    data, axis_index = (inputs[1], 0) if node.op == "Split" else (inputs[0], 2)
    shape = known_shape(conversion, node, data)
    rank = len(shape)
    axis = int(conversion.constant(node, axis_index, "axis")) % rank
    whole = shape[axis]
    count = int(node.attr["num_split"].i)
    if node.op == "SplitV":
        sizes = conversion.constant(node, 1, "sizes").tolist()
    elif whole is not None and whole % count == 0:
        sizes = [whole // count] * count
    else:
        raise ConversionError(
            node, f"it splits axis {axis}, whose size is {whole}", "Give the inputs fixed sizes (-I)."
        )
    if -1 in sizes:
        if whole is None:
            raise ConversionError(node, f"one of its sizes {sizes} is open", FIXED)
        sizes[sizes.index(-1)] = whole - sum(size for size in sizes if size != -1)
    begin = 0
    for index, size in enumerate(sizes):
        bounds, others = _one_axis(rank, axis, begin, begin + size)
        name = plain(f"{node.name}:{index}")
        _check_free(conversion, node, name)
        add_slice(conversion, node, data, name, bounds, begin_mask=others, end_mask=others)
        begin += size


@converts("Unpack")
def convert_unpack(conversion: Conversion, node: Any) -> None:
    """A slice for each part, without the axis."""
    (data,) = conversion.inputs_of(node)
    rank = len(known_shape(conversion, node, data))
    axis = int(node.attr["axis"].i) % rank
    for index in range(node.attr["num"].i):
        bounds, others = _one_axis(rank, axis, index, index + 1)
        name = plain(f"{node.name}:{index}")
        _check_free(conversion, node, name)
        masks = {"begin_mask": others, "end_mask": others, "shrink_axis_mask": 1 << axis}
        add_slice(conversion, node, data, name, bounds, **masks)


def _check_free(conversion: Conversion, node: Any, name: str) -> None:
    """Refuse an output whose name in UFF is that of another node."""
    if name != node.name and name in conversion.nodes:
        fault = f"UFF calls one of its outputs {name}, which is the name of another node"
        raise ConversionError(node, fault, "Rename that node with graphsurgeon.")


@converts("Tile")
def convert_tile(conversion: Conversion, node: Any) -> None:
    """A Concat of a value with itself along each axis that is repeated."""
    data = conversion.inputs_of(node)[0]
    multiples = conversion.constant(node, 1, "multiples").tolist()
    if multiples[:1] not in ([1], []) or 0 in multiples:
        raise ConversionError(node, f"it repeats by {multiples}", "UFF cannot repeat the batch; leave it out.")
    _add_repeats(conversion, node, data, node.name, dict(enumerate(multiples)))


def _add_repeats(conversion: Conversion, node: Any, data: str, name: str, times: dict[int, int]) -> None:
    """Write what repeats a value along axes, each so many times."""
    axes = [axis for axis, count in times.items() if count > 1]
    if not axes:
        conversion.add(node, "Identity", [data], as_name=name)
        return
    names = [*(f"{name}/axis_{axis}" for axis in axes[:-1]), name]
    for result, source, axis in zip(names, [data, *names], axes, strict=False):
        conversion.add(node, "Concat", [source] * times[axis], as_name=result, axis=axis)


@converts("ResizeNearestNeighbor")
def convert_nearest(conversion: Conversion, node: Any) -> None:
    """Repeats of rows and columns where sizes are multiples, as Keras's UpSampling2D has them; else a custom node."""
    data = conversion.inputs_of(node)[0]
    before, after = shape_of(conversion, data), conversion.shapes.get(node.name)
    if before is None or after is None or None in (*before[1:], *after[1:]) or node.attr["align_corners"].b:
        add_custom(conversion, node)
        return
    _, height, width, channels = (size or 0 for size in before)
    rows, columns = (int(size or 0) for size in after[1:3])
    if rows % height or columns % width:
        add_custom(conversion, node)
        return
    apart, repeated = f"{node.name}/apart", f"{node.name}/repeated"
    for name, source, shape in (
        (node.name, repeated, [-1, rows, columns, channels]),
        (apart, data, [-1, height, 1, width, 1, channels]),
    ):
        conversion.add_constant(f"{name}/shape_constant", np.array(shape, np.int32))
        conversion.add(node, "Reshape", [source, f"{name}/shape_constant"], as_name=name)
    _add_repeats(conversion, node, apart, repeated, {2: rows // height, 4: columns // width})
