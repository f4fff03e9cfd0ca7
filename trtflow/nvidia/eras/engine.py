"""Old members of engines, runtimes, networks and parsers."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from trtflow.nvidia.eras.warning import refuse, refused, warn
from trtflow.nvidia.patches import Patches

_PLUGIN = "write the plugin as tensorrt.IPluginV2 and give it with --plugins FILE.py (docs/plugins.md)"
_FORMULA = "set the layer's padding_mode"
_REFUSED = {  # of which class, with what to do instead
    "INetworkDefinition": {
        "convolution_output_dimensions_formula": _FORMULA,
        "deconvolution_output_dimensions_formula": _FORMULA,
        "pooling_output_dimensions_formula": _FORMULA,
    },
    "CaffeParser": {"plugin_factory": _PLUGIN, "plugin_factory_ext": _PLUGIN},
    "UffParser": {"plugin_factory": _PLUGIN, "plugin_factory_ext": _PLUGIN},
}
_REFUSED_METHODS = {
    "add_plugin": _PLUGIN,
    "add_plugin_ext": _PLUGIN,
    "add_rnn": "use network.add_rnn_v2",
}


def give(patches: Patches, trt: ModuleType) -> None:
    """Give engines and runtimes their old members; what no reference can have is refused by name."""
    deserialize = trt.Runtime.deserialize_cuda_engine

    def deserialize_cuda_engine(self: Any, serialized_engine: Any, plugin_factory: Any = None) -> Any:
        """Return the engine of a plan; 5 to 7 took a factory of plugins too."""
        if plugin_factory is not None:
            refuse("Runtime.deserialize_cuda_engine(plugin_factory=…)", _PLUGIN)
        return deserialize(self, serialized_engine)

    def max_workspace_size(self: Any) -> int:
        """Bytes that an engine takes while it runs; of TensorRT 5 to 7."""
        warn("ICudaEngine.max_workspace_size", "engine.device_memory_size")
        return 0

    for name, call in (("execute", "execute"), ("execute_async", "enqueue")):
        patches.set(trt.IExecutionContext, name, _with_explicit_batch(trt, name, call))
    patches.set(trt.Runtime, "deserialize_cuda_engine", deserialize_cuda_engine)
    patches.set(trt.ICudaEngine, "max_workspace_size", property(max_workspace_size))
    for kind, members in _REFUSED.items():
        for name, today in members.items():
            patches.set(getattr(trt, kind), name, refused(f"{kind}.{name}", today))
    for name, today in _REFUSED_METHODS.items():
        patches.set(trt.INetworkDefinition, name, _method(name, today))


def _method(name: str, today: str) -> Any:
    def call(self: Any, *arguments: Any, **named: Any) -> None:
        refuse(f"INetworkDefinition.{name}", today)

    call.__name__, call.__doc__ = name, f"Refused; {today}."
    return call


def _with_explicit_batch(trt: ModuleType, name: str, call: str) -> Any:
    """Return `execute` or `execute_async` that runs an engine with an explicit batch too, with 6's and 7's warning.

    (8.0 and later refuse. The batch size that is given meant nothing.)
    """
    now = getattr(trt.IExecutionContext, name)

    def run(self: Any, batch_size: int = 1, bindings: Any = (), *stream: Any, **named: Any) -> bool:
        if self.engine.has_implicit_batch_dimension:
            return now(self, batch_size, bindings, *stream, **named)
        self.engine.logger.log(
            trt.Logger.WARNING,
            f"Explicit batch network detected and batch size specified, use {call} without batch size instead.",
        )
        return self.execute_v2(bindings)

    run.__name__, run.__doc__ = name, now.__doc__
    return run
