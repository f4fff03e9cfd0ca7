"""Computes nodes of constants with ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from trtflow.reference.record.onnx.errors import Refusal
from trtflow.reference.record.onnx.inference import IR_VERSION, title


def fold(
    node: onnx.NodeProto, feeds: dict[str, np.ndarray], opsets: list[onnx.OperatorSetIdProto], elem_types: list[int]
) -> list[np.ndarray]:
    """Return the outputs of a node that are there.

    Args:
        node: the node.
        feeds: its inputs, and what the graphs that it holds read.
        opsets: those of the model.
        elem_types: ONNX's types of the outputs.

    Raises:
        Refusal: it cannot be computed.
    """
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    names = [name for name in node.output if name]
    outputs = [
        helper.make_tensor_value_info(name, elem_type, None) for name, elem_type in zip(names, elem_types, strict=True)
    ]
    model = helper.make_model(
        helper.make_graph([node], "folded", inputs, outputs), opset_imports=opsets, ir_version=IR_VERSION
    )
    try:
        return [np.asarray(result) for result in _session(model).run(names, feeds)]
    except Exception as error:  # ONNX Runtime raises classes of its own for each kind of fault
        reason = str(error).strip().splitlines()[-1]
        raise Refusal(f"Invalid Node - {title(node)}", f"It cannot be computed ({reason})") from error


def has_kernel(model: onnx.ModelProto) -> bool:
    """Whether ONNX Runtime has kernels for what a model of one node reads."""
    try:
        _session(model)
    except Exception:  # as above
        return False
    return True


def _session(model: onnx.ModelProto) -> Any:
    import onnxruntime  # noqa: PLC0415 - it takes as long as all else together

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
