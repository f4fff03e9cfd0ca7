"""Whether an ONNX model says what the reference runtime says, on inputs drawn by chance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.migration.lowering import LARGEST_BATCH, Lowered, run_onnx
from trtflow.reporting.report import Gate
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session

# of the largest value of an output. Both compute the same float32 network, in another order of sums; in INT8 a sum
# that lies on the edge of two steps may fall to either side, and layers behind it spread that.
FP32_LIMIT, INT8_LIMIT, RANKED_INT8_LIMIT = 1e-4, 0.01, 0.05
RANKING = ("TopK", "NonMaxSuppression")
TINY = 1e-12  # in place of the largest value of an output that is 0
IMAGE_INFO = (1, 1, 3)
SPREAD = 1.0  # standard deviation of an input whose range no table tells


@dataclass(frozen=True)
class Difference:
    """How two answers differ, each over the largest magnitude of the output.

    Attributes:
        output: its name.
        largest: largest difference.
        mean: mean difference.
        ranked: whether the values of each picture were brought into order first.
    """

    output: str
    largest: float
    mean: float
    ranked: bool = False


def draw_inputs(model: onnx.ModelProto, scales: Mapping[str, float], batch: int, seed: int) -> dict[str, np.ndarray]:
    """Return inputs for a model: normal, or where a scale tells the range of one, even over it; of integers 0 and 1.

    One of shape [N, 1, 1, 3] is Faster R-CNN's im_info, height, width and scale of the picture beside it: chance would
    leave no proposal within it.

    Args:
        model: its inputs have fixed sizes but for the batch.
        scales: INT8 scales by tensor.
        batch: size of every dimension that has a name.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    feeds: dict[str, np.ndarray] = {}
    infos: list[str] = []
    for value in model.graph.input:
        kind = value.type.tensor_type
        shape = [size.dim_value if size.HasField("dim_value") else batch for size in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if tuple(shape[1:]) == IMAGE_INFO and len(model.graph.input) > 1:
            infos.append(value.name)
            continue
        if dtype.kind in "iub":
            feeds[value.name] = random.integers(0, 2, shape).astype(dtype)
        elif value.name in scales:
            reach = 127 * scales[value.name]
            feeds[value.name] = random.uniform(-reach, reach, shape).astype(dtype)
        else:
            feeds[value.name] = random.normal(0, SPREAD, shape).astype(dtype)
    height, width = next((values.shape[-2:] for values in feeds.values() if values.ndim == 4), (1, 1))
    info = np.broadcast_to(np.array([height, width, 1], np.float32), (batch, *IMAGE_INFO))
    return feeds | {name: np.ascontiguousarray(info) for name in infos}


def run_reference(plan: bytes, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a plan in the reference runtime."""
    with Session(trt, engine_of(trt, plan)) as session:
        return session.run(feeds)


def compare(
    found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], ranked: Collection[str] = ()
) -> list[Difference]:
    """Return how answers differ from those that are wanted; NaN where one holds a NaN.

    Args:
        found: outputs by name.
        wanted: the same of the other side.
        ranked: outputs whose values are compared in the order of their size, each picture's for itself.

    Raises:
        UserError: an output has another shape.
    """
    differences = []
    for name in wanted:
        shapes = [answers[name].shape for answers in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise UserError(f"output {name!r} has the shape {shapes[0]} in ONNX, {shapes[1]} in an engine.")
        ours, theirs = (answers[name].astype(np.float64) for answers in (found, wanted))
        if name in ranked:
            ours, theirs = (np.sort(values.reshape(len(values), -1)) for values in (ours, theirs))
        apart = np.abs(ours - theirs) / max(np.abs(theirs).max(initial=0), TINY)
        mean = float(apart.mean()) if apart.size else 0.0
        differences.append(Difference(name, float(apart.max(initial=0)), mean, name in ranked))
    return differences


def ranked_outputs(model: onnx.ModelProto) -> list[str]:
    """Return the outputs that hold what was selected by rank: where two are nearly equal, a rounding swaps them."""
    below = {name: node for node in model.graph.node for name in node.output}
    found = []
    for value in model.graph.output:
        seen: set[str] = set()
        pending = [value.name]
        while pending:
            name = pending.pop()
            if name in below and name not in seen:
                pending += below[name].input
            seen.add(name)
        if any(below[name].op_type in RANKING for name in seen if name in below):
            found.append(value.name)
    return found


def check_agreement(lowered: Lowered, seed: int) -> dict[int, list[Difference]]:
    """Return the differences between the ONNX model and the reference runtime, by batch: of one and a larger one.

    A model whose batch is fixed is asked with that alone. Outputs that hold a ranking are compared in order.
    """
    first = lowered.model.graph.input[0].type.tensor_type.shape.dim
    batches = (1, LARGEST_BATCH) if first and not first[0].HasField("dim_value") else (first[0].dim_value,)
    ranked = ranked_outputs(lowered.model)
    rows = {}
    for batch in batches:
        feeds = draw_inputs(lowered.model, lowered.scales, batch, seed)
        rows[batch] = compare(run_onnx(lowered.model, feeds), run_reference(lowered.plan, feeds), ranked)
    return rows


def agreement_gates(differences: Mapping[int, Sequence[Difference]], int8: bool) -> list[Gate]:
    """Return a gate for each batch and kind of output: on the largest difference in float32, on the mean in INT8."""
    gates = []
    for batch, found in differences.items():
        if not int8:
            worst = worst_of(item.largest for item in found)
            gates.append(Gate(f"difference_batch_{batch}", worst, "<=", FP32_LIMIT))
            continue
        for ranked, name, limit in ((False, "mean", INT8_LIMIT), (True, "ranked_mean", RANKED_INT8_LIMIT)):
            means = [item.mean for item in found if item.ranked == ranked]
            if means:
                gates.append(Gate(f"{name}_difference_batch_{batch}", worst_of(means), "<=", limit))
    return gates


def worst_of(values: Iterable[float]) -> float:
    """Return the largest of values, infinity where one is no number."""
    return max(value if np.isfinite(value) else np.inf for value in values)
