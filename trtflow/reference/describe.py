"""What an engine can tell of its layers, in the words of TensorRT's engine inspector."""

from __future__ import annotations

from typing import Any

import numpy as np

from trtflow.reference.lower.int8_tensors import fused_activation
from trtflow.reference.lower.precision import Precisions
from trtflow.reference.record.algorithms import choose_algorithms, offer
from trtflow.reference.record.config import IBuilderConfig
from trtflow.reference.record.enumeration import Enumeration
from trtflow.reference.record.enums import BuilderFlag, DataType, LayerType, PaddingMode, ProfilingVerbosity
from trtflow.reference.record.layer import FLOATS, ILayer
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights, volume

# as TensorRT's inspector writes them, in more than one form; tools such as its engine explorer look these texts up
FORMATS = {
    DataType.FLOAT: "Row major linear FP32",
    DataType.HALF: "Row major linear FP16 format",
    DataType.INT8: "Row major Int8 format",
    DataType.INT32: "Row major linear Int32",
    DataType.BOOL: "Row major linear BOOL",
    DataType.UINT8: "Row major UInt8 format",
}
TYPES = {DataType.FLOAT: "Float", DataType.HALF: "Half", DataType.INT8: "Int8", DataType.INT32: "Int32"}
WINDOWS = {"PaddingMode": "padding_mode", "PrePadding": "pre_padding", "PostPadding": "post_padding"}
CONVOLUTION = {"Kernel": "window", **WINDOWS, "Stride": "stride", "Dilation": "dilation"}
CONVOLUTION |= {"OutMaps": "num_output_maps", "Groups": "num_groups", "Weights": "kernel", "Bias": "bias"}
# what a layer's parameters are called, and the attributes that hold them
PARAMETERS: dict[LayerType, dict[str, str]] = {
    LayerType.CONVOLUTION: CONVOLUTION,
    LayerType.DECONVOLUTION: CONVOLUTION,
    LayerType.FULLY_CONNECTED: {"OutChannels": "num_output_channels", "Weights": "kernel", "Bias": "bias"},
    LayerType.POOLING: {
        "PoolingType": "pooling_type",
        "WindowSize": "window",
        **WINDOWS,
        "Stride": "stride",
        "BlendFactor": "blend_factor",
        "AverageCountExcludesPadding": "average_count_excludes_padding",
    },
    LayerType.ACTIVATION: {"ActivationType": "activation_type", "Alpha": "alpha", "Beta": "beta"},
    LayerType.SHUFFLE: {
        "FirstTranspose": "_first_transpose",
        "Reshape": "_reshape_dims",
        "SecondTranspose": "_second_transpose",
        "ZeroIsPlaceholder": "zero_is_placeholder",
    },
    LayerType.SLICE: {"Start": "start", "Size": "shape", "Stride": "stride", "Mode": "mode"},
    LayerType.SOFTMAX: {"Axes": "axes"},
    LayerType.LRN: {"WindowSize": "window_size", "Alpha": "alpha", "Beta": "beta", "K": "k"},
    LayerType.SCALE: {"Mode": "mode", "Shift": "shift", "Scale": "scale", "Power": "power"},
    LayerType.CONCATENATION: {"Axis": "axis"},
    LayerType.ELEMENTWISE: {"Operation": "op"},
    LayerType.UNARY: {"Operation": "op"},
    LayerType.REDUCE: {"Operation": "op", "Axes": "axes", "KeepDims": "keep_dims"},
    LayerType.TOPK: {"Operation": "op", "K": "k", "Axes": "axes"},
    LayerType.GATHER: {"Axis": "axis", "Mode": "mode", "NbElementWiseDims": "num_elementwise_dims"},
    LayerType.MATRIX_MULTIPLY: {"OpA": "op0", "OpB": "op1"},
    LayerType.CONSTANT: {"Dimensions": "shape", "Weights": "weights"},
    LayerType.RESIZE: {"ResizeMode": "resize_mode", "Scales": "scales"},
    LayerType.FILL: {"Dimensions": "shape", "Operation": "operation", "Alpha": "alpha", "Beta": "beta"},
    LayerType.SCATTER: {"Axis": "axis", "Mode": "mode"},
    LayerType.EINSUM: {"Equation": "equation"},
    LayerType.ONE_HOT: {"Axis": "axis"},
    LayerType.NORMALIZATION: {"Axes": "axes", "Epsilon": "epsilon", "NbGroups": "num_groups"},
    LayerType.CAST: {"ToType": "to_type"},
    LayerType.PADDING: {"PrePadding": "pre_padding", "PostPadding": "post_padding"},
}


