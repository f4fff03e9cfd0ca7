"""The builder: records nothing and runs nothing, it leads a network through lowering into a plan."""

from __future__ import annotations

from trtflow.reference.calibrate import scales
from trtflow.reference.lower.lower import lower
from trtflow.reference.lower.precision import Precisions, choose, fused_activation
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enums import BuilderFlag
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.values import Logger
from trtflow.reference.run.engine import ICudaEngine
from trtflow.reference.run.plan import write_plan


class Builder:
    """Makes networks, configurations and plans.

    Attributes:
        max_batch_size: largest batch of engines from networks with an implicit batch.
    """

    platform_has_fast_fp16 = True
    platform_has_fast_int8 = True
    num_DLA_cores = 0  # noqa: N815 - TensorRT's name

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self.max_batch_size = 1

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """Return an empty network; `flags` are bits of NetworkDefinitionCreationFlag."""
        return INetworkDefinition(flags)

    def create_builder_config(self) -> IBuilderConfig:
        """Return a configuration with TensorRT's defaults."""
        return IBuilderConfig()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> bytes:
        """Return a plan.

        Raises:
            NetworkError, BuildError, FormatError: the layer, tensor or table that is wrong. (TensorRT logs that
                and returns None.)
        """
        calibrator = config.int8_calibrator if config.get_flag(BuilderFlag.INT8) else None
        table = None if calibrator is None else scales(network, calibrator)
        precisions = choose(network, config, table)
        metadata = {
            "name": network.name,
            "implicit_batch": network.has_implicit_batch_dimension,
            "max_batch_size": self.max_batch_size,
            "layers": _layers(network, precisions),
        }
        return write_plan(lower(network, precisions), metadata)

    def build_engine(self, network: INetworkDefinition, config: IBuilderConfig) -> ICudaEngine:
        """Return an engine."""
        return ICudaEngine(self.build_serialized_network(network, config), self.logger)


def _layers(network: INetworkDefinition, precisions: Precisions) -> list[dict[str, str]]:
    """Describe each layer; a ReLU that is fused shares its group, "conv + relu", with the layer before it."""
    groups = {layer: layer.name for layer in network}
    for layer in network:
        if fused_activation(network, layer):
            producer = layer.inputs[0].producer
            assert producer is not None
            groups[layer] = groups[producer] = f"{producer.name} + {layer.name}"
    return [
        {
            "name": layer.name,
            "group": groups[layer],
            "type": layer.title,
            "precision": precisions.layers[layer].name,
        }
        for layer in network
    ]
