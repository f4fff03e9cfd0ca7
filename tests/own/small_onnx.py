"""Models of a node or two, written as `model.onnx` into the current folder, and tables for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
RNG = np.random.default_rng(0)


def write_model(nodes, inputs, shape, opset=13, **stored):
    """Write model.onnx, whose output is y [N, ...]; inputs are types and shapes behind the batch, by name."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, ["N", *sizes]) for name, (kind, sizes) in inputs.items()],
        [helper.make_tensor_value_info("y", FLOAT, ["N", *shape])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in stored.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), "model.onnx")


def node(operator, inputs, output="y", **attributes):
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def write_product(rows, columns):
    """Write a model that multiplies x with a matrix, and return that."""
    kernel = RNG.normal(size=(rows, columns)).astype(np.float32)
    write_model([node("MatMul", "x kernel")], {"x": (FLOAT, [rows])}, [columns], kernel=kernel)
    return kernel


def write_table(columns, rows):
    Path("data.csv").write_text("\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows), ""]))
