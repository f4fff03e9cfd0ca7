"""Products of uint8 and int8 on processors without VNNI, which add two of them in 16 bits with saturation.

There a product is exact where both factors are uint8, which is half as fast, or where no two products that are added
can leave 16 bits: one factor is of steps, up to 127 beyond their zero point (`step_ranges.py`), the other of a kernel,
whose neighbours are known. ONNX Runtime has a switch that stores every int8 kernel as uint8.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import onnx
from onnx import TensorProto, helper

from trtflow.reference.run.graph_index import Index
from trtflow.reference.run.step_ranges import STEPS, ZERO_POINT

EXACT_PRODUCTS = "session.x64quantprecision"
DEPTH = 64  # products that are added, enough for every vector of integers
LARGEST_BYTE, LARGEST_SUM = 255, 2**15 - 1
MATRIX, PLANE = 2, 4  # axes


@lru_cache(maxsize=1)
def overflows() -> bool:
    """Whether ONNX Runtime's products of uint8 and int8 are wrong on this processor where they are large."""
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    a = helper.make_tensor_value_info("a", TensorProto.UINT8, [DEPTH, DEPTH])
    b = helper.make_tensor("b", TensorProto.INT8, [DEPTH, DEPTH], [127] * DEPTH**2)
    y = helper.make_tensor_value_info("y", TensorProto.INT32, [DEPTH, DEPTH])
    model = helper.make_model(
        helper.make_graph([node], "products", [a], [y], [b]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"a": np.full((DEPTH, DEPTH), 255, np.uint8)})
    return bool((found != DEPTH * 255 * 127).any())


def risky_kernels(index: Index) -> Iterator[tuple[onnx.NodeProto, np.ndarray | None]]:
    """Yield the DequantizeLinear of each int8 kernel whose products could overflow, and the zero point of the other
    factor, None where that is not known."""
    for node in index.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in index.initializers:
            continue
        if index.initializers[node.input[0]].data_type != TensorProto.INT8:
            continue
        readers = index.consumers.get(node.output[0], [])
        zeros = [_zero_of(product, node, index) for product in readers]
        if len(readers) == 1 and zeros[0] is not None and zeros[0].dtype == np.uint8:
            if not fits(readers[0], index.array(node.input[0]), int(zeros[0])):
                yield node, zeros[0]
        elif readers:
            yield node, zeros[0] if len(readers) == 1 else None


def fits(product: onnx.NodeProto, kernel: np.ndarray, zero: int) -> bool:
    """Whether the sum of two neighbouring products always is one of 16 bits.

    Args:
        product: Conv, Gemm or MatMul.
        kernel: its steps, int8.
        zero: zero point of the other factor, uint8; from 128 on its bytes are any, below they end at step 127.
    """
    return all(largest_byte(zero) * _largest_pair(rows) <= LARGEST_SUM for rows in _rows(product, kernel))


def largest_byte(zero: int) -> int:
    """Return the largest byte of steps with a zero point."""
    return zero + STEPS if zero < ZERO_POINT else LARGEST_BYTE


def _rows(product: onnx.NodeProto, kernel: np.ndarray) -> list[np.ndarray]:
    """Return a kernel as [results, products of each], in the orders in which its products may be added."""
    if product.op_type == "Conv":
        orders = [np.moveaxis(kernel, 1, -1)]  # the channels of a place beside each other
        if kernel.ndim != PLANE:  # integer kernels of other ranks may keep channels first
            orders.append(kernel)
        return [order.reshape(len(kernel), -1) for order in orders]
    turned = any(item.name == "transB" and item.i for item in product.attribute)
    matrices = kernel if turned or kernel.ndim < MATRIX else np.swapaxes(kernel, -1, -2)
    return [matrices.reshape(-1, matrices.shape[-1])]


def _largest_pair(rows: np.ndarray) -> int:
    """Return the largest sum of two neighbours of one sign, the first of which has an even place."""
    steps = rows.astype(np.int16)
    pairs = steps[:, : steps.shape[1] - 1 : 2] + steps[:, 1::2]  # of two signs it is no more than one
    alone = int(np.abs(steps).max(initial=0))
    return max(alone, int(np.abs(pairs).max(initial=0)))


def _zero_of(product: onnx.NodeProto, kernel: onnx.NodeProto, index: Index) -> np.ndarray | None:
    """Return the zero point of a product's other factor."""
    others = [name for name in product.input[:2] if name != kernel.output[0]]
    node = index.producers.get(others[0]) if others else None
    known = node is not None and node.op_type == "DequantizeLinear" and len(node.input) == 3
    return index.array(node.input[2]) if known and node is not None and index.is_scalar(node.input[2]) else None


def needs_care(model: onnx.ModelProto) -> bool:
    """Whether ONNX Runtime is to store int8 kernels as uint8: products overflow on this processor, and some could here.

    Into graphs inside the graph nothing looks.
    """
    if not overflows():
        return False
    index = Index(model.graph)
    nested = any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute)
    return nested or any(True for _ in risky_kernels(index))
