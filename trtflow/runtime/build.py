"""From a sample's definition to a plan."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from trtflow.formats import UserError

PRECISIONS = ("fp32", "fp16", "int8")
WORKSPACE = 1 << 30  # bytes


def build_plan(
    trt: ModuleType,
    define: Callable[[ModuleType, Any], None],
    precision: str,
    max_batch_size: int,
    calibrator: Any = None,
) -> bytes:
    """Return the plan of a network with an implicit batch.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        define: adds the layers to a network and marks its outputs.
        precision: fp32, fp16 or int8; int8 needs a calibrator.
        max_batch_size: largest batch of the engine.
        calibrator: serves the INT8 table, or the batches to make one.
    """
    logger = trt.Logger(trt.Logger.WARNING)
    trt.init_libnvinfer_plugins(logger, "")
    builder = trt.Builder(logger)
    builder.max_batch_size = max_batch_size
    network = builder.create_network()
    define(trt, network)

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    if precision == "fp16":
        config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = calibrator
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise UserError("TensorRT could not build the engine; its messages stand above this line.")
    return bytes(plan)
