"""ResNet-50 as a TensorFlow graph, and by way of UFF: PyTorch's numbers."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import torch

import trtflow.reference as trt
from trtflow.converters.uff import from_tensorflow
from trtflow.families.classifiers.exporters import arrays_of
from trtflow.families.classifiers.graph import INPUT, OUTPUT, to_graph
from trtflow.families.classifiers.network import Classifier, probabilities, randomise

SIZE = 64


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(5)
    network = Classifier("resnet50", 10, 0.0625, SIZE)
    randomise(network, 5)
    return network.eval()


@pytest.fixture(scope="module")
def graph(model):
    return to_graph(model.layers, arrays_of(model), SIZE)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(2).normal(0, 1, (2, 3, SIZE, SIZE)).astype(np.float32)


def in_tensorflow(graph, pictures):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(f"{OUTPUT}:0", {f"{INPUT}:0": pictures.transpose(0, 2, 3, 1)})


def test_graph_agrees_with_pytorch(model, graph, pictures):
    np.testing.assert_allclose(in_tensorflow(graph, pictures), probabilities(model, pictures), atol=1e-5)


def test_graph_is_frozen(graph):
    kinds = {node.op for node in graph.node}
    assert "VariableV2" not in kinds
    assert sum(node.op == "Conv2D" for node in graph.node) == 53
    assert graph.SerializeToString(deterministic=True)


def test_uff_agrees_with_tensorflow(graph, pictures):
    parser = trt.UffParser()
    parser.register_input(INPUT, (3, SIZE, SIZE))
    parser.register_output(OUTPUT)
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = len(pictures)
    network = builder.create_network()
    data = from_tensorflow(graph, [OUTPUT], quiet=True, strict=True)
    assert data == from_tensorflow(graph, [OUTPUT], quiet=True, strict=True)
    assert parser.parse_buffer(data, network)
    assert sum(layer.type == trt.LayerType.CONVOLUTION for layer in network) == 53
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    (found,) = onnxruntime.InferenceSession(plan).run(None, {INPUT: pictures})
    np.testing.assert_allclose(found.reshape(2, -1), in_tensorflow(graph, pictures), atol=1e-5)
