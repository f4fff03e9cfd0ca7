"""Micro networks that TensorRT 8.6.0's parser was asked on an H200: each answer, and Caffe's where it is another."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from caffe_weights import random_weights
from try_caffe_networks import ask_reference, narrowed

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.caffe import convert_ssd_prototxt, read_prototxt, write_caffemodel, write_prototxt
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "caffe"
SSD300 = CASES.parent / "real" / "ssd300_voc0712_deploy.prototxt"
RESULTS = json.loads((CASES / "results.json").read_text()) if CASES.exists() else {}
# What TensorRT ignores of a network, which the log must name
IGNORED = {
    "concat_dim2": "concat_param.concat_dim",
    "eltwise_coeff": "eltwise_param.coeff",
    "flatten_axis2_softmax": "flatten_param.axis",
    "flatten_softmax": "Flatten, whose top Softmax reads",
    "include_train": "include or exclude",
    "lrn_across": "lrn_param.beta",
    "lrn_within": "lrn_param.norm_region",
    "pool_ave_clipped": "clipped at the border",
    "scale_axis3": "scale_param.axis",
    "v1_layers": "TensorRT overlooks 2 layers",
}
# TensorRT's word for what it refuses, or does not build
REFUSED = {
    "argmax": "unknown type 'ArgMax'",
    "concat_axis_m1": "concat axis -1 .* negative axis is not supported",
    "dropout_scale_train": r"could not parse deploy file: TensorRT knows no field layer\[1\].dropout_param.scale_train",
    "eltwise3": "expected 2 bottom blobs, found 3",
    "ip_axis2": "252 weights in blob 0, needs 1008",
    "pool_hw": "cannot use Caffe round up padding mode with padding greater than the filter",
    "prelu": "constant weights has count 4 but 6 was expected",
    "scale_two_bottoms": "expected 1 bottom blobs, found 2",
    "slice": "unknown type 'Slice'",
    "softmax_axis_m1": "softmax axis -1",
    "split": "unknown type 'Split'",
}
REFUSALS = ("refused", "build failed")
measured = pytest.mark.skipif(not RESULTS, reason="needs TensorRT's answers in ../shared/cases/caffe")


def answers(name):
    """Return the reference's outputs of a case and its network."""
    networks = []

    def define(trt, network):
        paths = [str(CASES / f"{name}.{ending}") for ending in ("prototxt", "caffemodel")]
        tensors = trt.CaffeParser().parse(*paths, network, trt.float32)
        for output in RESULTS[name]["outputs"]:
            network.mark_output(tensors.find(output))
        networks.append(network)

    plan = build_plan(trt, define, "fp32", 2)
    x = np.load(CASES / f"{name}.npy")
    engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan)
    names = [tensor for tensor in engine if engine.get_tensor_mode(tensor) == trt.TensorIOMode.INPUT]
    return Session(trt, engine).run(dict.fromkeys(names, x)), networks[0]


@measured
@pytest.mark.parametrize("name", [name for name, case in RESULTS.items() if case["result"] == "ran"])
def test_values_and_layers_are_tensorrts(name, capfd):
    found, network = answers(name)
    wanted = np.load(CASES / f"{name}.out.npz")
    assert sorted(found) == sorted(wanted)
    for output in wanted:
        np.testing.assert_allclose(found[output], wanted[output], rtol=1e-4, atol=1e-5)
    assert [layer.type.name for layer in network] == RESULTS[name].get("layers")
    log = capfd.readouterr().err
    assert IGNORED.get(name, "") in log
    assert ("TensorRT ignores" in log) == (name in IGNORED)


@pytest.mark.parametrize(
    "name", [name for name, case in RESULTS.items() if case["result"] in ("refused", "build failed")]
)
@measured
def test_what_tensorrt_refuses_is_refused(name):
    with pytest.raises(UserError, match=f"(?s){REFUSED[name]}"):
        answers(name)


@measured
@pytest.mark.parametrize("name", [name for name, case in RESULTS.items() if case["result"] == "no output tensor"])
def test_layers_of_2014_are_overlooked_with_a_warning(name, capfd):
    network = trt.Builder(trt.Logger()).create_network()
    paths = [str(CASES / f"{name}.{ending}") for ending in ("prototxt", "caffemodel")]
    tensors = trt.CaffeParser().parse(*paths, network, trt.float32)
    assert [tensors.find(output) for output in RESULTS[name]["outputs"]] == [None]
    assert IGNORED[name] in capfd.readouterr().err


@measured
def test_every_case_is_held():
    assert len(RESULTS) == 44
    assert {case["result"] for case in RESULTS.values()} == {"ran", "refused", "build failed", "no output tensor"}


@measured
@pytest.mark.parametrize("name", sorted(RESULTS))
def test_prototxt_is_read(name):
    assert len(read_prototxt(CASES / f"{name}.prototxt").layer) >= 2


@pytest.mark.skipif(not SSD300.exists(), reason="needs SSD300's prototxt in ../shared/cases/real")
def test_ssd300s_own_file_detects_what_opencv_does(tmp_path):
    """The authors' network a sixteenth as wide, through the converter and through migrate's meaning."""
    net = narrowed(read_prototxt(SSD300), 16)
    write_caffemodel(random_weights(net), tmp_path / "net.caffemodel")
    write_prototxt(net, tmp_path / "net.prototxt")
    write_prototxt(convert_ssd_prototxt(net), tmp_path / "tensorrt.prototxt")
    x = np.random.default_rng(0).normal(size=(1, 3, 300, 300)).astype(np.float32)
    other = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    other.setInput(x)
    wanted = np.sort(other.forward().reshape(-1, 7)[:, 2])
    outputs, said = ask_reference(tmp_path, {"data": x}, ["detection_out", "keep_count"], False)
    assert not said
    meant, _ = ask_reference(tmp_path, {"data": x}, ["detection_out"], True)
    assert outputs["keep_count"].ravel().view(np.int32)[0] == len(wanted)
    for found in (outputs, meant):
        np.testing.assert_allclose(np.sort(found["detection_out"].reshape(-1, 7)[:, 2]), wanted, atol=1e-4)
