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
    """Kind of a layer."""

    CONVOLUTION = 0
    FULLY_CONNECTED = 1
    ACTIVATION = 2
    POOLING = 3
    LRN = 4
    SCALE = 5
    SOFTMAX = 6
    DECONVOLUTION = 7
    CONCATENATION = 8
    ELEMENTWISE = 9
    PLUGIN = 10
    UNARY = 11
    PADDING = 12
    SHUFFLE = 13
    REDUCE = 14
    TOPK = 15
    GATHER = 16
    MATRIX_MULTIPLY = 17
    RAGGED_SOFTMAX = 18
    CONSTANT = 19
    RNN_V2 = 20
    IDENTITY = 21
    PLUGIN_V2 = 22
    SLICE = 23
    SHAPE = 24
    PARAMETRIC_RELU = 25
    RESIZE = 26
    TRIP_LIMIT = 27
    RECURRENCE = 28
    ITERATOR = 29
    LOOP_OUTPUT = 30
    SELECT = 31
    FILL = 32
    QUANTIZE = 33
    DEQUANTIZE = 34
    CONDITION = 35
    CONDITIONAL_INPUT = 36
    CONDITIONAL_OUTPUT = 37
    SCATTER = 38
    EINSUM = 39
    ASSERTION = 40
    ONE_HOT = 41
    NON_ZERO = 42
    GRID_SAMPLE = 43
    NMS = 44
    REVERSE_SEQUENCE = 45
    NORMALIZATION = 46
    CAST = 47


class ActivationType(IntEnum):
    """Function of an activation layer."""

    RELU = 0
    SIGMOID = 1
    TANH = 2
    LEAKY_RELU = 3
    ELU = 4
    SELU = 5
    SOFTSIGN = 6
    SOFTPLUS = 7
    CLIP = 8
    HARD_SIGMOID = 9
    SCALED_TANH = 10
    THRESHOLDED_RELU = 11


class PoolingType(IntEnum):
    """Function of a pooling layer."""

    MAX = 0
    AVERAGE = 1
    MAX_AVERAGE_BLEND = 2


