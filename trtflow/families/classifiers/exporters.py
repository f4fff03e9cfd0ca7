"""From PyTorch to Caffe and ONNX: GoogLeNet and ResNet-50 with the names of the models that NVIDIA reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from trtflow.families.classifiers.layers import Layer
from trtflow.families.classifiers.network import LRN_ALPHA, LRN_BETA, LRN_SIZE, Classifier
from trtflow.families.common.caffe_export import fold_batch_norm
from trtflow.formats.caffe import LayerParameter, NetParameter, array_to_blob
from trtflow.formats.caffe.caffe_pb2 import PoolingParameter

ONNX_OPSET, ONNX_IR = 9, 4  # of resnet50 in ONNX's model zoo
PREFIX = "gpu_0/"  # Caffe2's, before every name there


def arrays_of(model: Classifier) -> dict[str, dict[str, np.ndarray]]:
    """Return the weights by layer and role, float32.

    A convolution has a kernel [K, C, R, S]; the normalisation behind it gamma, beta, mean and variance [K] and epsilon
    []; one that has no such layer behind it, as in GoogLeNet, has a bias [K] instead, the normalisation being folded
    into it. A dense layer has a kernel [K, C] and a bias.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    normalised = {layer.bottoms[0]: layer.name for layer in model.layers if layer.kind == "norm"}
    for name, convolution in model.convolutions.items():
        norm = model.norms[name]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        if name in normalised:
            found[name] = {"kernel": convolution.weight.detach().numpy()}
            found[normalised[name]] = _moments(norm)
        else:
            found[name] = dict(zip(("kernel", "bias"), fold_batch_norm(convolution, norm), strict=True))
    for name, dense in model.dense.items():
        assert isinstance(dense, nn.Linear)
        found[name] = {"kernel": dense.weight.detach().numpy(), "bias": dense.bias.detach().numpy()}
    return found


def _moments(norm: nn.BatchNorm2d) -> dict[str, np.ndarray]:
    tensors = {"gamma": norm.weight, "beta": norm.bias, "mean": norm.running_mean, "variance": norm.running_var}
    arrays = {role: tensor.detach().numpy() for role, tensor in tensors.items() if tensor is not None}
    return {**arrays, "epsilon": np.array(norm.eps, np.float32)}


def to_caffe(model: Classifier) -> NetParameter:
    """Return the authors' prototxt with the weights: bvlc_googlenet or ResNet-50-deploy."""
    size = model.settings["size"]
    net = NetParameter(name={"googlenet": "GoogleNet", "resnet50": "ResNet-50"}[model.settings["network"]])
    net.layer.add(name="data", type="Input", top=["data"]).input_param.shape.add(dim=[1, 3, size, size])
    arrays = arrays_of(model)
    for layer in model.layers:
        _CAFFE[layer.kind](net, layer, arrays.get(layer.name, {}))
    return net


def _add(net: NetParameter, layer: Layer, kind: str, *blobs: np.ndarray | None) -> LayerParameter:
    added = net.layer.add(name=layer.name, type=kind, bottom=layer.bottoms, top=[layer.top])
    added.blobs.extend(array_to_blob(blob) for blob in blobs if blob is not None)
    return added


