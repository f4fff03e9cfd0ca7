"""The TensorRT 8.6 Python API on ONNX Runtime: `import trtflow.reference as trt` reads like `import tensorrt as trt`.

Data passes in one direction through three parts: `record` (networks as TensorRT sees them), `lower` (to ONNX) and
`run` (on ONNX Runtime). What is not implemented raises an error that names the layer and what there is instead.
"""

import builtins
import sys

from trtflow.reference.builder import Builder
from trtflow.reference.errors import BuildError, DeviceError, NetworkError, PlanError
from trtflow.reference.legacy_names import (
    CURDIR,
    FallbackString,
    FieldCollection,
    FieldMap,
    attr,
    find_lib,
    get_builder_plugin_registry,
    get_nv_onnx_parser_version,
    lib,
    shutdown_protobuf_library,
    try_load,
    value,
)
from trtflow.reference.record import library
from trtflow.reference.record.algorithms import (
    IAlgorithm,
    IAlgorithmContext,
    IAlgorithmIOInfo,
    IAlgorithmSelector,
    IAlgorithmVariant,
)
from trtflow.reference.record.allocators import IGpuAllocator, IOutputAllocator
from trtflow.reference.record.answers import IErrorRecorder, raising
from trtflow.reference.record.caffe_parser import CaffeParser, IBlobNameToTensor, ICaffePluginFactoryV2
from trtflow.reference.record.calibrators import (
    IInt8Calibrator,
    IInt8EntropyCalibrator,
    IInt8EntropyCalibrator2,
    IInt8LegacyCalibrator,
    IInt8MinMaxCalibrator,
)
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.dims import Dims, Dims2, Dims3, Dims4, DimsHW, Permutation
from trtflow.reference.record.enums import (
    ActivationType,
    AllocatorFlag,
    BoundingBoxFormat,
    BuilderFlag,
    CalibrationAlgoType,
    DataType,
    DeviceType,
    ElementWiseOperation,
    EngineCapability,
    ErrorCodeTRT,
    FieldType,
    FillOperation,
    GatherMode,
    HardwareCompatibilityLevel,
    InterpolationMode,
    LayerInformationFormat,
    LayerType,
    LoopOutput,
    MatrixOperation,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    PaddingMode,
    PluginFieldType,
    PoolingType,
    PreviewFeature,
    ProfilingVerbosity,
    QuantizationFlag,
    ReduceOperation,
    ResizeCoordinateTransformation,
    ResizeMode,
    ResizeRoundMode,
    ResizeSelector,
    RNNDirection,
    RNNGateType,
    RNNInputMode,
    RNNOperation,
    SampleMode,
    ScaleMode,
    ScatterMode,
    SliceMode,
    TacticSource,
    TempfileControlFlag,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
    TopKOperation,
    TripLimit,
    UffInputOrder,
    UnaryOperation,
    WeightsRole,
)
from trtflow.reference.record.layers import (
    IActivationLayer,
    IAssertionLayer,
    ICastLayer,
    IConcatenationLayer,
    IConditionLayer,
    IConstantLayer,
    IConvolutionLayer,
    IDeconvolutionLayer,
    IDequantizeLayer,
    IEinsumLayer,
    IElementWiseLayer,
    IFillLayer,
    IFullyConnectedLayer,
    IGatherLayer,
    IGridSampleLayer,
    IIdentityLayer,
    IIfConditional,
    IIfConditionalBoundaryLayer,
    IIfConditionalInputLayer,
    IIfConditionalOutputLayer,
    IIteratorLayer,
    ILayer,
    ILoop,
    ILoopBoundaryLayer,
    ILoopOutputLayer,
    ILRNLayer,
    IMatrixMultiplyLayer,
    INMSLayer,
    INonZeroLayer,
    INormalizationLayer,
    IOneHotLayer,
    IPaddingLayer,
    IParametricReLULayer,
    IPluginV2Layer,
    IPoolingLayer,
    IQuantizeLayer,
    IRaggedSoftMaxLayer,
    IRecurrenceLayer,
    IReduceLayer,
    IResizeLayer,
    IReverseSequenceLayer,
    IRNNv2Layer,
    IScaleLayer,
    IScatterLayer,
    ISelectLayer,
    IShapeLayer,
    IShuffleLayer,
    ISliceLayer,
    ISoftMaxLayer,
    ITopKLayer,
    ITripLimitLayer,
    IUnaryLayer,
)
from trtflow.reference.record.mnist_plugins import FCPluginFactory
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx import ErrorCode, NodeIndices, OnnxParser, ParserError, SubGraphCollection
from trtflow.reference.record.plugins import (
    IPluginCreator,
    IPluginRegistry,
    IPluginV2,
    IPluginV2Ext,
    PluginField,
    PluginFieldCollection,
    PluginFieldCollection_,
    get_plugin_registry,
)
from trtflow.reference.record.profile import IOptimizationProfile
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.timing_cache import ITimingCache
from trtflow.reference.record.uff_parser import UffParser
from trtflow.reference.record.values import (
    IHostMemory,
    ILogger,
    Logger,
    Weights,
    common_enter,
    common_exit,
    nptype,
    volume,
)
from trtflow.reference.run.context import IExecutionContext
from trtflow.reference.run.engine import ICudaEngine
from trtflow.reference.run.inspector import EngineInspector
from trtflow.reference.run.profiler import IProfiler, Profiler
from trtflow.reference.run.refitter import Refitter
from trtflow.reference.run.runtime import Runtime
from trtflow.reference.version import __version__

float32, float16, int8, int32, bool, uint8, fp8 = (
    DataType.FLOAT,
    DataType.HALF,
    DataType.INT8,
    DataType.INT32,
    DataType.BOOL,
    DataType.UINT8,
    DataType.FP8,
)

tensorrt = sys.modules[__name__]  # NVIDIA's package has all of it from its compiled module, which scripts reach into


def init_libnvinfer_plugins(logger: ILogger | None, namespace: str) -> builtins.bool:
    """Register the plugins that come with TensorRT, as far as the reference runtime has them."""
    library.register()
    return True
