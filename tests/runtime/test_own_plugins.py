"""Plugins of the user's own in Python files: UFF graphs and prototxts with custom layers run, and migrate."""

import argparse
import re

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional

import trtflow.reference as trt
from trtflow.converters.model_file import import_model
from trtflow.formats import UserError
from trtflow.formats.caffe import write_caffemodel
from trtflow.formats.caffe.caffe_pb2 import NetParameter
from trtflow.formats.uff import MetaGraph, blob_of, data_of, orders_key, write_uff
from trtflow.migration.command import add_options, migrate
from trtflow.runtime.build import build_plan
from trtflow.runtime.own_plugins import load_plugin_file, own_plugins
from trtflow.runtime.session import Session

RNG = np.random.default_rng(0)
POOL = '''
import trtflow.reference as trt


class MaxPool(trt.IPluginV2):
    """The pooling that NVIDIA's lenet5_custom_pool.uff leaves to a plugin."""

    plugin_type = "MaxPool"
    fields = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID", "data_format": "NHWC"}

    def get_output_shape(self, index, inputs):
        channels, height, width = inputs[0]
        return trt.Dims((channels, height // 2, width // 2))

    def lower(self, graph, inputs):
        assert (self.attributes["padding"], self.attributes["data_format"]) == ("VALID", "NHWC")
        window, strides = ([int(size) for size in self.attributes[key][1:3]] for key in ("ksize", "strides"))
        return [graph.node("MaxPool", inputs, kernel_shape=window, strides=strides)]
'''
MISH = '''
import numpy as np
import trtflow.reference as trt


class ScaledMish(trt.IPluginV2):
    """x tanh(softplus(x)), times a factor a channel."""

    plugin_type = "ScaledMish"
    fields = {"blob0": None}

    def get_output_shape(self, index, inputs):
        return inputs[0]

    def lower(self, graph, inputs):
        factor = graph.constant("factor", self.attributes["blob0"].reshape(-1, 1, 1).astype(np.float32))
        gate = graph.node("Tanh", [graph.node("Softplus", inputs)])
        return [graph.node("Mul", [graph.node("Mul", [inputs[0], gate]), factor])]
'''


@pytest.fixture
def plugin_file(tmp_path):
    """Return a function that writes a file of plugins; what they register is taken away again."""
    before = set(trt.get_plugin_registry().plugin_creator_list)
    from trtflow.runtime import own_plugins as module  # noqa: PLC0415

    kept = dict(module._OWN)

    def write(text, name="plugins.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    yield write
    registry = trt.get_plugin_registry()
    for creator in set(registry.plugin_creator_list) - before:
        registry.deregister_creator(creator)
    module._OWN.clear()
    module._OWN.update(kept)


def custom_pool(path):
    """Write a graph as NVIDIA's lenet5_custom_pool.uff: a convolution, the pooling, a matrix; return its weights."""
    meta = MetaGraph(version=1, descriptor_core_version=1)
    for name in ("tensorflow_extension", "custom"):
        meta.descriptors.add(id=name, version=1)
    graph = meta.graphs.add(id="main")

    def node(name, operation, inputs=(), orders=(), **fields):
        added = graph.nodes.add(id=name, operation=operation, inputs=inputs)
        for key, value in fields.items():
            added.fields[key].CopyFrom(data_of(value))
        if orders:
            added.fields["inputs_orders"].CopyFrom(orders_key(meta, orders))

    def const(name, array):
        values = blob_of(meta, name, array)
        node(name, "Const", shape=list(array.shape), dtype=array.dtype, values=values)

    kernel, matrix = (RNG.normal(size=size).astype(np.float32) for size in ((3, 3, 1, 4), (676, 10)))
    node("in", "Input", shape=[1, 28, 28], dtype=np.dtype(np.float32))
    const("kernel", kernel)
    node("conv", "Conv", ["in", "kernel"], ["N+C", "+CK"], strides=[1, 1])
    text = {"padding": "b'VALID'", "data_format": "b'NHWC'"}
    node("pool", "_MaxPool", ["conv"], T=np.dtype(np.float32), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], **text)
    const("shape", np.array([-1, 676], np.int32))
    node("flat", "Reshape", ["pool", "shape"])
    const("matrix", matrix)
    node("out", "FullyConnected", ["flat", "matrix"], ["NC", "CK"])
    node("MarkOutput_0", "MarkOutput", ["out"])
    write_uff(meta, path)
    return kernel, matrix