def _caffe_convolution(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    parameter = _add(net, layer, "Convolution", arrays["kernel"], arrays.get("bias")).convolution_param
    parameter.num_output = layer.channels
    parameter.kernel_size.append(layer.kernel)
    if layer.pad:
        parameter.pad.append(layer.pad)
    if layer.stride > 1:
        parameter.stride.append(layer.stride)
    if "bias" not in arrays:
        parameter.bias_term = False


def _caffe_norm(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    """Add BatchNorm, which has the moments and by what to divide them, and Scale; both work in place."""
    moments = (arrays["mean"], arrays["variance"], np.ones(1, np.float32))
    parameter = _add(net, layer, "BatchNorm", *moments).batch_norm_param
    parameter.use_global_stats, parameter.eps = True, float(arrays["epsilon"])
    scale = replace(layer, name=layer.name.replace("bn", "scale", 1))
    _add(net, scale, "Scale", arrays["gamma"], arrays["beta"]).scale_param.bias_term = True


def _caffe_pooling(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    parameter = _add(net, layer, "Pooling").pooling_param
    parameter.pool = PoolingParameter.MAX if layer.kind == "max" else PoolingParameter.AVE
    parameter.kernel_size, parameter.stride = layer.kernel, layer.stride
    if layer.pad:
        parameter.pad = layer.pad


def _caffe_lrn(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    parameter = _add(net, layer, "LRN").lrn_param
    parameter.local_size, parameter.alpha, parameter.beta = LRN_SIZE, LRN_ALPHA, LRN_BETA


def _caffe_dropout(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    _add(net, layer, "Dropout").dropout_param.dropout_ratio = 0.4


def _caffe_dense(net: NetParameter, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
    added = _add(net, layer, "InnerProduct", arrays["kernel"], arrays["bias"])
    added.inner_product_param.num_output = layer.channels


_CAFFE: dict[str, Any] = {
    "convolution": _caffe_convolution,
    "norm": _caffe_norm,
    "max": _caffe_pooling,
    "average": _caffe_pooling,
    "lrn": _caffe_lrn,
    "dropout": _caffe_dropout,
    "dense": _caffe_dense,
    "relu": lambda net, layer, arrays: _add(net, layer, "ReLU"),
    "concat": lambda net, layer, arrays: _add(net, layer, "Concat"),
    "sum": lambda net, layer, arrays: _add(net, layer, "Eltwise"),
    "softmax": lambda net, layer, arrays: _add(net, layer, "Softmax"),
}


def to_onnx(model: Classifier) -> onnx.ModelProto:
    """Return ResNet-50 with Caffe2's names, as resnet50 of ONNX's model zoo has them: gpu_0/data_0 to gpu_0/softmax_1.

    There the batch is fixed at one; here it is open.
    """
    size = model.settings["size"]
    graph = _Caffe2Graph()
    arrays = arrays_of(model)
    for layer in model.layers:
        graph.add(layer, arrays.get(layer.name, {}))
    inputs = helper.make_tensor_value_info("gpu_0/data_0", TensorProto.FLOAT, ["N", 3, size, size])
    classes = model.settings["class_count"]
    outputs = helper.make_tensor_value_info("gpu_0/softmax_1", TensorProto.FLOAT, ["N", classes])
    made = helper.make_graph(graph.nodes, "resnet50", [inputs], [outputs], graph.initializers)
    opset = helper.make_opsetid("", ONNX_OPSET)
    return helper.make_model(made, opset_imports=[opset], ir_version=ONNX_IR, producer_name="trtflow")


def caffe2_name(layer: Layer) -> str:
    """Return a layer's name in Caffe2: res2a_branch2b becomes res2_0_branch2b, and what works in place there _bn."""
    in_place = layer.kind in ("norm", "relu", "sum")
    name = layer.bottoms[-1] if layer.kind in ("norm", "sum") else layer.name.removesuffix("_relu")
    if name.startswith("res"):
        block, _, branch = name.partition("_")
        name = f"{block[:4]}_{'abcdef'.index(block[4])}_{branch or 'branch2c'}"
    elif in_place:
        name = f"res_{name}"
    return f"{name}_bn" if in_place else {"fc1000": "pred", "prob": "softmax"}.get(name, name)


class _Caffe2Graph:
    """Nodes and weights so far; blobs that Caffe2 computes in place have a number that counts up."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.values = {"data": "gpu_0/data_0"}
        self._counts: dict[str, int] = {}

    def add(self, layer: Layer, arrays: dict[str, np.ndarray]) -> None:
        """Add a layer's node."""
        name = caffe2_name(layer)
        operator, inputs, attributes = self._operation(layer, name, arrays)
        self._counts[name] = self._counts.get(name, 0) + 1
        output = f"{PREFIX}{name}_{self._counts[name]}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        self.values[layer.top] = output

    def _operation(
        self, layer: Layer, name: str, arrays: dict[str, np.ndarray]
    ) -> tuple[str, list[str], dict[str, Any]]:
        """Return operator, inputs and attributes of a layer."""
        values = [self.values[blob] for blob in layer.bottoms]
        window = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2}
        if layer.kind == "convolution":
            kernel = self._weights(f"{name}_w_0", arrays["kernel"])
            return "Conv", [*values, kernel], {**window, "pads": [layer.pad] * 4}
        if layer.kind == "norm":
            roles = {"s": "gamma", "b": "beta", "rm": "mean", "riv": "variance"}
            moments = [self._weights(f"{name}_{part}_0", arrays[role]) for part, role in roles.items()]
            return "BatchNormalization", [*values, *moments], {"epsilon": float(arrays["epsilon"])}
        if layer.kind == "max":  # the last window reaches over the border, as Caffe has it
            return "MaxPool", values, {**window, "pads": [0, 0, 1, 1]}
        if layer.kind == "dense":
            shape = np.array([-1, arrays["kernel"].shape[1]])
            flat = helper.make_node("Reshape", [*values, self._weights("OC2_DUMMY_1", shape, "")], ["OC2_DUMMY_0"])
            self.nodes.append(flat)
            weights = [
                self._weights(f"{name}_{part}_0", arrays[role]) for part, role in (("w", "kernel"), ("b", "bias"))
            ]
            return "Gemm", ["OC2_DUMMY_0", *weights], {"transB": 1}
        if layer.kind == "average":
            return "AveragePool", values, window
        return {"relu": "Relu", "sum": "Sum", "softmax": "Softmax"}[layer.kind], values, {}

    def _weights(self, name: str, values: np.ndarray, prefix: str = PREFIX) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), f"{prefix}{name}"))
        return f"{prefix}{name}"
