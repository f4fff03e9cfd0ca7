"""The Caffe parser: names, weights, and what it refuses."""

import numpy as np
import pytest

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel

LENET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "drop" type: "Dropout" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool1" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
RNG = np.random.default_rng(3)
WEIGHTS = {
    "conv1": [RNG.normal(size=(2, 1, 3, 3)), RNG.normal(size=2)],
    "ip": [RNG.normal(size=(3, 18)), RNG.normal(size=3)],
}


@pytest.fixture
def parse(tmp_path):
    """Return a function: prototxt, weights -> network, tensors."""

    def parse_text(text, weights=WEIGHTS):
        net = NetParameter()
        for name, arrays in weights.items():
            net.layer.add(name=name).blobs.extend(array_to_blob(np.float32(array)) for array in arrays)
        (tmp_path / "net.prototxt").write_text(text)
        write_caffemodel(net, tmp_path / "net.caffemodel")
        network = trt.INetworkDefinition()
        paths = (str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
        return network, trt.CaffeParser().parse(*paths, network, trt.float32)

    return parse_text


def test_tensors_have_the_names_of_the_last_layer_in_place(parse):
    network, tensors = parse(LENET)
    assert [layer.name for layer in network] == ["conv1", "relu1", "pool1", "ip", "prob"]
    assert network[0].get_output(0).name == "(Unnamed Layer* 0) [Convolution]_output"
    assert tensors.find("conv1") is network[1].get_output(0)
    assert tensors.find("prob").shape == (3, 1, 1)
    assert tensors.find("nothing") is None


def test_half_weights(parse, tmp_path):
    parse(LENET)
    network = trt.INetworkDefinition()
    paths = (str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    trt.CaffeParser().parse(*paths, network, trt.float16)
    assert network[0].kernel.dtype == np.float16


def test_permute_reshape_and_concat_leave_the_batch_out(parse):
    text = """
    input: "data" input_shape { dim: 1 dim: 4 dim: 2 dim: 3 }
    layer { name: "p" type: "Permute" bottom: "data" top: "p" permute_param { order: 0 order: 2 order: 3 order: 1 } }
    layer { name: "f" type: "Reshape" bottom: "p" top: "f" reshape_param { shape { dim: 0 dim: -1 dim: 1 dim: 1 } } }
    layer { name: "c" type: "Concat" bottom: "f" bottom: "f" top: "c" concat_param { axis: 1 } }
    layer { name: "r" type: "Reshape" bottom: "c" top: "r" reshape_param { shape { dim: 0 dim: -1 dim: 4 } } }
    """
    _, tensors = parse(text, {"unused": [np.ones(1)]})
    assert [tensors.find(name).shape for name in "pfcr"] == [(2, 3, 4), (24, 1, 1), (48, 1, 1), (12, 4)]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace('"Pooling"', '"SpatialMagic"'), "layer 'pool1': unknown type 'SpatialMagic'"),
        (lambda text: text.replace('bottom: "pool1"', 'bottom: "pool2"'), "no layer before it .* its input 'pool2'"),
        (lambda text: text.replace("dim: 1 dim: 1 dim: 8", "dim: 1 dim: 8"), "TensorRT takes N, C, H, W"),
        (lambda text: text.replace('top: "prob"', 'top: "prob" top: "b"'), "2 tops .* but Softmax has 1 outputs"),
    ],
)
def test_network_that_does_not_hold_together_is_refused(parse, edit, message):
    with pytest.raises(trt.NetworkError, match=message):
        parse(edit(LENET))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"conv1": WEIGHTS["conv1"]}, "layer 'ip' has 0 blobs of weights, needs 1"),
        ({**WEIGHTS, "ip": [np.ones((3, 17)), np.ones(3)]}, "layer 'ip' has 51 weights in blob 0, needs 54"),
    ],
)
def test_weights_of_another_network_are_refused(parse, weights, message):
    with pytest.raises(FormatError, match=message):
        parse(LENET, weights)
