"""Matrix products of values with more than two axes, as Keras's Dense makes them of sequences and pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtflow.converters.uff.custom import add_custom
from trtflow.converters.uff.graph import Conversion, converts
from trtflow.converters.uff.sizes import Open, shape_of, sizes_of

PICTURE = 4  # axes


@converts("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def convert_batch_product(conversion: Conversion, node: Any) -> None:
    """A product by one constant matrix as a convolution; of two values a custom node, for UFF has none."""
    data, matrix = conversion.inputs_of(node)
    values, shape = conversion.constants.get(matrix), shape_of(conversion, data)
    if values is None or values.ndim != 2 or shape is None or node.attr["adj_x"].b or None in shape[1:]:
        add_custom(conversion, node)
        return
    kernel = values.T if node.attr["adj_y"].b else values
    _add_dense(conversion, node, data, [-1 if size is None else size for size in shape[1:]], kernel)


def add_dense_of_many_axes(conversion: Conversion, node: Any, data: str) -> bool:
    """Write a reshape that ends a Dense, MatMul between two reshapes, as one; return whether it is that.

    The first reshape makes rows of all axes but the last, the batch among them, which TensorRT cannot; the second gives
    them back. Between them rows are computed one by one, so all of it is a convolution with a kernel of 1.
    """
    product = conversion.node(data)
    if product.op != "MatMul" or product.attr["transpose_a"].b:
        return False
    rows, matrix = conversion.inputs_of(product)
    before = conversion.node(rows)
    if before.op != "Reshape" or matrix not in conversion.constants:
        return False
    source = conversion.inputs_of(before)[0]
    while conversion.node(source).op == "Transpose" and _moves_nothing(conversion, conversion.node(source)):
        source = conversion.inputs_of(conversion.node(source))[0]
    values = conversion.constants[matrix]
    kernel = values.T if product.attr["transpose_b"].b else values
    shape = shape_of(conversion, source)
    if shape is None or len(shape) < 3 or None in shape[1:] or shape[-1] != kernel.shape[0]:
        return False
    sizes = [int(size) for size in shape[1:] if size is not None]
    if _sizes_behind_batch(conversion, node) != [*sizes[:-1], kernel.shape[1]]:
        return False
    _add_dense(conversion, node, source, sizes, kernel)
    return True


def _moves_nothing(conversion: Conversion, transpose: Any) -> bool:
    order = conversion.constants.get(conversion.inputs_of(transpose)[1])
    return order is not None and order.tolist() == list(range(order.size))


def _sizes_behind_batch(conversion: Conversion, reshape: Any) -> list[int] | None:
    """Return the sizes that a reshape makes, without its first, which is the batch's; None where it is another."""
    sizes = sizes_of(conversion, conversion.inputs_of(reshape)[1])
    if sizes is None or sizes.endless or len(sizes.values) < 2:
        return None
    first, *others = sizes.values
    rest = [size for size in others if isinstance(size, int)]
    return rest if first in (Open.BATCH, -1, 1) and len(rest) == len(others) else None


def _add_dense(conversion: Conversion, node: Any, data: str, sizes: list[int], kernel: np.ndarray) -> None:
    """Write a convolution of pictures [N, rows, columns, C] with a kernel of 1; other values are reshaped to such."""
    constant = f"{node.name}/kernel"
    conversion.add_constant(constant, np.ascontiguousarray(kernel[None, None]))
    is_picture = len(sizes) + 1 == PICTURE
    source, name = (data, node.name) if is_picture else (f"{node.name}/picture", f"{node.name}/product")
    fields = {"strides": [1, 1], "dilation": [1, 1], "inputs_orders": conversion.orders("N+C", "+CK")}
    conversion.add(node, "Conv", [source, constant], as_name=name, **fields)
    if is_picture:
        return
    picture = [-1, math.prod(sizes[:-1]), 1, sizes[-1]]
    for result, origin, shape in (
        (node.name, name, [-1, *sizes[:-1], kernel.shape[1]]),
        (source, data, picture),
    ):
        conversion.add_constant(f"{result}/shape_constant", np.array(shape, np.int32))
        conversion.add(node, "Reshape", [origin, f"{result}/shape_constant"], as_name=result)
