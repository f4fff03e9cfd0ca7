"""The builder: records nothing and runs nothing, it leads a network through lowering into a plan."""

from __future__ import annotations

import numpy as np

from trtflow.formats.layouts import BOUND, FORMATS
from trtflow.reference import calibrate
from trtflow.reference.calibrate import scales
from trtflow.reference.describe import choose_tactics, describe, inner_bytes
from trtflow.reference.errors import BuildError
from trtflow.reference.lower.int8_tensors import all_tensors
from trtflow.reference.lower.lower import lower, lower_for_engine
from trtflow.reference.lower.precision import choose, quantises_itself
from trtflow.reference.record.allocators import IGpuAllocator, checked_allocator
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enumeration import bits
from trtflow.reference.record.enums import BuilderFlag, DataType, DeviceType, ErrorCodeTRT, LayerType, TensorFormat
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.plugins import IPluginRegistry, get_plugin_registry
from trtflow.reference.record.profile import IOptimizationProfile
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.shape_tensors import shape_tensors
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import DTYPES, IHostMemory, ILogger
from trtflow.reference.run.engine import ICudaEngine
from trtflow.reference.run.plan import write_plan

Shapes = dict[str, list[tuple[int, ...]]]  # smallest, best and largest shape of each dynamic input
ROWS_BY_VALUES = (LayerType.NON_ZERO, LayerType.NMS)  # layers that give as many rows as values say


class Builder(Scope, Reporter):
    """Makes networks, configurations, profiles and plans.

    Attributes:
        max_batch_size: largest batch of engines from networks with an implicit batch.
        max_threads: recorded only.
        gpu_allocator: gives the memory of engines that `build_engine` makes; it can only be set.
    """

    default_code = ErrorCodeTRT.INVALID_CONFIG
    read_only = (
        "logger",
        "platform_has_tf32",
        "platform_has_fast_fp16",
        "platform_has_fast_int8",
        "num_DLA_cores",
        "max_DLA_batch_size",
    )
    platform_has_tf32 = False
    platform_has_fast_fp16 = True
    platform_has_fast_int8 = True
    num_DLA_cores = max_DLA_batch_size = 0  # noqa: N815 - TensorRT's names

    def __init__(self, logger: ILogger) -> None:
        super().__init__(logger)
        self.logger = logger
        self._allocator: IGpuAllocator | None = None
        self.reset()

    def reset(self) -> None:
        """Return to TensorRT's defaults."""
        self.max_batch_size = self.max_threads = 1

    def _set_allocator(self, allocator: IGpuAllocator | None) -> None:
        self._allocator = checked_allocator(allocator, IGpuAllocator, "Builder.gpu_allocator")

    gpu_allocator = property(None, _set_allocator, doc="Gives the memory of engines; it can only be set.")

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """Return an empty network; `flags` are bits of NetworkDefinitionCreationFlag."""
        return INetworkDefinition(flags, self)

    def create_builder_config(self) -> IBuilderConfig:
        """Return a configuration with TensorRT's defaults."""
        return IBuilderConfig(self.logger)

    def create_optimization_profile(self) -> IOptimizationProfile:
        """Return an empty profile, for the shapes of a network's dynamic inputs."""
        return IOptimizationProfile()

    def get_plugin_registry(self) -> IPluginRegistry:
        """Return the registry that all networks share."""
        return get_plugin_registry()

    @answers(None)
    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        """Return a plan; None, and a message in the log, where a layer, a tensor or a table is wrong."""
        _check_devices(network, config)
        profiles = _profiles(network, config)
        calibrator = config.int8_calibrator if config.get_flag(BuilderFlag.INT8) else None
        _check_int8_bindings(network, calibrator is not None)
        _warn_of_rows_by_values(network, config, calibrator is not None)
        table = None if calibrator is None else scales(network, calibrator, _calibration_shapes(network, config))
        precisions = choose(network, config, table, calibrate.ANY_TABLE)
        model, refit, assertions = lower_for_engine(network, precisions, config.get_flag(BuilderFlag.REFIT))
        choose_tactics(network, precisions, config)
        shapes = shape_tensors(network)
        metadata = {
            "name": network.name,
            "implicit_batch": network.has_implicit_batch_dimension,
            "max_batch_size": self.max_batch_size if network.has_implicit_batch_dimension else 1,
            "profiles": profiles,
            "shape_values": [_values(profile) for profile in config.optimization_profiles or [IOptimizationProfile()]],
            "shape_tensors": sorted(tensor.name for tensor in shapes if tensor.is_bound),
            "formats": _formats(network),
            "inner_bytes": inner_bytes(network, precisions),
            "verbosity": config.profiling_verbosity.name,
            "tactic_sources": config.get_tactic_sources(),
            "capability": int(config.engine_capability),
            "compatibility": int(config.hardware_compatibility_level),
            "layers": describe(network, precisions, config.profiling_verbosity),
            "refit": refit,
            "assertions": assertions,
        }
        return IHostMemory(write_plan(model, metadata))

    @answers(None)
    def build_engine(self, network: INetworkDefinition, config: IBuilderConfig) -> ICudaEngine | None:
        """Return an engine; None, and a message in the log, where `build_serialized_network` gives none."""
        plan = self.build_serialized_network(network, config)
        return None if plan is None else ICudaEngine(plan, self.logger, self._allocator)

    @answers(False)
    def is_network_supported(self, network: INetworkDefinition, config: IBuilderConfig) -> bool:
        """Whether the reference runtime has every layer; a message in the log names the first that it lacks."""
        lower(network, choose(network, config, dict.fromkeys(_names(network), np.float32(1))))
        return True


