"""GoogLeNet and ResNet-50 exported to Caffe, ONNX and UFF: the originals' names, and the same numbers elsewhere."""

import collections
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import trtflow.reference as trt
from trtflow.families.classifiers.exporters import to_caffe, to_onnx
from trtflow.families.classifiers.layers import layers_of
from trtflow.families.classifiers.network import (
    Classifier,
    load_classifier,
    local_response_norm,
    probabilities,
    randomise,
    save_classifier,
)
from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import read_prototxt, without_weights, write_caffemodel, write_prototxt

BVLC = Path(__file__).resolve().parents[3] / "shared" / "data" / "caffe" / "bvlc_googlenet.prototxt"
SIZE, CLASSES, WIDTH = 64, 10, 0.0625
SEEDED = 3


def network(name, width=WIDTH):
    torch.manual_seed(SEEDED)
    model = Classifier(name, CLASSES, width, SIZE)
    randomise(model, SEEDED)
    return model.eval()


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).normal(0, 1, (3, 3, SIZE, SIZE)).astype(np.float32)


@pytest.fixture(scope="module", params=["googlenet", "resnet50"])
def model(request):
    return network(request.param)


@pytest.fixture(scope="module")
def resnet():
    return network("resnet50")


@pytest.mark.skipif(not BVLC.exists(), reason="the real prototxt is not beside this checkout")
def test_googlenet_is_bvlcs_layer_for_layer():
    """Every layer of the real deploy.prototxt, in its order, with its connections and parameters."""
    real = read_prototxt(BVLC)
    torch.manual_seed(0)
    made = without_weights(to_caffe(Classifier("googlenet", 1000, 1.0, 224)))
    assert len(real.layer) == len(made.layer) == 143
    for theirs, ours in zip(real.layer, made.layer, strict=True):
        theirs.ClearField("param")
        for filler in ("weight_filler", "bias_filler"):
            theirs.convolution_param.ClearField(filler)
            theirs.inner_product_param.ClearField(filler)
        for side in (theirs, ours):
            for part in ("convolution_param", "inner_product_param"):
                if not getattr(side, part).ListFields():
                    side.ClearField(part)
        if ours.type == "Pooling":  # written out where it is the default
            ours.pooling_param.stride = theirs.pooling_param.stride
        theirs.input_param.Clear() if theirs.type == "Input" else None
        ours.input_param.Clear() if ours.type == "Input" else None
        if theirs.type == "Dropout":
            assert theirs.dropout_param.dropout_ratio == pytest.approx(0.4)
        assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True), theirs.name


def test_resnet_has_its_authors_layers(resnet):
    net = to_caffe(resnet)
    kinds = collections.Counter(layer.type for layer in net.layer)
    assert kinds == {
        "Input": 1,
        "Convolution": 53,
        "BatchNorm": 53,
        "Scale": 53,
        "ReLU": 49,
        "Pooling": 2,
        "Eltwise": 16,
        "InnerProduct": 1,
        "Softmax": 1,
    }
    names = [layer.name for layer in net.layer]
    assert names[:6] == ["data", "conv1", "bn_conv1", "scale_conv1", "conv1_relu", "pool1"]
    assert names[6:10] == ["res2a_branch1", "bn2a_branch1", "scale2a_branch1", "res2a_branch2a"]
    assert names[-5:] == ["res5c", "res5c_relu", "pool5", "fc1000", "prob"]


def test_caffe_export_agrees_with_opencv(model, pictures, tmp_path):
    cv2 = pytest.importorskip("cv2")
    write_prototxt(without_weights(to_caffe(model)), tmp_path / "model.prototxt")
    write_caffemodel(to_caffe(model), tmp_path / "model.caffemodel")
    reader = cv2.dnn.readNetFromCaffe(str(tmp_path / "model.prototxt"), str(tmp_path / "model.caffemodel"))
    for picture, expected in zip(pictures, probabilities(model, pictures), strict=True):
        reader.setInput(picture[None])
        np.testing.assert_allclose(reader.forward("prob").reshape(-1), expected, atol=1e-5)


def test_caffe_export_agrees_with_the_reference_runtime(model, pictures, tmp_path):
    write_prototxt(without_weights(to_caffe(model)), tmp_path / "model.prototxt")
    write_caffemodel(to_caffe(model), tmp_path / "model.caffemodel")
    builder = trt.Builder(trt.Logger())
    builder.max_batch_size = len(pictures)
    definition = builder.create_network()
    paths = {"deploy": str(tmp_path / "model.prototxt"), "model": str(tmp_path / "model.caffemodel")}
    tensors = trt.CaffeParser().parse(**paths, network=definition, dtype=trt.float32)
    definition.mark_output(tensors.find("prob"))
    plan = builder.build_serialized_network(definition, builder.create_builder_config())
    session = onnxruntime.InferenceSession(plan)
    (found,) = session.run(None, {"data": pictures})
    np.testing.assert_allclose(found.reshape(3, -1), probabilities(model, pictures), atol=1e-5)


def test_onnx_export_is_valid_and_agrees_with_onnx_runtime(resnet, pictures):
    made = to_onnx(resnet)
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    (found,) = session.run(["gpu_0/softmax_1"], {"gpu_0/data_0": pictures})
    np.testing.assert_allclose(found, probabilities(resnet, pictures), atol=1e-5)


def test_onnx_names_are_caffe2s(resnet):
    outputs = [name for node in to_onnx(resnet).graph.node for name in node.output]
    assert len(outputs) == len(set(outputs)) == 176
    assert outputs[:5] == [
        f"gpu_0/{name}" for name in ("conv1_1", "res_conv1_bn_1", "res_conv1_bn_2", "pool1_1", "res2_0_branch1_1")
    ]
    assert {"gpu_0/res2_0_branch2a_bn_2", "gpu_0/res2_0_branch2c_bn_3", "gpu_0/res5_2_branch2c_bn_2"} <= set(outputs)
    assert outputs[-4:] == ["gpu_0/pool5_1", "OC2_DUMMY_0", "gpu_0/pred_1", "gpu_0/softmax_1"]


def test_exports_are_byte_identical(resnet):
    first, second = (to_onnx(resnet).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
    first, second = (to_caffe(resnet).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_checkpoint_comes_back(model, pictures, tmp_path):
    save_classifier(model, tmp_path / "network.pt")
    loaded = load_classifier(tmp_path / "network.pt")
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(probabilities(loaded, pictures), probabilities(model, pictures))


def test_damaged_checkpoint_is_an_error(tmp_path):
    (tmp_path / "network.pt").write_bytes(b"no checkpoint")
    with pytest.raises(FormatError, match=r"network\.pt: not a checkpoint of GoogLeNet or ResNet-50"):
        load_classifier(tmp_path / "network.pt")


@pytest.mark.parametrize("size", [32, 100])
def test_size_that_does_not_fit_is_an_error(size):
    with pytest.raises(UserError, match=f"an input of {size} pixels: googlenet takes multiples of 32 from 64 on"):
        layers_of("googlenet", 10, 1.0, size)


def test_response_norm_is_pytorchs():
    maps = torch.randn(2, 12, 5, 5, generator=torch.Generator().manual_seed(0)) * 30
    expected = torch.nn.functional.local_response_norm(maps, 5, 1e-4, 0.75, 1.0)
    torch.testing.assert_close(local_response_norm(maps), expected)
