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
    *,
    explicit_batch: bool = False,
    refit: bool = False,
    configure: Callable[[ModuleType, Any], None] | None = None,
) -> bytes:
    """Return the plan of a network.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        define: adds the layers to a network and marks its outputs.
        precision: fp32, fp16 or int8; int8 needs a calibrator.
        max_batch_size: largest batch of the engine. With an explicit batch it bounds the inputs whose first dimension
            is -1; a batch that the network fixes stays what it is.
        calibrator: serves the INT8 table, or the batches to make one; with an explicit batch that is dynamic these
            have max_batch_size pictures.
        explicit_batch: whether shapes of the network include the batch.
        refit: whether weights of the engine can be replaced.
        configure: sets what else there is to set in the builder configuration, given trt and the configuration.
    """
    logger = trt.Logger(trt.Logger.WARNING)
    trt.init_libnvinfer_plugins(logger, "")
    builder = trt.Builder(logger)
    builder.max_batch_size = max_batch_size
    network = builder.create_network(int(explicit_batch) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    define(trt, network)

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    if precision == "fp16":
        config.set_flag(trt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = calibrator
    if refit:
        config.set_flag(trt.BuilderFlag.REFIT)
    if configure is not None:
        configure(trt, config)
    if config.num_optimization_profiles == 0:
        _add_batch_profile(builder, network, config, max_batch_size)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise UserError("TensorRT could not build the engine; its messages stand above this line.")
    return bytes(plan)


def _add_batch_profile(builder: Any, network: Any, config: Any, max_batch_size: int) -> None:
    """Bound the batch of inputs that leave it open; where more than the batch is open, `configure` has to say."""
    profile, dynamic = builder.create_optimization_profile(), False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        batch, *rest = tuple(tensor.shape) or (0,)
        if batch == -1 and -1 not in rest:
            profile.set_shape(tensor.name, (1, *rest), (max_batch_size, *rest), (max_batch_size, *rest))
            dynamic = True
    if dynamic:
        config.add_optimization_profile(profile)
