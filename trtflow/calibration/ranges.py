"""Dynamic ranges of a network's tensors: how large each becomes on given batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.calibration.tensors import ranged_tensors
from trtflow.formats import UserError
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.session import Session


def record_ranges(
    trt: ModuleType,
    define: Callable[[ModuleType, Any], None],
    batches: Iterable[np.ndarray],
    batch_size: int,
    *,
    explicit_batch: bool,
    feeds: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None,
) -> dict[str, float]:
    """Run a network in float32 with every tensor an output; return each one's largest absolute value.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        define: adds the layers to a network and marks its outputs.
        batches: float32 [n, C, H, W] each, n at most `batch_size`.
        batch_size: largest batch.
        explicit_batch: whether shapes of the network include the batch.
        feeds: returns what all inputs get, by name, given a batch; None where there is one input, which gets it.

    Returns:
        ranges by tensor, in network order.

    Raises:
        UserError: a tensor has values that are not finite.
    """
    names: list[str] = []

    def define_watched(trt: ModuleType, network: Any) -> None:
        define(trt, network)
        marked = {network.get_output(index).name for index in range(network.num_outputs)}
        for tensor in ranged_tensors(trt, network):
            names.append(tensor.name)
            if not tensor.is_network_input and tensor.name not in marked:
                network.mark_output(tensor)

    settings = Settings(optimization_level=0)  # its speed matters to nobody
    plan = build_plan(trt, define_watched, "fp32", batch_size, explicit_batch=explicit_batch, settings=settings)
    session = Session(trt, engine_of(trt, plan))
    ranges = dict.fromkeys(names, 0.0)
    for batch in batches:
        given = dict(feeds(batch)) if feeds else {names[0]: batch}
        for name, values in [*given.items(), *session.run(given).items()]:
            if name in ranges:  # outputs of whole numbers, as a count of detections is, have none
                ranges[name] = max(ranges[name], _largest(name, values))
    return ranges


def _largest(name: str, values: np.ndarray) -> float:
    largest = float(np.abs(values).max())  # NaN where any value is, which `max` of Python would pass over
    if not np.isfinite(largest):
        raise UserError(
            f"tensor {name!r} has a value that is {largest} in float32, so it has no range. "
            "Look at the weights of the layer that computes it, and at the pictures."
        )
    return largest
