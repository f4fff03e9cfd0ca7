"""From PyTorch to what the MNIST samples' engines are built from: Caffe, .wts, plain arrays and ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from trtflow.families.digits.network import LeNet, ZooNet
from trtflow.formats.caffe import LayerParameter, NetParameter, array_to_blob

CAFFE_NAMES = {"conv1": "conv1", "conv2": "conv2", "fc1": "ip1", "fc2": "ip2"}
ZOO_OPSET, ZOO_IR = 8, 3  # of mnist-8


def arrays_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights by PyTorch's names, such as conv1.weight, float32."""
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


def to_wts(model: LeNet) -> dict[str, np.ndarray]:
    """Return the weights by the names of mnistapi.wts: conv1filter, conv1bias, ..., flat float32."""
    kinds = {"weight": "filter", "bias": "bias"}
    parts = ((name.split("."), value) for name, value in arrays_of(model).items())
    return {CAFFE_NAMES[layer] + kinds[kind]: value.ravel() for (layer, kind), value in parts}


def to_caffe(model: LeNet) -> NetParameter:
    """Return mnist.prototxt with its weights; the layer `scale` is there where the factor is not 1."""
    net = NetParameter(name="LeNet")
    _add(net, "data", "Input").input_param.shape.add(dim=[1, 1, 28, 28])
    top = "data"
    if float(model.scale) != 1:
        _add(net, "scale", "Power", top).power_param.scale = float(model.scale)
        top = "scale"
    for name, pool in (("conv1", "pool1"), ("conv2", "pool2")):
        layer, module = _add(net, name, "Convolution", top), getattr(model, name)
        layer.convolution_param.num_output = module.out_channels
        layer.convolution_param.kernel_size.append(5)
        _blobs(layer, module)
        pooling = _add(net, pool, "Pooling", name).pooling_param
        pooling.kernel_size, pooling.stride = 2, 2
        top = pool
    for name, module in (("ip1", model.fc1), ("ip2", model.fc2)):
        layer = _add(net, name, "InnerProduct", top)
        layer.inner_product_param.num_output = module.out_features
        _blobs(layer, module)
        if name == "ip1":
            net.layer.add(name="relu1", type="ReLU", bottom=["ip1"], top=["ip1"])
        top = name
    _add(net, "prob", "Softmax", top)
    return net


def _add(net: NetParameter, name: str, kind: str, *bottoms: str) -> LayerParameter:
    return net.layer.add(name=name, type=kind, bottom=bottoms, top=[name])


def _blobs(layer: LayerParameter, module: nn.Module) -> None:
    for tensor in module.parameters():
        layer.blobs.add().CopyFrom(array_to_blob(tensor.detach().numpy()))


def to_onnx(model: ZooNet) -> onnx.ModelProto:
    """Return mnist-8 as ONNX's model zoo has it, CNTK's names included: Input3 to Plus214_Output_0."""
    weights = arrays_of(model)
    constants = {
        "Parameter5": weights["conv1.weight"],
        "Parameter6": weights["conv1.bias"][:, None, None],
        "Parameter87": weights["conv2.weight"],
        "Parameter88": weights["conv2.bias"][:, None, None],
        "Pooling160_Output_0_reshape0_shape": np.array([1, 256]),
        "Parameter193": weights["fc.weight"].T.reshape(16, 4, 4, 10),
        "Parameter193_reshape1_shape": np.array([256, 10]),
        "Parameter194": weights["fc.bias"][None],
    }
    nodes = [
        _node(
            "Reshape",
            "Times212_reshape1",
            "Parameter193",
            "Parameter193_reshape1_shape",
            output="Parameter193_reshape1",
        ),
        *_block(("Convolution28", "Plus30", "ReLU32", "Pooling66"), "Input3", "Parameter5", "Parameter6", pool=2),
        *_block(
            ("Convolution110", "Plus112", "ReLU114", "Pooling160"),
            "Pooling66_Output_0",
            "Parameter87",
            "Parameter88",
            pool=3,
        ),
        _node(
            "Reshape",
            "Times212_reshape0",
            "Pooling160_Output_0",
            "Pooling160_Output_0_reshape0_shape",
            output="Pooling160_Output_0_reshape0",
        ),
        _node("MatMul", "Times212", "Pooling160_Output_0_reshape0", "Parameter193_reshape1"),
        _node("Add", "Plus214", "Times212_Output_0", "Parameter194"),
    ]
    inputs = [helper.make_tensor_value_info("Input3", TensorProto.FLOAT, [1, 1, 28, 28])]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    inputs += [helper.make_tensor_value_info(value.name, value.data_type, value.dims) for value in initializers]
    graph = helper.make_graph(
        nodes,
        "CNTKGraph",
        inputs,
        [helper.make_tensor_value_info("Plus214_Output_0", TensorProto.FLOAT, [1, 10])],
        initializers,
    )
    opset = helper.make_opsetid("", ZOO_OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=ZOO_IR, producer_name="trtflow")


def _block(names: tuple[str, str, str, str], source: str, kernel: str, bias: str, pool: int) -> list[onnx.NodeProto]:
    """Return convolution, bias, ReLU and pooling; a window of 3 takes 14x14 to 4x4, as in the zoo."""
    convolution, plus, relu, pooling = names
    window: dict[str, Any] = {
        "kernel_shape": [pool, pool],
        "strides": [pool, pool],
        "auto_pad": "NOTSET",
        "pads": [0, 0, 0, 0],
    }
    return [
        _node(
            "Conv",
            convolution,
            source,
            kernel,
            kernel_shape=[5, 5],
            strides=[1, 1],
            auto_pad="SAME_UPPER",
            group=1,
            dilations=[1, 1],
        ),
        _node("Add", plus, f"{convolution}_Output_0", bias),
        _node("Relu", relu, f"{plus}_Output_0"),
        _node("MaxPool", pooling, f"{relu}_Output_0", **window),
    ]


def _node(kind: str, name: str, *inputs: str, output: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output or f"{name}_Output_0"], name=name, **attributes)
