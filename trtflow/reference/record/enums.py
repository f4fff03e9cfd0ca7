"""TensorRT 8.6's enumerations, with the values of its C++ headers."""

from __future__ import annotations

from enum import IntEnum


class DataType(IntEnum):
    """Type of a tensor's or a weight's elements."""

    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return {DataType.FLOAT: 4, DataType.HALF: 2, DataType.INT32: 4}.get(self, 1)


class LayerType(IntEnum):
    """Kind of a layer, for those that the reference runtime has."""

    CONVOLUTION = 0
    FULLY_CONNECTED = 1
    ACTIVATION = 2
    POOLING = 3
    LRN = 4
    SCALE = 5
    SOFTMAX = 6
    CONCATENATION = 8
    ELEMENTWISE = 9
    SHUFFLE = 14
    CONSTANT = 19
    PLUGIN_V2 = 22


class ActivationType(IntEnum):
    """Function of an activation layer."""

    RELU = 0
    SIGMOID = 1
    TANH = 2
    LEAKY_RELU = 3
    ELU = 4
    CLIP = 8


class PoolingType(IntEnum):
    """Function of a pooling layer."""

    MAX = 0
    AVERAGE = 1


class ElementWiseOperation(IntEnum):
    """Function of an element-wise layer."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    SUB = 4
    DIV = 5
    POW = 6


class ScaleMode(IntEnum):
    """How the weights of a scale layer are spread over its input."""

    UNIFORM = 0
    CHANNEL = 1
    ELEMENTWISE = 2


class PaddingMode(IntEnum):
    """How a window's output size is rounded; the CAFFE modes clip the last pooling window to the padded input."""

    EXPLICIT_ROUND_DOWN = 0
    EXPLICIT_ROUND_UP = 1
    CAFFE_ROUND_DOWN = 4
    CAFFE_ROUND_UP = 5


class TensorLocation(IntEnum):
    """Where a binding's memory lies."""

    DEVICE = 0
    HOST = 1


class TensorIOMode(IntEnum):
    """Role of a tensor in an engine."""

    NONE = 0
    INPUT = 1
    OUTPUT = 2


class NetworkDefinitionCreationFlag(IntEnum):
    """Bits of `Builder.create_network`'s flags."""

    EXPLICIT_BATCH = 0
    EXPLICIT_PRECISION = 1


class BuilderFlag(IntEnum):
    """Switches of a builder configuration."""

    FP16 = 0
    INT8 = 1
    DEBUG = 2
    GPU_FALLBACK = 3
    STRICT_TYPES = 4
    REFIT = 5
    DISABLE_TIMING_CACHE = 6
    TF32 = 7
    OBEY_PRECISION_CONSTRAINTS = 10
    PREFER_PRECISION_CONSTRAINTS = 11


class MemoryPoolType(IntEnum):
    """Pools whose size a builder configuration limits."""

    WORKSPACE = 0


class CalibrationAlgoType(IntEnum):
    """Algorithm of an INT8 calibrator."""

    LEGACY_CALIBRATION = 0
    ENTROPY_CALIBRATION = 1
    ENTROPY_CALIBRATION_2 = 2
    MINMAX_CALIBRATION = 3


class PluginFieldType(IntEnum):
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
