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
    model = onnx.load(original.path)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    typed = {name: values.astype(onnx.helper.tensor_dtype_to_np_dtype(types[name])) for name, values in feeds.items()}
    try:
        wanted = run_onnx(model, typed)
    except Exception as error:  # ONNX Runtime raises types of its own, which have no common base
        raise UserError(f"ONNX Runtime does not run it ({str(error).splitlines()[0]})") from error
    asked = Asked(f"ONNX Runtime {onnxruntime.__version__}")
    asked.differences = compare(values_of(lowered, list(wanted), feeds), wanted)
    if lowered.scales:
        asked.quantised = compare(values_of(lowered, list(wanted), feeds, quantised=True), wanted)
    return asked
