"""The builder: records nothing and runs nothing, it leads a network through lowering into a plan."""

from __future__ import annotations

from typing import Any

from trtflow.reference.calibrate import scales
from trtflow.reference.errors import BuildError, NetworkError
from trtflow.reference.lower.lower import lower, lower_refittable
from trtflow.reference.lower.precision import Precisions, choose, fused_activation
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enums import BuilderFlag, DeviceType, ProfilingVerbosity
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.profile import IOptimizationProfile
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, ILogger, Logger
from trtflow.reference.run.engine import ICudaEngine
from trtflow.reference.run.plan import write_plan

Shapes = dict[str, list[Dims]]  # smallest, best and largest shape of each dynamic input


class Builder(Scope):
    """Makes networks, configurations, profiles and plans.

    Attributes:
        max_batch_size: largest batch of engines from networks with an implicit batch.
        max_threads: recorded only.
    """

    platform_has_tf32 = False
    platform_has_fast_fp16 = True
    platform_has_fast_int8 = True
    num_DLA_cores = max_DLA_batch_size = 0  # noqa: N815 - TensorRT's names

    def __init__(self, logger: ILogger) -> None:
        self.logger = logger
        self.reset()

    def reset(self) -> None:
        """Return to TensorRT's defaults."""
        self.max_batch_size = self.max_threads = 1

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """Return an empty network; `flags` are bits of NetworkDefinitionCreationFlag."""
        network = INetworkDefinition(flags)
        network.logger = self.logger
        return network

    def create_builder_config(self) -> IBuilderConfig:
        """Return a configuration with TensorRT's defaults."""
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        """Return an empty profile, for the shapes of a network's dynamic inputs."""
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes:
        """Return a plan.

        Raises:
            NetworkError, BuildError, FormatError: the layer, tensor or table that is wrong. (TensorRT logs that
                and returns None.)
        """
        _check_devices(network, config)
        profiles = _profiles(network, config)
        calibrator = config.int8_calibrator if config.get_flag(BuilderFlag.INT8) else None
        table = None if calibrator is None else scales(network, calibrator, _calibration_shapes(network, config))
        precisions = choose(network, config, table)
        if config.get_flag(BuilderFlag.REFIT):
            model, refit = lower_refittable(network, precisions)
        else:
            model, refit = lower(network, precisions), None
        detailed = config.profiling_verbosity == ProfilingVerbosity.DETAILED
        metadata = {
            "name": network.name,
            "implicit_batch": network.has_implicit_batch_dimension,
            "max_batch_size": self.max_batch_size if network.has_implicit_batch_dimension else 1,
            "profiles": profiles,
            "verbosity": config.profiling_verbosity.name,
            "layers": _layers(network, precisions, detailed),
            "refit": refit,
        }
        return write_plan(model, metadata)

    def build_engine(self, network: INetworkDefinition, config: IBuilderConfig) -> ICudaEngine:
        """Return an engine."""
        return ICudaEngine(self.build_serialized_network(network, config), self.logger)

    def is_network_supported(self, network: INetworkDefinition, config: IBuilderConfig) -> bool:
        """Whether the reference runtime has every layer; a message in the log names the first that it lacks."""
        try:
            lower(network, choose(network, IBuilderConfig(), None))
        except (NetworkError, BuildError) as error:
            self.logger.log(Logger.ERROR, str(error))
            return False
        return True


def _check_devices(network: INetworkDefinition, config: IBuilderConfig) -> None:
    """Refuse layers that must run on a DLA: there is none."""
    on_dla = [layer.name for layer in network if config.get_device_type(layer) == DeviceType.DLA]
    if on_dla and not config.get_flag(BuilderFlag.GPU_FALLBACK):
        raise BuildError(
            f"layer {on_dla[0]!r} is to run on a DLA, and there is none. "
            "Set BuilderFlag.GPU_FALLBACK or leave the device type at DeviceType.GPU."
        )


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
            found[tensor.name] = shapes
    return found


def _calibration_shapes(network: INetworkDefinition, config: IBuilderConfig) -> dict[str, Dims]:
    """Return the shape of each input's calibration batches: the best of the profile that is for it."""
    shapes = {tensor.name: tensor.shape for tensor in _inputs(network)}
    profile = config.get_calibration_profile() or next(iter(config.optimization_profiles), None)
    if profile is not None:
        shapes |= {name: found[1] for name, found in _shapes(network, profile, "the calibration profile").items()}
    return shapes


def _layers(network: INetworkDefinition, precisions: Precisions, detailed: bool) -> list[dict[str, Any]]:
    """Describe each layer; a ReLU that is fused shares its group, "conv + relu", with the layer before it."""
    groups = {layer: layer.name for layer in network}
    for layer in network:
        if fused_activation(network, layer):
            producer = layer.inputs[0].producer
            assert producer is not None
            groups[layer] = groups[producer] = f"{producer.name} + {layer.name}"
    described = []
    for layer in network:
        entry: dict[str, Any] = {
            "name": layer.name,
            "group": groups[layer],
            "type": layer.title,
            "precision": precisions.layers[layer].name,
        }
        if detailed:
            entry |= {"inputs": _describe(layer.inputs), "outputs": _describe(layer.outputs)}
        described.append(entry)
    return described


def _describe(tensors: list[ITensor]) -> list[dict[str, Any]]:
    return [{"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name} for tensor in tensors]
