"""The builder's old ways: settings of its own in place of a configuration, and `build_cuda_engine`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from trtflow.nvidia.eras.warning import warn
from trtflow.nvidia.patches import Patches

Apply = Callable[[ModuleType, Any, Any], None]  # of TensorRT, a configuration and a value


@dataclass(frozen=True)
class _Setting:
    """A setting of the builder.

    Attributes:
        default: its value at first, or a function of TensorRT's module that gives it.
        today: what to write instead.
        apply: brings a value into a configuration.
    """

    default: Any
    today: str
    apply: Apply


def _flag(*names: str) -> Apply:
    """Return what sets flags of BuilderFlag where a value is true; of each pair the name that there is."""

    def apply(trt: ModuleType, config: Any, value: Any) -> None:
        if value:
            config.set_flag(next(getattr(trt.BuilderFlag, name) for name in names if hasattr(trt.BuilderFlag, name)))

    return apply


def _attribute(name: str) -> Apply:
    """Return what sets an attribute of the configuration."""

    def apply(trt: ModuleType, config: Any, value: Any) -> None:
        setattr(config, name, value)

    return apply


def _workspace(trt: ModuleType, config: Any, value: Any) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, value)


SETTINGS: dict[str, _Setting] = {
    "max_workspace_size": _Setting(
        0, "config.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, bytes)", _workspace
    ),
    "fp16_mode": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.FP16)", _flag("FP16")),
    "half2_mode": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.FP16)", _flag("FP16")),
    "int8_mode": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.INT8)", _flag("INT8")),
    "int8_calibrator": _Setting(None, "config.int8_calibrator", _attribute("int8_calibrator")),
    "refittable": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.REFIT)", _flag("REFIT")),
    "strict_type_constraints": _Setting(
        False,
        "config.set_flag(tensorrt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)",
        _flag("OBEY_PRECISION_CONSTRAINTS"),
    ),
    "debug_sync": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.DEBUG)", _flag("DEBUG")),
    "allow_gpu_fallback": _Setting(False, "config.set_flag(tensorrt.BuilderFlag.GPU_FALLBACK)", _flag("GPU_FALLBACK")),
    "average_find_iterations": _Setting(1, "config.avg_timing_iterations", _attribute("avg_timing_iterations")),
    "min_find_iterations": _Setting(1, "config.min_timing_iterations", _attribute("min_timing_iterations")),
    "DLA_core": _Setting(-1, "config.DLA_core", _attribute("DLA_core")),
    "default_device_type": _Setting(
        lambda trt: trt.DeviceType.GPU, "config.default_device_type", _attribute("default_device_type")
    ),
    "engine_capability": _Setting(
        lambda trt: trt.EngineCapability.STANDARD, "config.engine_capability", _attribute("engine_capability")
    ),
}
_WITH_LAYER = ("set_device_type", "get_device_type", "is_device_type_set", "reset_device_type", "can_run_on_DLA")


class _Old:
    """What builders were set to in the old ways.

    Args:
        trt: the reference.
    """

    def __init__(self, trt: ModuleType) -> None:
        self.trt = trt
        self.values: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
        self.devices: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()  # a configuration that keeps layers' devices

    def config(self, builder: Any) -> Any:
        """Return the configuration that a builder's old settings make."""
        config = self.devices.get(builder) or builder.create_builder_config()
        for name, value in self.values.get(builder, {}).items():
            SETTINGS[name].apply(self.trt, config, value)
        return config

    def property(self, name: str) -> property:
        """Return the property of an old setting."""
        setting = SETTINGS[name]
        default = setting.default(self.trt) if callable(setting.default) else setting.default

        def get(builder: Any) -> Any:
            warn(f"Builder.{name}", setting.today)
            return self.values.get(builder, {}).get(name, default)

        def put(builder: Any, value: Any) -> None:
            warn(f"Builder.{name}", setting.today)
            self.values.setdefault(builder, {})[name] = value

        return property(get, put, doc=f"Of TensorRT 5 to 7; today: {setting.today}.")

    def of_layer(self, name: str) -> Callable[..., Any]:
        """Return a method on the device of a layer, which the configuration has today."""

        def call(builder: Any, *arguments: Any, **named: Any) -> Any:
            warn(f"Builder.{name}", f"config.{name}")
            config = self.devices.setdefault(builder, builder.create_builder_config())
            return getattr(config, name)(*arguments, **named)

        call.__name__, call.__doc__ = name, f"Of TensorRT 5 to 7; today: config.{name}."
        return call


def give(patches: Patches, trt: ModuleType) -> None:
    """Give `tensorrt.Builder` its old ways."""
    old = _Old(trt)
    for name in SETTINGS:
        patches.set(trt.Builder, name, old.property(name))
    for name in _WITH_LAYER:
        patches.set(trt.Builder, name, old.of_layer(name))
    reset_now = trt.Builder.reset

    def build_cuda_engine(self: Any, network: Any) -> Any:
        """Return an engine, built as the builder's own settings say; of TensorRT 5 to 7."""
        warn("Builder.build_cuda_engine", "builder.build_serialized_network(network, config)")
        return self.build_engine(network, old.config(self))

    def reset(self: Any, network: Any = None) -> None:
        """Return to TensorRT's defaults; 5 to 7 were given a network too."""
        old.values.pop(self, None)
        old.devices.pop(self, None)
        reset_now(self)

    patches.set(trt.Builder, "build_cuda_engine", build_cuda_engine)
    patches.set(trt.Builder, "reset", reset)
