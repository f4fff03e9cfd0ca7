"""From a sample's definition to a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from trtflow.formats import UserError
from trtflow.runtime.entry import create_builder
from trtflow.runtime.messages import because, logger_of
from trtflow.runtime.plugin_faults import refuse_faulty_int8
from trtflow.runtime.plugins import is_reference
from trtflow.runtime.probe import probe
from trtflow.runtime.timing_cache import KEPT, keep_timing_cache, kept_timing_cache, use_timing_cache

PRECISIONS = ("fp32", "fp16", "int8", "best")
INT8 = ("int8", "best")  # those that take scales; best has FP16 for what is no faster in INT8, as trtexec --best
MEMORY = "Where it speaks of memory, lower max_batch_size or builder.workspace_mb, or end what else uses the GPU."
VERBOSITIES = ("detailed", "layer_names_only", "none")


@dataclass(frozen=True)
class Settings:
    """What a user can set for all builds (config/config.yaml, builder).

    Attributes:
        workspace_mb: limit of the scratch memory of a layer.
        tf32: whether float32 layers may round their factors to 10 bits, which is TensorRT's own default.
        optimization_level: 0 to 5, how long TensorRT looks for faster kernels; its default is 3.
        timing_cache: file of kernel times that builds share; it shortens builds, and is written where it is not there.
            `KEPT` stands for the one that the workflow keeps for the GPU and its TensorRT; the reference has none.
        profiling_verbosity: one of `VERBOSITIES`, what the engine inspector can tell of the engine's layers.
    """

    workspace_mb: int = 1024
    tf32: bool = False
    optimization_level: int = 3
    timing_cache: Path | None = None
    profiling_verbosity: str = VERBOSITIES[0]


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
    settings: Settings = Settings(),
    dla_core: int | None = None,
) -> bytes:
    """Return the plan of a network.

    Args:
        trt: NVIDIA's tensorrt or trtflow.reference.
        define: adds the layers to a network and marks its outputs; precisions that it gives to layers are heeded.
        precision: one of `PRECISIONS`; int8 and best need a calibrator, or dynamic ranges that `define` sets.
        max_batch_size: largest batch of the engine. With an explicit batch it bounds the inputs whose first dimension
            is -1; a batch that the network fixes stays what it is.
        calibrator: serves the INT8 table, or the batches to make one; with an explicit batch that is dynamic these
            have max_batch_size pictures.
        explicit_batch: whether shapes of the network include the batch.
        refit: whether weights of the engine can be replaced.
        configure: sets what else there is to set in the builder configuration, given trt and the configuration.
        settings: what holds for all builds.
        dla_core: the DLA that layers run on where they can, the others on the GPU; None for the GPU alone.

    Raises:
        UserError: the device has no memory free, no fast INT8 or no such DLA, a plugin would fail in INT8, or TensorRT
            refuses the network or cannot build it.
    """
    logger = logger_of(trt)
    trt.init_libnvinfer_plugins(logger, "")
    builder = create_builder(trt, logger)
    builder.max_batch_size = max_batch_size
    if precision in INT8 and not builder.platform_has_fast_int8:
        raise UserError("this device has no fast INT8. Leave int8 out of precisions.")
    network = builder.create_network(int(explicit_batch) << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    define(trt, network)
    if precision in INT8:
        refuse_faulty_int8(trt, network)

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mb << 20)
    config.builder_optimization_level = settings.optimization_level
    config.profiling_verbosity = getattr(trt.ProfilingVerbosity, settings.profiling_verbosity.upper())
    if not settings.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    timing_cache = _timing_cache(trt, settings)
    if timing_cache is not None:
        use_timing_cache(config, timing_cache)
    if precision in ("fp16", "best"):
        config.set_flag(trt.BuilderFlag.FP16)
    if precision in INT8:
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = calibrator
    if dla_core is not None:
        _use_dla(trt, builder, config, dla_core)
    if refit:
        config.set_flag(trt.BuilderFlag.REFIT)
    _heed_precisions(trt, network, config)
    if configure is not None:
        configure(trt, config)
    if config.num_optimization_profiles == 0:
        _add_batch_profile(builder, network, config, max_batch_size)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        way_out = _rows_by_values(trt, network) if calibrator is not None else ""
        raise UserError(because("TensorRT could not build the engine", way_out or MEMORY))
    if timing_cache is not None:
        keep_timing_cache(config, timing_cache)
    return bytes(plan)


def _heed_precisions(trt: ModuleType, network: Any, config: Any) -> None:
    """Have the builder heed precisions that layers were given, which else are a hint; its log says where it cannot."""
    if any(network.get_layer(index).precision_is_set for index in range(network.num_layers)):
        config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)


def _rows_by_values(trt: ModuleType, network: Any) -> str:
    """Return the way out for a network whose sizes depend on values, which TensorRT's calibrators cannot run, or ""."""
    kinds = (trt.LayerType.NON_ZERO, trt.LayerType.NMS)
    layers = (network.get_layer(index) for index in range(network.num_layers))
    name = next((layer.name for layer in layers if layer.type in kinds), None)
    if name is None:
        return ""
    fault = f"Its calibrator cannot run layer {name!r}, which gives as many rows as values say."
    return f"{fault} Take int8 and best out of precisions, or export boxes and scores, which a decoding reads."


def _timing_cache(trt: ModuleType, settings: Settings) -> Path | None:
    """Return the file of kernel times of a build, where it has one."""
    if settings.timing_cache != KEPT:
        return settings.timing_cache
    return None if is_reference(trt) else kept_timing_cache(probe())


def _use_dla(trt: ModuleType, builder: Any, config: Any, core: int) -> None:
    if not 0 <= core < builder.num_DLA_cores:
        there = f"{builder.num_DLA_cores} DLA cores" if builder.num_DLA_cores else "no DLA"
        raise UserError(
            f"DLA core {core} is to be used, but this device has {there}. Leave dla_core out to use the GPU."
        )
    config.default_device_type, config.DLA_core = trt.DeviceType.DLA, core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)


def _add_batch_profile(builder: Any, network: Any, config: Any, max_batch_size: int) -> None:
    """Bound the batch of inputs that leave it open; where more than the batch is open, `configure` has to say.

    A network of fixed inputs whose outputs depend on values gets a profile too: without any, TensorRT 8.6.0 built a
    detector that ends in a suppression, and made no context of it ("vector<bool>::_M_range_check").
    """
    profile = builder.create_optimization_profile()
    inputs, outputs = (
        [getattr(network, f"get_{side}")(index) for index in range(getattr(network, f"num_{side}s"))]
        for side in ("input", "output")
    )
    dynamic = False
    for tensor in inputs:
        batch, *rest = tuple(tensor.shape) or (0,)
        if batch == -1 and -1 not in rest:
            profile.set_shape(tensor.name, (1, *rest), (max_batch_size, *rest), (max_batch_size, *rest))
            dynamic = True
    fixed = not network.has_implicit_batch_dimension and all(-1 not in tuple(tensor.shape) for tensor in inputs)
    if fixed and any(-1 in tuple(tensor.shape) for tensor in outputs):
        for tensor in inputs:
            if not tensor.is_shape_tensor:
                profile.set_shape(tensor.name, *[tuple(tensor.shape)] * 3)
        dynamic = True
    if dynamic:
        config.add_optimization_profile(profile)
