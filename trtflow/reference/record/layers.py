"""The table of layer classes: TensorRT's names and shapes, no arithmetic."""

from __future__ import annotations

from trtflow.reference.record.element_layers import (
    IActivationLayer,
    ICastLayer,
    IDequantizeLayer,
    IElementWiseLayer,
    IIdentityLayer,
    ILRNLayer,
    INormalizationLayer,
    IParametricReLULayer,
    IQuantizeLayer,
    IScaleLayer,
    ISelectLayer,
    ISoftMaxLayer,
    IUnaryLayer,
)
from trtflow.reference.record.layer import ILayer
from trtflow.reference.record.recurrent_layers import IRaggedSoftMaxLayer, IRNNv2Layer
from trtflow.reference.record.tensor_layers import (
    IConcatenationLayer,
    IConstantLayer,
    IFullyConnectedLayer,
    IGatherLayer,
    IMatrixMultiplyLayer,
    IOneHotLayer,
    IPluginV2Layer,
    IReduceLayer,
    IShapeLayer,
    IShuffleLayer,
    ISliceLayer,
    ITopKLayer,
)
from trtflow.reference.record.window_layers import (
    IConvolutionLayer,
    IDeconvolutionLayer,
    IPaddingLayer,
    IPoolingLayer,
    IResizeLayer,
)

__all__ = [
    "IActivationLayer",
    "ICastLayer",
    "IConcatenationLayer",
    "IConstantLayer",
    "IConvolutionLayer",
    "IDeconvolutionLayer",
    "IDequantizeLayer",
    "IElementWiseLayer",
    "IFullyConnectedLayer",
    "IGatherLayer",
    "IIdentityLayer",
    "ILRNLayer",
    "ILayer",
    "IMatrixMultiplyLayer",
    "INormalizationLayer",
    "IOneHotLayer",
    "IPaddingLayer",
    "IParametricReLULayer",
    "IPluginV2Layer",
    "IPoolingLayer",
    "IQuantizeLayer",
    "IRNNv2Layer",
    "IRaggedSoftMaxLayer",
    "IReduceLayer",
    "IResizeLayer",
    "IScaleLayer",
    "ISelectLayer",
    "IShapeLayer",
    "IShuffleLayer",
    "ISliceLayer",
    "ISoftMaxLayer",
    "ITopKLayer",
    "IUnaryLayer",
]
