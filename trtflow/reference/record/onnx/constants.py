"""What a Constant gives, as TensorRT's parser reads it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtflow.reference.record.onnx.errors import ErrorCode, Refusal
from trtflow.reference.record.onnx.inference import title
from trtflow.reference.record.onnx.types import TYPES, dtype_of

READ = ("value", "value_float", "value_floats", "value_int", "value_ints")


def given_by(node: onnx.NodeProto, warn: Callable[[str], None]) -> np.ndarray:
    """Return the value of a Constant.

    Args:
        node: the node.
        warn: takes what TensorRT makes another value of.

    Raises:
        Refusal: it has none, or one of a type that TensorRT has not.
    """
    if not node.attribute:
        raise Refusal(f"Invalid Node - {title(node)}", "The Constant has no value.", ErrorCode.INVALID_NODE)
    item = node.attribute[0]
    if item.name not in READ:
        words = "This version of TensorRT does not support the sparse_value, value_string and value_strings attributes."
        raise Refusal(words, "Give the values as a tensor.")
    if item.name == "value":
        if item.t.data_type not in TYPES:
            dtype_of(item.t.data_type, node.output[0])
        return numpy_helper.to_array(item.t)
    dtype = np.float32 if "float" in item.name else np.int64
    if dtype == np.int64:  # its importer asks the attribute for floats, which it has not
        instead = "0" if item.name == "value_int" else "an empty list"
        name = node.name or node.output[0]
        warn(f"TensorRT 8.6 reads {item.name} of {name!r} (Constant) as {instead}: give a tensor, value.")
    return np.asarray(helper.get_attribute_value(item), dtype)
