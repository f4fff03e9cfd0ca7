"""The TensorRT 8.6 Python API on ONNX Runtime: `import trtflow.reference as trt` reads like `import tensorrt as trt`.

Data passes in one direction through three parts: `record` (networks as TensorRT sees them), `lower` (to ONNX) and
`run` (on ONNX Runtime). What is not implemented raises an error that names the layer and what there is instead.
"""

import builtins

from trtflow.reference.builder import Builder
from trtflow.reference.errors import BuildError, NetworkError, PlanError
from trtflow.reference.record import library
from trtflow.reference.record.caffe_parser import CaffeParser
from trtflow.reference.record.calibrators import (
    IInt8Calibrator,
    IInt8EntropyCalibrator,
    IInt8EntropyCalibrator2,
    IInt8LegacyCalibrator,
    IInt8MinMaxCalibrator,
)
from trtflow.reference.record.config import IBuilderConfig, ITimingCache
from trtflow.reference.record.enums import (
    ActivationType,
    BuilderFlag,
    CalibrationAlgoType,
    DataType,
    DeviceType,
    ElementWiseOperation,
    EngineCapability,
    GatherMode,
    HardwareCompatibilityLevel,
    InterpolationMode,
    LayerInformationFormat,
    LayerType,
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
    SliceMode,
    TacticSource,
    TensorFormat,
    TensorIOMode,
    TensorLocation,
    TopKOperation,
    UffInputOrder,
    UnaryOperation,
    WeightsRole,
)
from trtflow.reference.record.layers import (
    IActivationLayer,
    ICastLayer,
    IConcatenationLayer,
    IConstantLayer,
    IConvolutionLayer,
    IDeconvolutionLayer,
    IDequantizeLayer,
    IElementWiseLayer,
    IFullyConnectedLayer,
    IGatherLayer,
    IIdentityLayer,
    ILayer,
    ILRNLayer,
    IMatrixMultiplyLayer,
    INormalizationLayer,
    IOneHotLayer,
    IPaddingLayer,
    IParametricReLULayer,
    IPluginV2Layer,
    IPoolingLayer,
    IQuantizeLayer,
    IRaggedSoftMaxLayer,
    IReduceLayer,
    IResizeLayer,
    IRNNv2Layer,
    IScaleLayer,
    ISelectLayer,
    IShapeLayer,
    IShuffleLayer,
    ISliceLayer,
    ISoftMaxLayer,
    ITopKLayer,
    IUnaryLayer,
)
from trtflow.reference.record.mnist_plugins import FCPluginFactory
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx import ErrorCode, OnnxParser, ParserError
from trtflow.reference.record.plugins import (
    IPluginCreator,
    IPluginV2,
    PluginField,
    PluginFieldCollection,
    get_plugin_registry,
)
from trtflow.reference.record.profile import IOptimizationProfile
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.uff_parser import UffParser
from trtflow.reference.record.values import Dims, ILogger, Logger, Weights, nptype, volume
from trtflow.reference.run.context import IExecutionContext, IOutputAllocator
from trtflow.reference.run.engine import ICudaEngine, Runtime
from trtflow.reference.run.inspector import EngineInspector
from trtflow.reference.run.profiler import IProfiler, Profiler
from trtflow.reference.run.refitter import Refitter
from trtflow.reference.version import __version__

float32, float16, int8, int32, bool, uint8 = (
    DataType.FLOAT,
    DataType.HALF,
    DataType.INT8,
    DataType.INT32,
    DataType.BOOL,
    DataType.UINT8,
)


def init_libnvinfer_plugins(logger: ILogger, namespace: str) -> builtins.bool:
    """Register the plugins that come with TensorRT, as far as the reference runtime has them."""
    library.register()
    return True
