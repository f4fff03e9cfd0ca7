"""TensorRT's Caffe parser: from a deploy prototxt and a caffemodel to layers, one small function a layer type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.caffe import NetParameter, blob_to_array, read_binaryproto, read_caffemodel, read_prototxt
from trtflow.formats.caffe.caffe_pb2 import TEST
from trtflow.reference.errors import NetworkError
from trtflow.reference.record import rpn_plugins, ssd_plugins
from trtflow.reference.record.enums import (
    ActivationType,
    DataType,
    ElementWiseOperation,
    PaddingMode,
    PluginFieldType,
    PoolingType,
    ScaleMode,
)
from trtflow.reference.record.layers import ILayer
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.plugins import IPluginV2, PluginField, PluginFieldCollection, get_plugin_registry
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Dims, Weights

Parse = Callable[["_Net", Any, list[ITensor]], "ILayer | ITensor | None"]
_LAYERS: dict[str, Parse] = {}


class IBlobNameToTensor:
    """Tensors by the names of Caffe's blobs."""

    def __init__(self) -> None:
        self._tensors: dict[str, ITensor] = {}

    def find(self, name: str) -> ITensor | None:
        """Return the tensor of a blob, or None."""
        return self._tensors.get(name)


class PluginFactory(Protocol):
    """What `CaffeParser.plugin_factory_v2` takes: `FCPluginFactory` is one."""

    def is_plugin_v2(self, layer_name: str) -> bool:
        """Whether the factory makes the layer of that name, whatever its type."""
        ...

    def create_plugin(self, layer_name: str, weights: list[Weights]) -> IPluginV2:
        """Return the plugin of a layer, given the blobs that the caffemodel has for it, in order."""
        ...


class CaffeParser:
    """Reads Caffe models into a network.

    Attributes:
        plugin_factory_v2: makes plugins of layers by their names; None for none.
        plugin_namespace: namespace of the plugins that it makes.
    """

    plugin_factory_v2: PluginFactory | None = None
    plugin_namespace = ""

    def parse(
        self, deploy: str, model: str, network: INetworkDefinition, dtype: DataType = DataType.FLOAT
    ) -> IBlobNameToTensor:
        """Add the layers of a deploy prototxt, with the weights of a caffemodel.

        A tensor has the name of its blob; where a layer works in place, that is the last one.

        Args:
            deploy: path of the prototxt in TensorRT's form (see `convert_ssd_prototxt` for SSD).
            model: path of the caffemodel.
            network: the network to add to.
            dtype: FLOAT, or HALF for weights in half precision.

        Raises:
            FormatError: a file is damaged, or a layer's weights are missing.
            NetworkError: a layer that TensorRT's parser does not know, or that does not fit its inputs.
        """
        net = _Net(deploy, read_prototxt(deploy), model, _weights(model), network, dtype)
        net.factory, net.namespace = self.plugin_factory_v2, self.plugin_namespace
        return net.parse()

    def parse_binary_proto(self, filename: str) -> np.ndarray:
        """Return a mean picture, float32 [N, C, H, W]."""
        return read_binaryproto(filename)


def _weights(path: str) -> dict[str, list[Any]]:
    return {layer.name: list(layer.blobs) for layer in read_caffemodel(path).layer}


