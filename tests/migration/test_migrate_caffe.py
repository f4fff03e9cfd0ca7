"""Caffe models whose meaning TensorRT's parser misses: migrate writes what OpenCV's DNN computes of the same files."""

import argparse

import cv2
import numpy as np
import onnxruntime
import pytest

from trtflow.formats import UserError
from trtflow.formats.caffe import NetParameter, array_to_blob, write_caffemodel
from trtflow.formats.caffe.caffe_pb2 import V1LayerParameter
from trtflow.migration.command import add_options, migrate

RNG = np.random.default_rng(5)
KERNEL, BIAS = RNG.normal(size=(6, 3, 3, 3)).astype(np.float32), RNG.normal(size=6).astype(np.float32)
DENSE = RNG.normal(size=(5, 6 * 4 * 4)).astype(np.float32)
SLOPES = RNG.uniform(0.1, 0.5, 6).astype(np.float32)
CURRENT = """
name: "face"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "slope" type: "PReLU" bottom: "conv" top: "conv" }
layer { name: "lrn" type: "LRN" bottom: "conv" top: "lrn" lrn_param { norm_region: WITHIN_CHANNEL alpha: 0.1 } }
layer { name: "pool" type: "Pooling" bottom: "lrn" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "pool" bottom: "pool" bottom: "pool" top: "sum"
        eltwise_param { coeff: 1 coeff: -0.5 coeff: 2 } }
layer { name: "dense" type: "InnerProduct" bottom: "sum" top: "dense"
        inner_product_param { num_output: 5 bias_term: false } }
layer { name: "noise" type: "Sigmoid" bottom: "dense" top: "dense" include { phase: TRAIN } }
layer { name: "prob" type: "Softmax" bottom: "dense" top: "prob" include { phase: TEST } softmax_param { axis: -1 } }
"""
OF_2014 = """
name: "face"
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
         convolution_param { num_output: 6 kernel_size: 3 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layers { name: "dense" type: INNER_PRODUCT bottom: "pool" top: "dense"
         inner_product_param { num_output: 5 bias_term: false } }
layers { name: "prob" type: SOFTMAX bottom: "dense" top: "prob" }
"""


def write(folder, text, old=False):
    """Write a network and its weights; of the format of 2014 where they are old."""
    net = NetParameter()
    arrays = {"conv": [KERNEL, BIAS], "dense": [DENSE], "slope": [SLOPES]}
    for name, blobs in arrays.items():
        if name != "slope" or not old:
            layer = (net.layers if old else net.layer).add(name=name)
            layer.blobs.extend(array_to_blob(array) for array in blobs)
    if old:
        net.layers[0].type, net.layers[1].type = V1LayerParameter.CONVOLUTION, V1LayerParameter.INNER_PRODUCT
    (folder / "net.prototxt").write_text(text)
    write_caffemodel(net, folder / "net.caffemodel")


def migrated(folder):
    """Return a session of the ONNX model that migrate writes."""
    arguments = argparse.ArgumentParser()
    add_options(arguments)
    migrate(arguments.parse_args([str(folder / "net.caffemodel")]))
    return onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("text", "old"), [(CURRENT, False), (OF_2014, True)])
def test_what_is_written_computes_what_opencv_does(tmp_path, text, old):
    write(tmp_path, text, old)
    x = RNG.normal(size=(2, 3, 9, 9)).astype(np.float32)
    (found,) = migrated(tmp_path).run(["prob"], {"data": x})
    seen = text.replace("include { phase: TEST }", "")  # OpenCV knows no phases
    (tmp_path / "cv.prototxt").write_text("\n".join(line for line in seen.splitlines() if "TRAIN" not in line))
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "cv.prototxt"), str(tmp_path / "net.caffemodel"))
    for index in range(2):
        net.setInput(x[index : index + 1])
        np.testing.assert_allclose(found[index].ravel(), net.forward().ravel(), rtol=1e-4, atol=1e-6)


# Layers of which OpenCV passes over a field: what they are in NumPy, given the pooled blob
MISREAD = {
    "concat_param.concat_dim": ('type: "Concat" concat_param { concat_dim: 2 }', lambda x: np.concatenate([x, x], 2)),
    "lrn_param.k": (
        'type: "LRN" lrn_param { local_size: 1 alpha: 0.5 k: 2 }',
        lambda x: x / (2 + 0.5 * x**2) ** 0.75,
    ),
    "a stride of one side alone": (
        'type: "Pooling" pooling_param { kernel_size: 1 stride_h: 2 }',
        lambda x: x[:, :, ::2],
    ),
}


@pytest.mark.parametrize("name", MISREAD)
def test_layer_that_opencv_misreads_is_left_out_of_the_comparison(tmp_path, name):
    kind, expect = MISREAD[name]
    bottoms = 'bottom: "data" bottom: "data"' if "Concat" in kind else 'bottom: "data"'
    text = CURRENT.splitlines()[2] + f'layer {{ name: "out" {kind} {bottoms} top: "out" }}'
    write(tmp_path, text)
    x = RNG.normal(size=(2, 3, 9, 9)).astype(np.float32)
    (found,) = migrated(tmp_path).run(["out"], {"data": x})
    np.testing.assert_allclose(found, expect(x), rtol=1e-5, atol=1e-6)
    assert f"OpenCV passes over {name}" in (tmp_path / "net.migration.txt").read_text()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("alpha: 0.1", "alpha: 0.1 local_size: 4"), "layer 'lrn': local_size 4"),
        (("num_output: 5 bias_term: false", "num_output: 5 bias_term: false axis: 9"), "inner_product_param.axis 9"),
        (('type: "Eltwise"', 'type: "Threshold"'), "unknown type 'Threshold'"),
        (("kernel_size: 3 }", "kernel_size: 3 axis: 2 }"), "convolution_param.axis .* is not supported"),
        (("num_output: 5", "nm_output: 5"), 'no field named "nm_output"'),
        (("dim: 9 dim: 9", "dim: 9 dim: -9"), "Sizes are positive"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, edit, message):
    assert edit[0] in CURRENT
    write(tmp_path, CURRENT.replace(*edit))
    with pytest.raises(UserError, match=message):
        migrated(tmp_path)
    assert not (tmp_path / "net.onnx").exists()


def test_weights_that_no_layer_takes_are_refused(tmp_path):
    write(tmp_path, CURRENT.replace('type: "PReLU"', 'type: "Scale"'))
    net = NetParameter()
    net.ParseFromString((tmp_path / "net.caffemodel").read_bytes())
    next(layer for layer in net.layer if layer.name == "slope").blobs.append(array_to_blob(SLOPES))
    write_caffemodel(net, tmp_path / "net.caffemodel")
    with pytest.raises(UserError, match="layer 'slope' has 2 blobs of weights, of which Scale takes 1"):
        migrated(tmp_path)