def _names(network: INetworkDefinition) -> list[str]:
    return [tensor.name for tensor in all_tensors(network)]


def _values(profile: IOptimizationProfile) -> dict[str, list[list[int]]]:
    """Return the smallest, best and largest values of each input whose values are sizes."""
    return {name: [list(values) for values in found] for name, found in profile.values.items()}


def _formats(network: INetworkDefinition) -> dict[str, str]:
    """Return the memory layout of each input and output that is not by rows.

    Raises:
        BuildError: none that is allowed is there for the tensor's type and dimensions.
    """
    bound = [*_inputs(network), *(network.get_output(index) for index in range(network.num_outputs))]
    found = {}
    for tensor in bound:
        allowed = bits(TensorFormat, tensor.allowed_formats)
        if TensorFormat.LINEAR in allowed:
            continue
        known = [layout for layout in allowed if _can_have(tensor, layout)]
        if not known:
            names = ", ".join(layout.name for layout in allowed) or "none"
            kinds = ", ".join(f"{name} of {' and '.join(types)}" for name, types in BOUND.items())
            what = f"tensor {tensor.name!r}, {tensor.dtype.name} of shape {tensor.shape}"
            raise BuildError(
                f"{what}, can have none of the formats {names}. Allow LINEAR, or with enough dimensions {kinds}."
            )
        found[tensor.name] = known[0].name
    return found


def _can_have(tensor: ITensor, layout: TensorFormat) -> bool:
    """Whether TensorRT's GPUs have a format other than rows for a tensor's type and dimensions."""
    types = BOUND.get(layout.name, ())
    return np.dtype(DTYPES[tensor.dtype]).name in types and len(tensor.shape) > FORMATS[layout.name][2]


def _check_devices(network: INetworkDefinition, config: IBuilderConfig) -> None:
    """Refuse layers that must run on a DLA: there is none."""
    on_dla = [layer.name for layer in network if config.get_device_type(layer) == DeviceType.DLA]
    if on_dla and not config.get_flag(BuilderFlag.GPU_FALLBACK):
        raise BuildError(
            f"layer {on_dla[0]!r} is to run on a DLA, and there is none. "
            "Set BuilderFlag.GPU_FALLBACK or leave the device type at DeviceType.GPU."
        )


