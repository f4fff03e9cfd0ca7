"""What an engine's layers are, in TensorRT's engine inspector's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import PlanError
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.enums import LayerInformationFormat, ProfilingVerbosity

if TYPE_CHECKING:
    from trtflow.reference.run.context import IExecutionContext
    from trtflow.reference.run.engine import ICudaEngine


class EngineInspector(Reporter):
    """Tells of layers what the builder configuration's `profiling_verbosity` put into the engine.

    LAYER_NAMES_ONLY gives names, NONE nothing, and DETAILED for each layer its type, its inputs and outputs with
    shapes (-1 where they are dynamic) and types, and its parameters; beyond TensorRT's, the precision that it computes
    in and the group that it is timed with. As in TensorRT each profile has layers of its own: behind those of profile 0
    come those of profile 1, under names that end in " [profile 1]".

    Attributes:
        execution_context: may be set, as in TensorRT; the shapes of inputs and outputs are then those that it has, in
            the layers of its profile.
    """

    def __init__(self, engine: ICudaEngine) -> None:
        super().__init__(engine.logger, engine.error_recorder)
        self.engine = engine
        self.execution_context: IExecutionContext | None = None

    @answers("")
    def get_layer_information(self, layer_index: int, format: LayerInformationFormat) -> str:
        """Return one layer, in network order; nothing, and a message in the log, where there is none."""
        if not 0 <= layer_index < self.engine.num_layers:
            raise PlanError(f"no layer {layer_index}: the engine has {self.engine.num_layers}, counted from 0.")
        return _text(self._layer(layer_index), format)

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        """Return all layers and the names of the bindings."""
        layers = [self._layer(index) for index in range(self.engine.num_layers)]
        bindings = [self.engine[index] for index in range(self.engine.num_bindings)]
        if format == LayerInformationFormat.JSON:
            return _text({"Layers": layers, "Bindings": bindings}, format)
        lines = ["Layers:", *(_text(layer, format) for layer in layers), "", "Bindings:", *map(str, bindings)]
        return "\n".join(lines)

    def _layer(self, index: int) -> Any:
        profile, place = divmod(index, len(self.engine.layers))
        layer, suffix = self.engine.layers[place], f" [profile {profile}]" if profile else ""
        verbosity = self.engine.profiling_verbosity
        if verbosity == ProfilingVerbosity.NONE:
            return ""
        if verbosity == ProfilingVerbosity.LAYER_NAMES_ONLY:
            return layer["name"] + suffix
        told: dict[str, Any] = dict(layer["told"])  # pairs, as a plan sorts what has names
        told["Name"] += suffix
        context = self.execution_context
        sized = context is not None and context.active_optimization_profile == profile
        for side in ("Inputs", "Outputs"):
            tensors = [self._sized(tensor) if sized else tensor for tensor in told[side]]
            told[side] = [{**tensor, "Name": tensor["Name"] + suffix} for tensor in tensors]
        return told

    def _sized(self, tensor: dict[str, Any]) -> dict[str, Any]:
        """Return what there is of a tensor, with the shape that it has in the context where it is a binding."""
        if self.execution_context is None or tensor["Name"] not in self.engine.tensors:
            return tensor
        return {**tensor, "Dimensions": list(self.execution_context.get_tensor_shape(tensor["Name"]))}


def _text(value: Any, format: LayerInformationFormat) -> str:
    if format == LayerInformationFormat.JSON:
        return json.dumps(value, indent=2)
    if isinstance(value, str):
        return value
    return ", ".join(f"{key}: {entry}" for key, entry in value.items())