def describe(
    network: INetworkDefinition, precisions: Precisions, verbosity: ProfilingVerbosity
) -> list[dict[str, Any]]:
    """Return each layer, in network order.

    Returns:
        for each: `name`, `type`, `precision` and `group`, the name that it is timed under, which a fused ReLU,
        "conv + relu", shares with the layer before it; and `told`, what the inspector prints where the verbosity is
        DETAILED, in pairs.
    """
    groups = {layer: layer.name for layer in network}
    for layer in network:
        if fused_activation(network, layer):
            producer = layer.inputs[0].producer
            assert producer is not None
            groups[layer] = groups[producer] = f"{producer.name} + {layer.name}"
    detailed = verbosity == ProfilingVerbosity.DETAILED
    return [
        {"name": layer.name, "group": groups[layer], "type": layer.title, "precision": precisions.layers[layer].name}
        | ({"told": list(_told(layer, groups[layer], precisions).items())} if detailed else {})
        for layer in network
    ]


def _told(layer: ILayer, group: str, precisions: Precisions) -> dict[str, Any]:
    dtype = precisions.layers[layer]
    parameters = {
        name: _value(getattr(layer, attribute)) for name, attribute in PARAMETERS.get(layer.layer_type, {}).items()
    }
    return {
        "Name": layer.name,
        "LayerType": layer.title.replace(" ", ""),
        "Inputs": [_tensor(tensor, dtype, precisions) for tensor in layer.inputs],
        "Outputs": [_tensor(tensor, dtype, precisions) for tensor in layer.outputs],
        "ParameterType": layer.title.replace(" ", ""),
        **parameters,
        "Precision": dtype.name,
        "Group": group,
        "TacticValue": "0x0000000000000000",
        "StreamId": 0,
        "Metadata": layer.metadata,
    }


def _tensor(tensor: ITensor, precision: DataType, precisions: Precisions) -> dict[str, Any]:
    dtype = tensor.native_dtype
    if tensor.is_network_input or tensor.is_network_output:
        dtype = tensor.dtype  # what is bound stays as it was declared
    elif tensor.name in precisions.scales:
        dtype = DataType.INT8
    elif dtype in FLOATS and precision in FLOATS:
        dtype = precision
    return {
        "Name": tensor.name,
        "Location": "Device",
        "Dimensions": list(tensor.shape),
        "Format/Datatype": FORMATS.get(dtype, "Unknown format"),
    }


def _value(value: Any) -> Any:
    """Return a parameter as the inspector prints it."""
    if isinstance(value, np.ndarray):
        value = Weights(value)
        return {"Type": TYPES.get(value.dtype, value.dtype.name.capitalize()), "Count": value.size}
    if isinstance(value, PaddingMode):
        return f"k{value.name}"
    if isinstance(value, Enumeration):
        return value.name
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, (int, float, str)):
        return value
    return list(value)


def choose_tactics(network: INetworkDefinition, precisions: Precisions, config: IBuilderConfig) -> None:
    """Ask the algorithm selector about each layer, and note in the timing cache which there are.

    Raises:
        BuildError: the selector chose what was not offered, or nothing where that is forbidden.
    """
    known = config.get_timing_cache()
    offers = []
    for layer in network:
        dtype = precisions.layers[layer]
        inputs = [(tuple(tensor.shape), _computed(tensor, dtype)) for tensor in layer.inputs]
        outputs = [(tuple(tensor.shape), _computed(tensor, dtype)) for tensor in layer.outputs]
        offers.append(offer(layer.name, layer.title, inputs, outputs))
        if known is not None and not config.get_flag(BuilderFlag.DISABLE_TIMING_CACHE):
            known.note(f"{layer.title} {inputs} {outputs} {dtype}")
    if config.algorithm_selector is not None:
        choose_algorithms(config.algorithm_selector, offers, config.get_flag(BuilderFlag.REJECT_EMPTY_ALGORITHMS))


def _computed(tensor: ITensor, precision: DataType) -> DataType:
    """Return the type that a layer reads or makes a tensor in."""
    return precision if tensor.native_dtype in FLOATS and precision in FLOATS else tensor.native_dtype


def inner_bytes(network: INetworkDefinition, precisions: Precisions) -> int:
    """Return the bytes of the tensors between layers, as far as their sizes are fixed."""
    total = 0
    for layer in network:
        for tensor in layer.outputs:
            if -1 not in tensor.shape and not tensor.is_network_output and layer.layer_type != LayerType.CONSTANT:
                half = tensor.native_dtype in FLOATS and precisions.layers[layer] == DataType.HALF
                total += volume(tensor.shape) * (2 if half else tensor.native_dtype.itemsize)
    return total
