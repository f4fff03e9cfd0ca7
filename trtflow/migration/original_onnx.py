"""An ONNX model in ONNX Runtime, as it was given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime

from trtflow.formats import UserError
from trtflow.migration.agreement import compare, run_onnx
from trtflow.migration.lowering import Lowered, values_of
from trtflow.migration.originals import Asked, Original


def ask_onnxruntime(original: Original, lowered: Lowered, feeds: Mapping[str, np.ndarray]) -> Asked:
    """Return how the lowered network differs from the model in ONNX Runtime.

    Raises:
        UserError: ONNX Runtime cannot run it, as where it has plugins of TensorRT's.
    """
    model, names = onnx.load(original.path), [value.name for value in lowered.model.graph.output]
    own = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in own)
    try:
        answers = run_onnx(model, _typed(model, feeds))
    except Exception as error:  # ONNX Runtime raises types of its own, which have no common base
        raise UserError(f"ONNX Runtime does not run it ({str(error).splitlines()[0]})") from error
    wanted = {name: answers[name] for name in names}
    asked = Asked(f"ONNX Runtime {onnxruntime.__version__}")
    asked.differences = compare(values_of(lowered, list(wanted), feeds), wanted)
    if lowered.scales:
        asked.quantised = compare(values_of(lowered, list(wanted), feeds, quantised=True), wanted)
    return asked


def _typed(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return feeds in the model's own types; inputs that the wanted outputs do not need are noughts."""
    weights = {tensor.name for tensor in model.graph.initializer}
    typed = {}
    for value in model.graph.input:
        if value.name not in weights:
            tensor = value.type.tensor_type
            shape = [max(dim.dim_value, 1) for dim in tensor.shape.dim]
            given = feeds.get(value.name, np.zeros(shape))
            typed[value.name] = given.astype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return typed
