"""Products of uint8 and int8 on processors without VNNI, which add two of them in 16 bits with saturation.

There a product is exact where the uint8 steps are from 0 to 127 (`step_ranges.py`) or where both factors are uint8.
ONNX Runtime has a switch that stores every int8 kernel as uint8, which is slower where it is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import onnx
from onnx import TensorProto, helper

from trtflow.reference.run.graph_index import Index

EXACT_PRODUCTS = "session.x64quantprecision"
DEPTH = 64  # products that are added, enough for every vector of integers


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
        zeros = [_zero_of(product, node, index) for product in index.consumers.get(node.output[0], [])]
        for zero in zeros[:1]:
            if len(zeros) > 1 or zero is None or zero.dtype != np.uint8 or zero != 0:
                yield node, zero if len(zeros) == 1 else None


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
