"""TensorRT 8.6's enumerations, with the values of its C++ headers; those of builders and engines from next door."""

from __future__ import annotations

from trtflow.reference.record.engine_enums import (  # noqa: F401 - so that all are found here
    AllocatorFlag,
    BuilderFlag,
    CalibrationAlgoType,
    DeviceType,
    EngineCapability,
    ErrorCodeTRT,
    FieldType,
    HardwareCompatibilityLevel,
    LayerInformationFormat,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    PluginFieldType,
    PreviewFeature,
    ProfilingVerbosity,
    QuantizationFlag,
    TacticSource,
    TempfileControlFlag,
    TensorIOMode,
    TensorLocation,
    WeightsRole,
)
from trtflow.reference.record.enumeration import Enumeration, OrderedEnumeration


class DataType(Enumeration):
    """Type of a tensor's or a weight's elements."""

    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5
    FP8 = 6

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return {DataType.FLOAT: 4, DataType.HALF: 2, DataType.INT32: 4}.get(self, 1)


class LayerType(Enumeration):
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


class ActivationType(Enumeration):
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


class PoolingType(Enumeration):
    """Function of a pooling layer."""

    MAX = 0
    AVERAGE = 1
    MAX_AVERAGE_BLEND = 2


class ElementWiseOperation(Enumeration):
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


class ScaleMode(Enumeration):
    """How the weights of a scale layer are spread over its input."""

    UNIFORM = 0
    CHANNEL = 1
    ELEMENTWISE = 2


class PaddingMode(Enumeration):
    """How a window's padding is found and its output size rounded.

    The SAME modes choose the padding themselves; the CAFFE modes clip the last pooling window to the padded input.
    """

    EXPLICIT_ROUND_DOWN = 0
    EXPLICIT_ROUND_UP = 1
    SAME_UPPER = 2
    SAME_LOWER = 3
    CAFFE_ROUND_DOWN = 4
    CAFFE_ROUND_UP = 5


class MatrixOperation(Enumeration):
    """What is done to an operand of a matrix product."""

    NONE = 0
    TRANSPOSE = 1
    VECTOR = 2


class RNNOperation(Enumeration):
    """Cell of a recurrent layer."""

    RELU = 0
    TANH = 1
    LSTM = 2
    GRU = 3


class RNNDirection(Enumeration):
    """In which order a recurrent layer takes the steps."""

    UNIDIRECTION = 0
    BIDIRECTION = 1


class RNNInputMode(Enumeration):
    """What the first recurrent layer does with its input: a product with W, or nothing."""

    LINEAR = 0
    SKIP = 1


class RNNGateType(Enumeration):
    """Gate of a recurrent cell."""

    INPUT = 0
    OUTPUT = 1
    FORGET = 2
    UPDATE = 3
    RESET = 4
    CELL = 5
    HIDDEN = 6


class UnaryOperation(Enumeration):
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


class ReduceOperation(Enumeration):
    """Function of a reduction."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    AVG = 4


class TopKOperation(Enumeration):
    """Which end TopK takes."""

    MAX = 0
    MIN = 1


class GatherMode(Enumeration):
    """How a gather layer reads its indices."""

    DEFAULT = 0
    ELEMENT = 1
    ND = 2


class UffInputOrder(Enumeration):
    """Order of the dimensions of a UFF graph's input."""

    NCHW = 0
    NHWC = 1
    NC = 2


class TensorFormat(OrderedEnumeration):
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


class SampleMode(Enumeration):
    """What a slice layer takes for elements outside its input."""

    STRICT_BOUNDS = 0
    DEFAULT = 0
    WRAP = 1
    CLAMP = 2
    FILL = 3
    REFLECT = 4


class InterpolationMode(Enumeration):
    """How a resize layer finds values between elements."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 2


class ResizeCoordinateTransformation(Enumeration):
    """Where in its input a resize layer looks for an element of its output."""

    ALIGN_CORNERS = 0
    ASYMMETRIC = 1
    HALF_PIXEL = 2


class ResizeSelector(Enumeration):
    """Where a resize layer looks for an output of a single element."""

    FORMULA = 0
    UPPER = 1


class ResizeRoundMode(Enumeration):
    """Which neighbour is the nearest."""

    HALF_UP = 0
    HALF_DOWN = 1
    FLOOR = 2
    CEIL = 3


class BoundingBoxFormat(Enumeration):
    """How four numbers say where a box is: two corners, or centre and size."""

    CORNER_PAIRS = 0
    CENTER_SIZES = 1


class FillOperation(Enumeration):
    """What a fill layer makes."""

    LINSPACE = 0
    RANDOM_UNIFORM = 1
    RANDOM_NORMAL = 2


class LoopOutput(Enumeration):
    """What of its iterations a loop gives."""

    LAST_VALUE = 0
    CONCATENATE = 1
    REVERSE = 2


class TripLimit(Enumeration):
    """What ends a loop."""

    COUNT = 0
    WHILE = 1


class ScatterMode(Enumeration):
    """How a scatter layer reads its indices."""

    ELEMENT = 0
    ND = 1


SliceMode, ResizeMode = SampleMode, InterpolationMode  # their names before TensorRT 8.5