class ElementWiseOperation(IntEnum):
    """Function of an element-wise layer."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    SUB = 4
    DIV = 5
    POW = 6
    FLOOR_DIV = 7
    AND = 8
    OR = 9
    XOR = 10
    EQUAL = 11
    GREATER = 12
    LESS = 13


class ScaleMode(IntEnum):
    """How the weights of a scale layer are spread over its input."""

    UNIFORM = 0
    CHANNEL = 1
    ELEMENTWISE = 2


class PaddingMode(IntEnum):
    """How a window's padding is found and its output size rounded.

    The SAME modes choose the padding themselves; the CAFFE modes clip the last pooling window to the padded input.
    """

    EXPLICIT_ROUND_DOWN = 0
    EXPLICIT_ROUND_UP = 1
    SAME_UPPER = 2
    SAME_LOWER = 3
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


class MemoryPoolType(IntEnum):
    """Pools whose size a builder configuration limits."""

    WORKSPACE = 0
    DLA_MANAGED_SRAM = 1
    DLA_LOCAL_DRAM = 2
    DLA_GLOBAL_DRAM = 3
    TACTIC_DRAM = 4


class QuantizationFlag(IntEnum):
    """Switches of INT8 calibration."""

    CALIBRATE_BEFORE_FUSION = 0


class DeviceType(IntEnum):
    """Device that a layer runs on."""

    GPU = 0
    DLA = 1


class EngineCapability(IntEnum):
    """Restrictions that an engine is built under."""

    STANDARD = 0
    SAFETY = 1
    DLA_STANDALONE = 2


class ProfilingVerbosity(IntEnum):
    """How much of its layers an engine can tell."""

    LAYER_NAMES_ONLY = 0
    NONE = 1
    DETAILED = 2


class LayerInformationFormat(IntEnum):
    """Form of what an engine inspector returns."""

    ONELINE = 0
    JSON = 1


class TacticSource(IntEnum):
    """Libraries that TensorRT takes kernels from."""

    CUBLAS = 0
    CUBLAS_LT = 1
    CUDNN = 2
    EDGE_MASK_CONVOLUTIONS = 3
    JIT_CONVOLUTIONS = 4


class PreviewFeature(IntEnum):
    """Features that TensorRT 8.6 has on trial."""

    FASTER_DYNAMIC_SHAPES_0805 = 0
    DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 = 1
    PROFILE_SHARING_0806 = 2


class HardwareCompatibilityLevel(IntEnum):
    """GPUs beside the one at hand that an engine is to run on."""

    NONE = 0
    AMPERE_PLUS = 1


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


class WeightsRole(IntEnum):
    """What weights are to their layer."""

    KERNEL = 0
    BIAS = 1
    SHIFT = 2
    SCALE = 3
    CONSTANT = 4
    ANY = 5


class MatrixOperation(IntEnum):
    """What is done to an operand of a matrix product."""

    NONE = 0
    TRANSPOSE = 1
    VECTOR = 2


class RNNOperation(IntEnum):
    """Cell of a recurrent layer."""

    RELU = 0
    TANH = 1
    LSTM = 2
    GRU = 3


class RNNDirection(IntEnum):
    """In which order a recurrent layer takes the steps."""

    UNIDIRECTION = 0
    BIDIRECTION = 1


class RNNInputMode(IntEnum):
    """What the first recurrent layer does with its input: a product with W, or nothing."""

    LINEAR = 0
    SKIP = 1


class RNNGateType(IntEnum):
    """Gate of a recurrent cell."""

    INPUT = 0
    OUTPUT = 1
    FORGET = 2
    UPDATE = 3
    RESET = 4
    CELL = 5
    HIDDEN = 6


class UnaryOperation(IntEnum):
    """Function of a unary layer."""

    EXP = 0
    LOG = 1
    SQRT = 2
    RECIP = 3
    ABS = 4
    NEG = 5
    SIN = 6
    COS = 7
    TAN = 8
    SINH = 9
    COSH = 10
    ASIN = 11
    ACOS = 12
    ATAN = 13
    ASINH = 14
    ACOSH = 15
    ATANH = 16
    CEIL = 17
    FLOOR = 18
    ERF = 19
    NOT = 20
    SIGN = 21
    ROUND = 22
    ISINF = 23


class ReduceOperation(IntEnum):
    """Function of a reduction."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    AVG = 4


class TopKOperation(IntEnum):
    """Which end TopK takes."""

    MAX = 0
    MIN = 1


class GatherMode(IntEnum):
    """How a gather layer reads its indices."""

    DEFAULT = 0
    ELEMENT = 1
    ND = 2


class UffInputOrder(IntEnum):
    """Order of the dimensions of a UFF graph's input."""

    NCHW = 0
    NHWC = 1
    NC = 2


class TensorFormat(IntEnum):
    """Memory layout of a tensor; vectorised ones group that many channels."""

    LINEAR = 0
    CHW2 = 1
    HWC8 = 2
    CHW4 = 3
    CHW16 = 4
    CHW32 = 5
    DHWC8 = 6
    CDHW32 = 7
    HWC = 8
    DLA_LINEAR = 9
    DLA_HWC4 = 10
    HWC16 = 11
    DHWC = 12


class SampleMode(IntEnum):
    """What a slice layer takes for elements outside its input."""

    STRICT_BOUNDS = 0
    DEFAULT = 0
    WRAP = 1
    CLAMP = 2
    FILL = 3
    REFLECT = 4


class InterpolationMode(IntEnum):
    """How a resize layer finds values between elements."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 2


class ResizeCoordinateTransformation(IntEnum):
    """Where in its input a resize layer looks for an element of its output."""

    ALIGN_CORNERS = 0
    ASYMMETRIC = 1
    HALF_PIXEL = 2


class ResizeSelector(IntEnum):
    """Where a resize layer looks for an output of a single element."""

    FORMULA = 0
    UPPER = 1


class ResizeRoundMode(IntEnum):
    """Which neighbour is the nearest."""

    HALF_UP = 0
    HALF_DOWN = 1
    FLOOR = 2
    CEIL = 3


SliceMode, ResizeMode = SampleMode, InterpolationMode  # their names before TensorRT 8.5