class _Net:
    """One parse: the files, the network, and the tensors so far."""

    def __init__(
        self,
        deploy: str,
        definition: NetParameter,
        model: str,
        blobs: dict[str, list[Any]],
        network: INetworkDefinition,
        dtype: DataType,
    ) -> None:
        self.deploy, self.definition, self.model, self.blobs = deploy, definition, model, blobs
        self.network, self.dtype = network, dtype
        self.skip = int(network.has_implicit_batch_dimension)  # axes of Caffe's that the network leaves out
        self.tensors = IBlobNameToTensor()
        self.factory: PluginFactory | None = None
        self.namespace = ""

    def parse(self) -> IBlobNameToTensor:
        tensors = self.tensors._tensors
        self.check_form()
        for name, dims in _declared_inputs(self.definition):
            tensors[name] = self.add_input(name, dims)
        for layer in self.definition.layer:
            if _left_out(layer):
                continue
            self.add_layer(layer, tensors)
        for name, tensor in tensors.items():
            tensor.name = name
        return self.tensors

    def check_form(self) -> None:
        """Refuse the SSD authors' own prototxt, which fails far from its cause otherwise."""
        for layer in self.definition.layer:
            if layer.type == "DetectionOutput" and len(layer.top) == 1:
                remedy = "Run scripts/convert_ssd_prototxt.py, which adds keep_count and replaces Flatten."
                raise NetworkError(layer.name, f"{self.deploy} is not in TensorRT's form: it has one top", remedy)

    def add_input(self, name: str, dims: list[int]) -> ITensor:
        if len(dims) != 4:
            raise NetworkError(name, f"an input of shape {dims} in {self.deploy}", "TensorRT takes N, C, H, W.")
        return self.network.add_input(name, DataType.FLOAT, Dims(dims[self.skip :]))

    def add_layer(self, layer: Any, tensors: dict[str, ITensor]) -> None:
        parse = _from_factory if self.factory and self.factory.is_plugin_v2(layer.name) else _LAYERS.get(layer.type)
        if parse is None:
            known = ", ".join(sorted(_LAYERS))
            raise NetworkError(layer.name, f"unknown type {layer.type!r} in {self.deploy}", f"Known: {known}.")
        missing = [name for name in layer.bottom if name not in tensors]
        if missing:
            raise NetworkError(layer.name, f"no layer before it in {self.deploy} makes its input {missing[0]!r}")
        added = parse(self, layer, [tensors[name] for name in layer.bottom])
        outputs = [added] if isinstance(added, ITensor) else added.outputs if added else []
        if len(outputs) != len(layer.top) and added is not None:
            raise NetworkError(
                layer.name,
                f"{len(layer.top)} tops in {self.deploy}, but {layer.type} has {len(outputs)} outputs",
            )
        if isinstance(added, ILayer):
            added.name = layer.name
        tensors.update(zip(layer.top, outputs, strict=False))

    def weights(self, layer: Any, index: int, count: int | None = None) -> np.ndarray:
        """Return a blob of a layer as a flat array in the parser's type."""
        blobs = self.blobs.get(layer.name, [])
        if index >= len(blobs):
            fault = f"layer {layer.name!r} has {len(blobs)} blobs of weights, needs {index + 1}"
            raise FormatError(self.model, fault, f"Take the caffemodel that belongs to {Path(self.deploy).name}.")
        values = blob_to_array(blobs[index]).ravel()
        if count is not None and values.size != count:
            fault = f"layer {layer.name!r} has {values.size} weights in blob {index}, needs {count}"
            raise FormatError(self.model, fault, f"Take the caffemodel that belongs to {Path(self.deploy).name}.")
        return values.astype(np.float16) if self.dtype == DataType.HALF else values

    def plugin(self, layer: Any, name: str, inputs: list[ITensor], fields: dict[str, Any]) -> ILayer:
        """Add a plugin layer from the registry."""
        rpn_plugins.register()
        ssd_plugins.register()
        creator = get_plugin_registry().get_plugin_creator(name, "1", "")
        assert creator is not None
        collection = PluginFieldCollection(
            PluginField(key, np.asarray(value), _field_type(value)) for key, value in fields.items()
        )
        return self.network.add_plugin_v2(inputs, creator.create_plugin(layer.name, collection))


