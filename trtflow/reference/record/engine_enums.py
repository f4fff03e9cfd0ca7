"""TensorRT 8.6's enumerations of builders, engines and plugins, with the values of its C++ headers."""

from __future__ import annotations

from trtflow.reference.record.enumeration import Enumeration, OrderedEnumeration


class NetworkDefinitionCreationFlag(OrderedEnumeration):
    """Bits of `Builder.create_network`'s flags."""

    EXPLICIT_BATCH = 0
    EXPLICIT_PRECISION = 1


class BuilderFlag(OrderedEnumeration):
    """Switches of a builder configuration."""

    FP16 = 0
    INT8 = 1
    DEBUG = 2
    GPU_FALLBACK = 3
    STRICT_TYPES = 4
    REFIT = 5
    DISABLE_TIMING_CACHE = 6
    TF32 = 7
    SPARSE_WEIGHTS = 8
    SAFETY_SCOPE = 9
    OBEY_PRECISION_CONSTRAINTS = 10
    PREFER_PRECISION_CONSTRAINTS = 11
    DIRECT_IO = 12
    REJECT_EMPTY_ALGORITHMS = 13
    ENABLE_TACTIC_HEURISTIC = 14
    VERSION_COMPATIBLE = 15
    EXCLUDE_LEAN_RUNTIME = 16
    FP8 = 17


class MemoryPoolType(Enumeration):
    """Pools whose size a builder configuration limits."""

    WORKSPACE = 0
    DLA_MANAGED_SRAM = 1
    DLA_LOCAL_DRAM = 2
    DLA_GLOBAL_DRAM = 3
    TACTIC_DRAM = 4


class QuantizationFlag(OrderedEnumeration):
    """Switches of INT8 calibration."""

    CALIBRATE_BEFORE_FUSION = 0


class DeviceType(Enumeration):
    """Device that a layer runs on."""

    GPU = 0
    DLA = 1


class EngineCapability(OrderedEnumeration):
    """Restrictions that an engine is built under; the first three are their names before TensorRT 8."""

    DEFAULT = 0
    SAFE_GPU = 1
    SAFE_DLA = 2
    STANDARD = 0
    SAFETY = 1
    DLA_STANDALONE = 2


class ProfilingVerbosity(Enumeration):
    """How much of its layers an engine can tell; DEFAULT and VERBOSE are older names."""

    LAYER_NAMES_ONLY = 0
    DETAILED = 2
    NONE = 1
    DEFAULT = 0
    VERBOSE = 2


class LayerInformationFormat(Enumeration):
    """Form of what an engine inspector returns."""

    ONELINE = 0
    JSON = 1


class TacticSource(OrderedEnumeration):
    """Libraries that TensorRT takes kernels from."""

    CUBLAS = 0
    CUBLAS_LT = 1
    CUDNN = 2
    EDGE_MASK_CONVOLUTIONS = 3
    JIT_CONVOLUTIONS = 4


class PreviewFeature(Enumeration):
    """Features that TensorRT 8.6 has on trial."""

    FASTER_DYNAMIC_SHAPES_0805 = 0
    DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 = 1
    PROFILE_SHARING_0806 = 2


class HardwareCompatibilityLevel(Enumeration):
    """GPUs beside the one at hand that an engine is to run on."""

    NONE = 0
    AMPERE_PLUS = 1


class CalibrationAlgoType(Enumeration):
    """Algorithm of an INT8 calibrator."""

    LEGACY_CALIBRATION = 0
    ENTROPY_CALIBRATION = 1
    ENTROPY_CALIBRATION_2 = 2
    MINMAX_CALIBRATION = 3


class TensorIOMode(Enumeration):
    """Role of a tensor in an engine."""

    NONE = 0
    INPUT = 1
    OUTPUT = 2


class TensorLocation(Enumeration):
    """Where a binding's memory lies."""

    DEVICE = 0
    HOST = 1


class PluginFieldType(Enumeration):
    """Type of a plugin attribute's elements."""

    FLOAT16 = 0
    FLOAT32 = 1
    FLOAT64 = 2
    INT8 = 3
    INT16 = 4
    INT32 = 5
    CHAR = 6
    DIMS = 7
    UNKNOWN = 8


class WeightsRole(Enumeration):
    """What weights are to their layer."""

    KERNEL = 0
    BIAS = 1
    SHIFT = 2
    SCALE = 3
    CONSTANT = 4
    ANY = 5


class AllocatorFlag(OrderedEnumeration):
    """Bits of what memory of an allocator is for."""

    RESIZABLE = 0


class TempfileControlFlag(Enumeration):
    """Bits of where a runtime may put the code of a version-compatible engine."""

    ALLOW_IN_MEMORY_FILES = 0
    ALLOW_TEMPORARY_FILES = 1


class ErrorCodeTRT(OrderedEnumeration):
    """Kind of an error that an error recorder is given."""

    SUCCESS = 0
    UNSPECIFIED_ERROR = 1
    INTERNAL_ERROR = 2
    INVALID_ARGUMENT = 3
    INVALID_CONFIG = 4
    FAILED_ALLOCATION = 5
    FAILED_INITIALIZATION = 6
    FAILED_EXECUTION = 7
    FAILED_COMPUTATION = 8
    INVALID_STATE = 9
    UNSUPPORTED_STATE = 10


class FieldType(Enumeration):
    """Type of a legacy plugin attribute's elements."""

    FLOAT = 0
    INT32 = 1
    CHAR = 2
    DIMS = 4
    DATATYPE = 5
    UNKNOWN = 6
