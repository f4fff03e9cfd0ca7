"""Whether an ONNX model says what the reference runtime says, on inputs drawn by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.migration.lowering import LARGEST_BATCH, Lowered
from trtflow.runtime.session import Session

# of the largest value of an output. Both compute the same float32 network, in another order of sums; in INT8 a sum
# that lies on the edge of two steps may fall to either side, and layers behind it spread that.
LIMITS = {"fp32": {"max": 1e-4}, "int8": {"mean": 0.01}}
SPREAD = 1.0  # standard deviation of an input whose range no table tells


@dataclass(frozen=True)
class Difference:
    """How two answers differ, each over the largest magnitude of the output.

    Attributes:
        output: its name.
        largest: largest difference.
        mean: mean difference.
    """

    output: str
    largest: float
    mean: float


def draw_inputs(model: onnx.ModelProto, scales: Mapping[str, float], batch: int, seed: int) -> dict[str, np.ndarray]:
    """Return inputs for a model: normal, or where a scale tells the range of one, even over it; of integers 0 and 1.

    Args:
        model: its inputs have fixed sizes but for the batch.
        scales: INT8 scales by tensor.
        batch: size of every dimension that has a name.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    feeds = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        shape = [size.dim_value if size.HasField("dim_value") else batch for size in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind in "iub":
            feeds[value.name] = random.integers(0, 2, shape).astype(dtype)
        elif value.name in scales:
            reach = 127 * scales[value.name]
            feeds[value.name] = random.uniform(-reach, reach, shape).astype(dtype)
        else:
            feeds[value.name] = random.normal(0, SPREAD, shape).astype(dtype)
    return feeds


def run_onnx(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a model in ONNX Runtime exactly as it is written: no fusing, no integer kernels."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def run_reference(plan: bytes, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a plan in the reference runtime."""
    engine: Any = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(plan)
    with Session(trt, engine) as session:
        return session.run(feeds)


def compare(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> list[Difference]:
    """Return how answers differ from those that are wanted; NaN where one holds a NaN.

    Raises:
        UserError: an output has another shape.
    """
    differences = []
    for name, values in wanted.items():
        if found[name].shape != values.shape:
            raise UserError(f"output {name!r} has the shape {found[name].shape} in ONNX, {values.shape} in an engine.")
        largest = max(float(np.abs(values.astype(np.float64)).max(initial=0)), 1e-12)
        apart = np.abs(found[name].astype(np.float64) - values) / largest
        differences.append(Difference(name, float(apart.max(initial=0)), float(apart.mean()) if apart.size else 0.0))
    return differences


def check_agreement(lowered: Lowered, seed: int) -> list[tuple[int, list[Difference]]]:
    """Return the differences between the ONNX model and the reference runtime, for a batch of one and a larger one.

    A model whose batch is fixed is asked with that alone.
    """
    first = lowered.model.graph.input[0].type.tensor_type.shape.dim
    batches = (1, LARGEST_BATCH) if first and not first[0].HasField("dim_value") else (first[0].dim_value,)
    rows = []
    for batch in batches:
        feeds = draw_inputs(lowered.model, lowered.scales, batch, seed)
        rows.append((batch, compare(run_onnx(lowered.model, feeds), run_reference(lowered.plan, feeds))))
    return rows
