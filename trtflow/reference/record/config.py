"""The builder configuration: precisions, calibrator, profiles, limits.

What chooses or times GPU kernels (workspace, tactics, timing cache, timing iterations, optimization level, DLA) has no
counterpart on the reference runtime: it is recorded, can be read back, and changes no engine.
"""

from __future__ import annotations

from typing import Any

from trtflow.reference.errors import BuildError
from trtflow.reference.record.algorithms import IAlgorithmSelector
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.calibrators import IInt8Calibrator
from trtflow.reference.record.enumeration import members
from trtflow.reference.record.enums import (
    BuilderFlag,
    DeviceType,
    EngineCapability,
    HardwareCompatibilityLevel,
    MemoryPoolType,
    PreviewFeature,
    ProfilingVerbosity,
    QuantizationFlag,
    TacticSource,
)
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.profile import IOptimizationProfile
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.timing_cache import ITimingCache, read_timing_cache
from trtflow.reference.record.values import ILogger

GIBIBYTE = 1 << 30


class IBuilderConfig(Scope, Reporter):
    """How an engine is to be built; made by `Builder.create_builder_config`.

    Attributes:
        flags: bits of BuilderFlag; TF32 is on by default, as in TensorRT, and makes no difference on a CPU.
        quantization_flags: bits of QuantizationFlag. CALIBRATE_BEFORE_FUSION makes no difference: each calibrator
            is run where TensorRT runs it by default.
        int8_calibrator: serves batches or a table; may be None where every tensor has a dynamic range.
        profiling_verbosity: what the engine inspector can tell of the layers.
        plugins_to_serialize: paths of plugin libraries that TensorRT would put into the plan; only recorded.
        default_device_type: device of layers that have none of their own; without GPU_FALLBACK the builder refuses DLA.
        builder_optimization_level, avg_timing_iterations, min_timing_iterations, max_aux_streams, profile_stream,
            engine_capability, hardware_compatibility_level, DLA_core: only recorded.
        algorithm_selector: is asked about each layer, and told what was chosen.
    """

    def __init__(self, logger: ILogger | None = None) -> None:
        super().__init__(logger)
        self.reset()

    def reset(self) -> None:
        """Return to TensorRT's defaults, without profiles, calibrator and cache."""
        self.flags = 1 << int(BuilderFlag.TF32)
        self.quantization_flags = 0
        self.int8_calibrator: IInt8Calibrator | None = None
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self.plugins_to_serialize: list[str] = []
        self.default_device_type = DeviceType.GPU
        self.builder_optimization_level = 3
        self.avg_timing_iterations = self.min_timing_iterations = 1
        self.max_aux_streams = -1
        self.profile_stream = 0
        self.engine_capability = EngineCapability.STANDARD
        self.hardware_compatibility_level = HardwareCompatibilityLevel.NONE
        self.algorithm_selector: IAlgorithmSelector | None = None
        self._pools = {
            MemoryPoolType.WORKSPACE: GIBIBYTE,
            MemoryPoolType.DLA_MANAGED_SRAM: 0,
            MemoryPoolType.DLA_LOCAL_DRAM: GIBIBYTE,
            MemoryPoolType.DLA_GLOBAL_DRAM: GIBIBYTE // 2,
            MemoryPoolType.TACTIC_DRAM: GIBIBYTE,
        }
        self._preview = {feature: feature != PreviewFeature.PROFILE_SHARING_0806 for feature in members(PreviewFeature)}
        self._tactic_sources = sum(1 << int(source) for source in members(TacticSource))
        self._timing_cache: ITimingCache | None = None
        self._devices: dict[ILayer, DeviceType] = {}
        self._calibration_profile: IOptimizationProfile | None = None
        self.optimization_profiles: list[IOptimizationProfile] = []

    @property
    def DLA_core(self) -> int:  # noqa: N802 - TensorRT's name
        """The DLA that layers run on: there is none, so it stays -1."""
        return -1

    @DLA_core.setter
    def DLA_core(self, core: int) -> None:  # noqa: N802
        if core != -1:
            self._error(f"DLA core {core}, but there is no DLA. Leave DLA_core at -1.")

    def set_flag(self, flag: BuilderFlag) -> None:
        """Switch a flag on."""
        self.flags |= 1 << int(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        """Switch a flag off."""
        self.flags &= ~(1 << int(flag))

    def get_flag(self, flag: BuilderFlag) -> bool:
        """Whether a flag is on."""
        return bool(self.flags & (1 << int(flag)))

    def set_quantization_flag(self, flag: QuantizationFlag) -> None:
        """Switch a quantization flag on."""
        self.quantization_flags |= 1 << int(flag)

    def clear_quantization_flag(self, flag: QuantizationFlag) -> None:
        """Switch a quantization flag off."""
        self.quantization_flags &= ~(1 << int(flag))

    def get_quantization_flag(self, flag: QuantizationFlag) -> bool:
        """Whether a quantization flag is on."""
        return bool(self.quantization_flags & (1 << int(flag)))

    num_optimization_profiles = property(lambda self: len(self.optimization_profiles), doc="Number of profiles.")

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Add a profile; return its index. A network with dynamic inputs needs at least one."""
        self.optimization_profiles.append(profile)
        return len(self.optimization_profiles) - 1

    def set_calibration_profile(self, profile: IOptimizationProfile) -> bool:
        """Set the profile whose opt shapes calibration batches have; without one it is the first profile."""
        self._calibration_profile = profile
        return True

    def get_calibration_profile(self) -> IOptimizationProfile | None:
        """Return the profile for calibration, or None."""
        return self._calibration_profile

    @answers(None)
    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        """Set the limit of a pool in bytes.

        A negative limit is told as an error, and not taken.
        """
        if pool_size < 0:
            raise BuildError(f"a limit of {pool_size} bytes for {MemoryPoolType(pool).name}. Give 0 or more.")
        self._pools[MemoryPoolType(pool)] = int(pool_size)

    def get_memory_pool_limit(self, pool: MemoryPoolType) -> int:
        """Return the limit of a pool in bytes."""
        return self._pools[MemoryPoolType(pool)]

    @property
    def max_workspace_size(self) -> int:
        """Limit of the workspace in bytes, by its name before 8.4."""
        return self.get_memory_pool_limit(MemoryPoolType.WORKSPACE)

    @max_workspace_size.setter
    def max_workspace_size(self, size: int) -> None:
        self.set_memory_pool_limit(MemoryPoolType.WORKSPACE, size)

    @answers(None)
    def create_timing_cache(self, serialized_timing_cache: Any) -> ITimingCache | None:
        """Return the timing cache of its bytes, an empty one of none; None where they are no cache."""
        return read_timing_cache(bytes(serialized_timing_cache))

    @answers(False)
    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        """Use a timing cache: builds add to it."""
        self._timing_cache = cache
        return True

    def get_timing_cache(self) -> ITimingCache | None:
        """Return the timing cache in use, or None."""
        return self._timing_cache

    def set_preview_feature(self, feature: PreviewFeature, enable: bool) -> None:
        """Switch a feature on trial on or off; engines of the reference runtime are the same with and without."""
        self._preview[PreviewFeature(feature)] = bool(enable)

    def get_preview_feature(self, feature: PreviewFeature) -> bool:
        """Whether a feature on trial is on."""
        return self._preview[PreviewFeature(feature)]

    def set_tactic_sources(self, tactic_sources: int) -> bool:
        """Set the libraries that kernels may come from, as bits of TacticSource."""
        self._tactic_sources = int(tactic_sources)
        return True

    def get_tactic_sources(self) -> int:
        """Return the libraries that kernels may come from, as bits of TacticSource."""
        return self._tactic_sources

    def set_device_type(self, layer: ILayer, device_type: DeviceType) -> None:
        """Set the device of a layer."""
        self._devices[layer] = DeviceType(device_type)

    def get_device_type(self, layer: ILayer) -> DeviceType:
        """Return the device of a layer."""
        return self._devices.get(layer, self.default_device_type)

    def is_device_type_set(self, layer: ILayer) -> bool:
        """Whether a layer has a device of its own."""
        return layer in self._devices

    def reset_device_type(self, layer: ILayer) -> None:
        """Give a layer the default device again."""
        self._devices.pop(layer, None)

    def can_run_on_DLA(self, layer: ILayer) -> bool:  # noqa: N802 - TensorRT's name
        """Whether a layer can run on a DLA: there is none."""
        return False