def _from_factory(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    """Add what the plugin factory makes of a layer (guide §10.2)."""
    assert net.factory is not None
    weights = [Weights(net.weights(layer, index)) for index in range(len(net.blobs.get(layer.name, [])))]
    plugin = net.factory.create_plugin(layer.name, weights)
    if plugin is None:
        raise NetworkError(layer.name, "the plugin factory made no plugin of it", "Correct its create_plugin.")
    plugin.plugin_namespace = net.namespace
    return net.network.add_plugin_v2(inputs, plugin)


def _field_type(value: Any) -> PluginFieldType:
    return PluginFieldType.INT32 if np.asarray(value).dtype.kind in "iub" else PluginFieldType.FLOAT32


def _declared_inputs(net: NetParameter) -> list[tuple[str, list[int]]]:
    """Return inputs that stand at the head of a prototxt, in either of Caffe's old forms."""
    if len(net.input_shape):
        shapes = [list(shape.dim) for shape in net.input_shape]
    else:
        shapes = [list(net.input_dim[index : index + 4]) for index in range(0, len(net.input_dim), 4)]
    return list(zip(net.input, shapes, strict=False))


def _left_out(layer: Any) -> bool:
    """Whether a layer is for another phase than the parser's, which takes deploy networks."""
    return any(rule.HasField("phase") and rule.phase == TEST for rule in layer.include)


def _parses(*types: str) -> Callable[[Parse], Parse]:
    def register(function: Parse) -> Parse:
        _LAYERS.update(dict.fromkeys(types, function))
        return function

    return register


def _pair(repeated: Any, height: int, width: int, default: int) -> tuple[int, int]:
    """Read Caffe's spatial parameters: one value, two values, or height and width apart."""
    if height or width:
        return height, width
    values = list(repeated) if hasattr(repeated, "__len__") else [repeated] if repeated else []
    if not values:
        return default, default
    return (values[0], values[-1])


@_parses("Input")
def _input(net: _Net, layer: Any, inputs: list[ITensor]) -> ITensor:
    return net.add_input(layer.top[0], list(layer.input_param.shape[0].dim))


@_parses("Convolution")
def _convolution(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.convolution_param
    window = _pair(parameter.kernel_size, parameter.kernel_h, parameter.kernel_w, 0)
    maps, channels = parameter.num_output, inputs[0].shape[-3] // parameter.group
    kernel = net.weights(layer, 0, maps * channels * window[0] * window[1])
    bias = net.weights(layer, 1, maps) if parameter.bias_term else None
    added = net.network.add_convolution(inputs[0], maps, window, Weights(kernel), Weights.of(bias))
    added.stride = _pair(parameter.stride, parameter.stride_h, parameter.stride_w, 1)
    added.padding = _pair(parameter.pad, parameter.pad_h, parameter.pad_w, 0)
    added.dilation = _pair(parameter.dilation, 0, 0, 1)
    added.num_groups = parameter.group
    return added


@_parses("Pooling")
def _pooling(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.pooling_param
    kinds = {0: PoolingType.MAX, 1: PoolingType.AVERAGE}
    if parameter.pool not in kinds:
        raise NetworkError(layer.name, "stochastic pooling", "TensorRT has MAX and AVE.")
    window = _pair(parameter.kernel_size, parameter.kernel_h, parameter.kernel_w, 0)
    if parameter.global_pooling:
        window = (inputs[0].shape[-2], inputs[0].shape[-1])
    added = net.network.add_pooling(inputs[0], kinds[parameter.pool], window)
    added.stride = _pair(parameter.stride, parameter.stride_h, parameter.stride_w, 1)
    added.padding = _pair(parameter.pad, parameter.pad_h, parameter.pad_w, 0)
    added.padding_mode = PaddingMode.CAFFE_ROUND_UP
    added.average_count_excludes_padding = False
    return added


@_parses("InnerProduct")
def _inner_product(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.inner_product_param
    outputs = parameter.num_output
    kernel = net.weights(layer, 0, outputs * int(np.prod(inputs[0].shape[-3:])))
    bias = net.weights(layer, 1, outputs) if parameter.bias_term else None
    return net.network.add_fully_connected(inputs[0], outputs, Weights(kernel), Weights.of(bias))


@_parses("ReLU")
def _relu(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    slope = layer.relu_param.negative_slope
    added = net.network.add_activation(inputs[0], ActivationType.LEAKY_RELU if slope else ActivationType.RELU)
    added.alpha = slope
    return added


@_parses("Sigmoid")
def _sigmoid(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    return net.network.add_activation(inputs[0], ActivationType.SIGMOID)


@_parses("TanH")
def _tanh(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    return net.network.add_activation(inputs[0], ActivationType.TANH)


@_parses("Softmax", "SoftmaxWithLoss")
def _softmax(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    added = net.network.add_softmax(inputs[0])
    if layer.HasField("softmax_param") and layer.softmax_param.HasField("axis"):
        added.axes = 1 << (layer.softmax_param.axis - net.skip)
    return added


@_parses("LRN")
def _lrn(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.lrn_param
    return net.network.add_lrn(inputs[0], parameter.local_size, parameter.alpha, parameter.beta, parameter.k)


@_parses("Power")
def _power(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.power_param
    power = None if parameter.power == 1 else [parameter.power]
    return net.network.add_scale(inputs[0], ScaleMode.UNIFORM, [parameter.shift], [parameter.scale], power)


@_parses("BatchNorm")
def _batch_norm(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    mean, variance, total = (net.weights(layer, index).astype(np.float64) for index in range(3))
    factor = 1 / total[0] if total[0] else 0.0
    scale = 1 / np.sqrt(variance * factor + layer.batch_norm_param.eps)
    shift = -mean * factor * scale
    return net.network.add_scale(inputs[0], ScaleMode.CHANNEL, np.float32(shift), np.float32(scale))


@_parses("Scale")
def _scale(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    channels = inputs[0].shape[-3]
    shift = net.weights(layer, 1, channels) if layer.scale_param.bias_term else None
    return net.network.add_scale(inputs[0], ScaleMode.CHANNEL, shift, net.weights(layer, 0, channels))


@_parses("Eltwise")
def _eltwise(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    operations = (ElementWiseOperation.PROD, ElementWiseOperation.SUM, ElementWiseOperation.MAX)
    if any(factor != 1 for factor in layer.eltwise_param.coeff):
        raise NetworkError(layer.name, "an Eltwise layer with coefficients", "TensorRT's parser takes none.")
    return net.network.add_elementwise(inputs[0], inputs[1], operations[layer.eltwise_param.operation])


@_parses("Concat")
def _concat(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    added = net.network.add_concatenation(inputs)
    added.axis = layer.concat_param.axis - net.skip
    if added.axis < 0:
        raise NetworkError(layer.name, "a Concat along the batch", "TensorRT joins along other axes only.")
    return added


@_parses("Reshape")
def _reshape(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.reshape_param
    dims = list(parameter.shape.dim)
    if parameter.axis == 0:
        if net.skip and dims[0] != 0:
            raise NetworkError(layer.name, f"a Reshape that changes the batch to {dims[0]}", "Write 0 there.")
        dims, first = dims[net.skip :], 0
    else:
        first = max(0, parameter.axis - net.skip)
    shape = inputs[0].shape
    sizes = [shape[first + offset] if size == 0 else size for offset, size in enumerate(dims)]
    end = first + parameter.num_axes if parameter.num_axes >= 0 else len(shape)
    added = net.network.add_shuffle(inputs[0])
    added.reshape_dims = (*shape[:first], *sizes, *shape[end:])
    return added


@_parses("Permute")
def _permute(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    order = list(layer.permute_param.order)
    order += [axis for axis in range(len(inputs[0].shape) + net.skip) if axis not in order]
    if net.skip and order[0] != 0:
        raise NetworkError(layer.name, "a Permute that moves the batch", "TensorRT keeps the batch first.")
    added = net.network.add_shuffle(inputs[0])
    added.first_transpose = tuple(axis - net.skip for axis in order[net.skip :])
    return added


@_parses("Dropout", "Flatten")
def _identity(net: _Net, layer: Any, inputs: list[ITensor]) -> ITensor:
    """Dropout does nothing at inference; TensorRT's parser passes over Flatten, as fully connected layers need none."""
    return inputs[0]


@_parses("Normalize")
def _normalize(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.norm_param
    weights = net.weights(layer, 0, 1 if parameter.channel_shared else inputs[0].shape[-3])
    fields = {
        "weights": weights,
        "acrossSpatial": parameter.across_spatial,
        "channelShared": parameter.channel_shared,
        "nbWeights": 1,
        "eps": parameter.eps,
    }
    return net.plugin(layer, "Normalize_TRT", inputs, fields)


@_parses("PriorBox")
def _prior_box(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.prior_box_param
    image = _pair(parameter.img_size, parameter.img_h, parameter.img_w, 0)
    step = (parameter.step_h or parameter.step, parameter.step_w or parameter.step)
    variance = list(parameter.variance) or [0.1]
    fields = {
        "minSize": np.array(parameter.min_size, np.float32),
        "maxSize": np.array(parameter.max_size, np.float32),
        "aspectRatios": np.array(parameter.aspect_ratio, np.float32),
        "flip": parameter.flip,
        "clip": parameter.clip,
        "variance": np.array(variance * 4 if len(variance) == 1 else variance, np.float32),
        "imgH": image[0],
        "imgW": image[1],
        "stepH": np.float32(step[0]),
        "stepW": np.float32(step[1]),
        "offset": np.float32(parameter.offset),
    }
    return net.plugin(layer, "PriorBox_TRT", inputs, fields)


@_parses("DetectionOutput")
def _detection_output(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    parameter = layer.detection_output_param
    fields = {
        "shareLocation": parameter.share_location,
        "varianceEncodedInTarget": parameter.variance_encoded_in_target,
        "backgroundLabelId": parameter.background_label_id,
        "numClasses": parameter.num_classes,
        "topK": parameter.nms_param.top_k,
        "keepTopK": parameter.keep_top_k,
        "confidenceThreshold": np.float32(parameter.confidence_threshold),
        "nmsThreshold": np.float32(parameter.nms_param.nms_threshold),
        "inputOrder": np.arange(3),
        "codeType": parameter.code_type - 1,  # Caffe counts from 1, NMS_TRT from 0
    }
    return net.plugin(layer, "NMS_TRT", inputs, fields)


@_parses("RPROI")
def _rproi(net: _Net, layer: Any, inputs: list[ITensor]) -> ILayer:
    region, pooling = layer.region_proposal_param, layer.roi_pooling_param
    fields = {
        "poolingH": pooling.pooled_h,
        "poolingW": pooling.pooled_w,
        "featureStride": region.feature_stride,
        "preNmsTop": region.prenms_top,
        "nmsMaxOut": region.nms_max_out,
        "anchorsRatioCount": region.anchor_ratio_count,
        "anchorsScaleCount": region.anchor_scale_count,
        "iouThreshold": np.float32(region.iou_threshold),
        "minBoxSize": np.float32(region.min_box_size),
        "spatialScale": np.float32(pooling.spatial_scale),
        "anchorsRatios": np.array(region.anchor_ratio, np.float32),
        "anchorsScales": np.array(region.anchor_scale, np.float32),
    }
    return net.plugin(layer, "RPROI_TRT", inputs, fields)
