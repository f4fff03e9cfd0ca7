"""What an engine's layers are, in TensorRT's engine inspector's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trtflow.reference.errors import PlanError
from trtflow.reference.record.enums import LayerInformationFormat, ProfilingVerbosity

if TYPE_CHECKING:
    from trtflow.reference.run.context import IExecutionContext
    from trtflow.reference.run.engine import ICudaEngine


class EngineInspector:
    """Tells of layers what the builder configuration's `profiling_verbosity` put into the engine.

    LAYER_NAMES_ONLY gives names, NONE nothing, and DETAILED for each layer its type, the precision it computes in,
    the group it is timed with, and its inputs and outputs with shapes (-1 where they are dynamic) and types.

    Attributes:
        execution_context: may be set, as in TensorRT; shapes stay those of the engine.
    """

    def __init__(self, engine: ICudaEngine) -> None:
        self.engine = engine
        self.execution_context: IExecutionContext | None = None

    def get_layer_information(self, layer_index: int, format: LayerInformationFormat) -> str:
        """Return one layer, in network order.

        Raises:
            PlanError: there is no such layer.
        """
        if not 0 <= layer_index < self.engine.num_layers:
            raise PlanError(f"no layer {layer_index}: the engine has {self.engine.num_layers}, counted from 0.")
        return _text(self._layer(self.engine.layers[layer_index]), format)

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        """Return all layers and the names of the bindings."""
        layers = [self._layer(layer) for layer in self.engine.layers]
        if format == LayerInformationFormat.JSON:
            return _text({"Layers": layers, "Bindings": list(self.engine)}, format)
        lines = ["Layers:", *(_text(layer, format) for layer in layers), "", "Bindings:", *self.engine]
        return "\n".join(lines)

    def _layer(self, layer: dict[str, Any]) -> Any:
        verbosity = self.engine.profiling_verbosity
        if verbosity == ProfilingVerbosity.NONE:
            return ""
        if verbosity == ProfilingVerbosity.LAYER_NAMES_ONLY:
            return layer["name"]
        tensors = {
            side: [
                {"Name": tensor["name"], "Dimensions": tensor["shape"], "Datatype": tensor["dtype"]}
                for tensor in layer[side.lower()]
            ]
            for side in ("Inputs", "Outputs")
        }
        kind = {"LayerType": layer["type"], "Precision": layer["precision"], "Group": layer["group"]}
        return {"Name": layer["name"], **kind, **tensors}


def _text(value: Any, format: LayerInformationFormat) -> str:
    if format == LayerInformationFormat.JSON:
        return json.dumps(value, indent=2)
    if isinstance(value, str):
        return value
    return ", ".join(f"{key}: {entry}" for key, entry in value.items())