def pooled(x, kernel, matrix):
    """Return what the graph computes, by PyTorch."""
    value = functional.conv2d(torch.from_numpy(x), torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
    value = functional.max_pool2d(value, 2).permute(0, 2, 3, 1).reshape(len(x), -1)
    return (value @ torch.from_numpy(matrix)).numpy()


def run_migrate(*arguments):
    parser = argparse.ArgumentParser()
    add_options(parser)
    migrate(parser.parse_args([str(argument) for argument in arguments]))


def test_uff_with_a_custom_operation_runs_and_migrates(tmp_path, plugin_file):
    weights, x = custom_pool(tmp_path / "model.uff"), RNG.normal(size=(3, 1, 28, 28)).astype(np.float32)
    run_migrate(tmp_path / "model.uff", "--plugins", plugin_file(POOL), "--out", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    found = session.run(None, {"in": x})[0].reshape(3, 10)
    np.testing.assert_allclose(found, pooled(x, *weights), rtol=1e-4, atol=1e-4)
    assert "MaxPool: The pooling that NVIDIA's" in (tmp_path / "model.migration.txt").read_text().replace("\n", " ")

    file = import_model(tmp_path / "model.uff", tmp_path / "again")
    plan = build_plan(trt, file.define, "fp32", 3)
    found = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)).run({"in": x})["out"]
    np.testing.assert_allclose(found.reshape(3, 10), pooled(x, *weights), rtol=1e-4, atol=1e-4)


def test_prototxt_with_a_custom_layer_migrates(tmp_path, plugin_file):
    factor, x = np.float32([2.0, -1.0, 0.5]), RNG.normal(size=(1, 3, 4, 5)).astype(np.float32)
    (tmp_path / "model.prototxt").write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 5 } } }\n'
        'layer { name: "mish" type: "ScaledMish" bottom: "data" top: "mish" }\n'
        'layer { name: "out" type: "ReLU" bottom: "mish" top: "out" }\n'
    )
    net = NetParameter()
    blob = net.layer.add(name="mish", type="ScaledMish").blobs.add()
    blob.shape.dim.append(3)
    blob.data.extend(factor)
    write_caffemodel(net, tmp_path / "model.caffemodel")
    run_migrate(tmp_path / "model.caffemodel", "--plugins", plugin_file(MISH), "--out", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    wanted = functional.relu(nn.Mish()(torch.from_numpy(x)) * torch.from_numpy(factor).reshape(-1, 1, 1))
    np.testing.assert_allclose(session.run(None, {"data": x})[0], wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_without_the_plugin_the_operation_is_named(tmp_path, plugin_file):
    custom_pool(tmp_path / "model.uff")
    with pytest.raises(UserError, match="'pool': no plugin 'MaxPool' for a custom operation"):
        run_migrate(tmp_path / "model.uff")


def test_a_file_is_loaded_once_and_again_when_it_changed(plugin_file):
    path = plugin_file(POOL)
    assert load_plugin_file(path) == load_plugin_file(path) == ["MaxPool"]
    assert "MaxPool" in own_plugins()
    assert load_plugin_file(plugin_file(POOL.replace("28", "30") + "\n")) == ["MaxPool"]
    with pytest.raises(UserError, match=re.escape("plugins.py has a plugin 'MaxPool' too")):
        load_plugin_file(plugin_file(POOL, "other.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere", "plugins.py: Python cannot run it .ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:", "plugins.py: Python cannot run it .SyntaxError"),
        ("x = 1", "plugins.py: it has no plugin. Write a subclass"),
        (POOL.replace('plugin_type = "MaxPool"', ""), "the plugin MaxPool has no plugin_type"),
        (POOL.replace("def lower", "def other"), "the plugin MaxPool has no lower"),
        (POOL.replace('"MaxPool"\n', '"NMS_TRT"\n'), "there is a plugin 'NMS_TRT' already"),
    ],
)
def test_a_file_that_is_none_is_named(plugin_file, text, message):
    trt.init_libnvinfer_plugins(trt.Logger(), "")
    with pytest.raises(UserError, match=message):
        load_plugin_file(plugin_file(text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("graph.node(", "graph.noed("), "MaxPool.lower fails for the layer 'pool' .AttributeError"),
        (("window, strides = (", "window, strides = 1 or ("), "MaxPool.lower fails for the layer 'pool' .TypeError"),
        (("return [graph", "return 2 * [graph"), "MaxPool.lower returns .* Return a list of 1 names"),
    ],
)
def test_a_plugin_that_fails_is_named(tmp_path, plugin_file, change, message):
    custom_pool(tmp_path / "model.uff")
    with pytest.raises(UserError, match=message):
        run_migrate(tmp_path / "model.uff", "--plugins", plugin_file(POOL.replace(*change)))


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="gone.py: no such file"):
        load_plugin_file(tmp_path / "gone.py")