def _check_int8_bindings(network: INetworkDefinition, calibrated: bool) -> None:
    """Refuse inputs and outputs of INT8 of which nothing tells what a step is; casts alone need no steps.

    TensorRT 8.6 does so whatever lies between: measured on an H200 for an identity and a maximum.

    Raises:
        BuildError: one of them has no range, and the network neither quantises itself nor is calibrated.
    """
    if calibrated or quantises_itself(network):
        return
    casts = [layer for layer in network if layer.layer_type == LayerType.CAST or layer.title == "Cast"]
    free = {tensor for layer in casts for tensor in (*layer.inputs, *layer.outputs)}
    outputs = (network.get_output(index) for index in range(network.num_outputs))
    for tensor in (*_inputs(network), *outputs):
        if tensor.dtype == DataType.INT8 and tensor.dynamic_range is None and tensor not in free:
            raise BuildError(
                f"{tensor.name}: input/output with DataType Int8 in network without Q/DQ layers must have dynamic "
                "range set when no calibrator is used. Set its dynamic_range, quantise in the network (QuantizeLinear "
                "and DequantizeLinear in ONNX), or make it of another type."
            )


def _warn_of_rows_by_values(network: INetworkDefinition, config: IBuilderConfig, calibrated: bool) -> None:
    """Say what TensorRT 8.6 cannot do with a network of such layers, as measured on an H200."""
    name = next((layer.name for layer in network if layer.layer_type in ROWS_BY_VALUES), None)
    words = f"layer {name!r} gives as many rows as values say"
    if name and not config.optimization_profiles:
        text = (
            f"{words}, and there is no optimization profile: TensorRT 8.6 makes no context of such an engine. Add one."
        )
        network.logger.log(ILogger.WARNING, text)
    if name and calibrated:
        text = f"{words}: TensorRT 8.6 cannot calibrate such a network. Calibrate the part before it, or set ranges."
        network.logger.log(ILogger.WARNING, text)


def _inputs(network: INetworkDefinition) -> list[ITensor]:
    return [network.get_input(index) for index in range(network.num_inputs)]


def _profiles(network: INetworkDefinition, config: IBuilderConfig) -> list[Shapes]:
    """Return the profiles of an engine, at least one.

    Raises:
        BuildError: a dynamic input has no shapes in a profile, or shapes that contradict its own.
    """
    dynamic = [tensor for tensor in _inputs(network) if -1 in tensor.shape]
    if dynamic and network.has_implicit_batch_dimension:
        raise BuildError(
            f"input {dynamic[0].name!r} has the shape {dynamic[0].shape}, but a network with an implicit batch has no "
            "dynamic shapes. Create it with NetworkDefinitionCreationFlag.EXPLICIT_BATCH."
        )
    if dynamic and not config.optimization_profiles:
        raise BuildError(
            f"input {dynamic[0].name!r} has the shape {dynamic[0].shape}, and there is no optimization profile. "
            "Make one with builder.create_optimization_profile and add it with config.add_optimization_profile."
        )
    profiles = config.optimization_profiles or [IOptimizationProfile()]
    return [_shapes(network, profile, f"optimization profile {index}") for index, profile in enumerate(profiles)]


def _shapes(network: INetworkDefinition, profile: IOptimizationProfile, what: str) -> Shapes:
    """Return the shapes of the dynamic inputs in a profile, checked against the network."""
    found: Shapes = {}
    for tensor in _inputs(network):
        shapes = profile.get_shape(tensor.name)
        if not shapes and -1 in tensor.shape:
            raise BuildError(f"{what} has no shapes of the input {tensor.name!r}. Call its set_shape.")
        for shape in shapes:
            fits = len(shape) == len(tensor.shape) and all(
                declared in (-1, size) for declared, size in zip(tensor.shape, shape, strict=True)
            )
            if not fits:
                raise BuildError(f"{what} gives the input {tensor.name!r} of shape {tensor.shape} the shape {shape}.")
        if -1 in tensor.shape:
            found[tensor.name] = [tuple(shape) for shape in shapes]
    return found


def _calibration_shapes(network: INetworkDefinition, config: IBuilderConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input's calibration batches: the best of the profile that is for it."""
    shapes = {tensor.name: tuple(tensor.shape) for tensor in _inputs(network)}
    profile = config.get_calibration_profile() or next(iter(config.optimization_profiles), None)
    if profile is not None:
        shapes |= {
            name: tuple(found[1]) for name, found in _shapes(network, profile, "the calibration profile").items()
        }
    return shapes
