"""What is migrated against the original in OpenCV, TensorFlow and ONNX Runtime."""

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from test_migrate import run_migrate

import trtflow.reference as trt
from trtflow.families.digits import exporters as digit_export
from trtflow.families.digits.network import make_network
from trtflow.families.faster_rcnn import caffe_export as faster_rcnn_export
from trtflow.families.faster_rcnn.network import FasterRCNN
from trtflow.families.ncf.layers import OUTPUT
from trtflow.families.ssd import caffe_export as ssd_export
from trtflow.families.ssd.network import SSD
from trtflow.formats import UserError
from trtflow.formats.caffe import (
    convert_faster_rcnn_prototxt,
    without_weights,
    write_caffemodel,
    write_prototxt,
)
from trtflow.formats.calibration_table import CalibrationTable, write_table
from trtflow.migration.originals import match

PREPROCESSORS = Path(__file__).resolve().parents[2] / "config" / "preprocessors"
RNG = np.random.default_rng(3)


def save(net, folder, name, deploy=None):
    write_prototxt(without_weights(net) if deploy is None else deploy, folder / f"{name}.prototxt")
    write_caffemodel(net, folder / f"{name}.caffemodel")
    return folder / f"{name}.caffemodel"


def report_of(path):
    return json.loads(path.with_suffix(".migration.json").read_text())


def gates_of(path):
    return {gate["name"]: gate for gate in report_of(path)["gates"]}


@pytest.fixture
def lenet(tmp_path):
    torch.manual_seed(0)
    net = make_network("lenet", np.zeros((2, 28, 28), np.uint8), subtract_mean=False, scale=1.0).eval()
    return save(digit_export.to_caffe(net), tmp_path, "lenet")


def test_caffe_model_says_what_opencv_says(lenet):
    run_migrate(lenet)
    original = report_of(lenet)["original"]
    assert original["runtime"].startswith("OpenCV ")
    assert [item["output"] for item in original["differences"]] == ["prob"]
    assert gates_of(lenet)["original_difference"]["value"] < 1e-5
    text = lenet.with_suffix(".migration.txt").read_text()
    assert "Against the original in OpenCV" in text
    assert "not compared" not in text


def test_a_parser_that_misreads_the_file_fails_the_gate(lenet, monkeypatch):
    """Both sides of the comparison with the engine have the error, so only the original's runtime can tell."""
    other = trt.CaffeParser.parse_as_caffe

    def misread(self, deploy, model, network, dtype):
        tensors = other(self, deploy=deploy, model=model, network=network, dtype=dtype)
        for layer in network:
            if layer.type == trt.LayerType.CONVOLUTION:
                layer.bias = np.zeros_like(layer.bias)
        return tensors

    monkeypatch.setattr(trt.CaffeParser, "parse_as_caffe", misread)
    with pytest.raises(UserError, match=r"it does not say what the model says \(original_difference\)"):
        run_migrate(lenet)
    assert gates_of(lenet)["difference_batch_1"]["passed"]


def test_detections_of_ssd_are_opencvs(tmp_path):
    torch.manual_seed(0)
    model = save(ssd_export.to_caffe(SSD(11, 0.0625).eval()), tmp_path, "ssd")
    run_migrate(model)
    assert report_of(model)["tensorrt_objections"] == []
    (found,) = report_of(model)["original"]["detections"]
    assert found["wanted"] == found["found"] == 200
    assert gates_of(model)["original_detections_unmatched"]["value"] <= 0.01
    assert "detections have one of the same label, score and box" in model.with_suffix(".migration.txt").read_text()


def test_detections_without_a_partner_are_counted():
    rows = np.array([[1, 0.9, 0.1, 0.1, 0.4, 0.5], [2, 0.8, 0.2, 0.2, 0.6, 0.9], [2, 0.7, 0.2, 0.2, 0.6, 0.9]])
    assert match("out", rows[[1, 0, 2]], rows).unmatched == 0
    for column, change in ((0, 1), (1, 0.01), (4, 0.02)):
        other = rows.copy()
        other[1, column] += change
        assert match("out", other, rows).matched == 2
    assert match("out", rows[:2], rows).unmatched == pytest.approx(1 / 3)
    assert match("out", rows[:0], rows[:0]).unmatched == 1


def test_what_opencv_does_not_have_is_cut_out_of_faster_rcnn(tmp_path):
    torch.manual_seed(0)
    net = faster_rcnn_export.to_caffe(FasterRCNN(11, width=0.0625).eval())
    model = save(net, tmp_path, "faster_rcnn", convert_faster_rcnn_prototxt(without_weights(net), 150, 200))
    run_migrate(model)
    original = report_of(model)["original"]
    compared = {item["output"] for item in original["differences"]}
    assert {"rpn_bbox_pred", "rpn_cls_prob_reshape", "conv5_3", "bbox_pred", "cls_prob"} <= compared
    assert original["left_out"] == ["RPROIFused (RPROI): OpenCV has no such layer"]
    assert report_of(model)["tensorrt_objections"] == []
    assert gates_of(model)["original_difference"]["value"] < 1e-5


def test_a_graph_with_plugins_is_compared_up_to_them(tmp_path):
    from trtflow.converters.freeze import write_graph  # noqa: PLC0415 - takes seconds
    from trtflow.families.ssd_inception.graph import to_graph  # noqa: PLC0415
    from trtflow.families.ssd_inception.network import SSDInception  # noqa: PLC0415

    torch.manual_seed(0)
    path = tmp_path / "ssd.pb"
    write_graph(to_graph(SSDInception(11, width=0.0625).eval()), path)
    run_migrate(path, "--preprocessor", PREPROCESSORS / "ssd_inception_v2.py", "--output", "NMS")
    original = report_of(path)["original"]
    assert {f"BoxPredictor_{index}/Reshape" for index in range(6)} <= {i["output"] for i in original["differences"]}
    assert "NMS: the preprocessor put it there" in original["left_out"]
    assert report_of(path)["tensorrt_objections"] == []
    assert gates_of(path)["original_difference"]["value"] < 1e-5


@pytest.fixture
def exported(tmp_path):
    """An ONNX model with a batch of any size, and a table of its tensors."""
    arrays = {
        "w": RNG.normal(size=(16, 3, 3, 3)).astype(np.float32),
        "b": RNG.normal(size=16).astype(np.float32),
        "v": RNG.normal(size=(24, 16, 1, 1)).astype(np.float32),
        "f": RNG.normal(size=(5, 24)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Conv", ["r", "v"], ["d"], "second"),
        helper.make_node("GlobalAveragePool", ["d"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["q"], "flat"),
        helper.make_node("Gemm", ["q", "f"], ["y"], "dense", transB=1),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])]
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    scales = {"x": 0.02, "c": 0.2, "r": 0.15, "d": 0.6, "p": 0.2, "q": 0.2, "y": 0.3}
    scales["(Unnamed Layer* 7) [Shuffle]_output"] = 0.2
    table = CalibrationTable("8600", "EntropyCalibration2", {name: np.float32(s) for name, s in scales.items()})
    write_table(tmp_path / "Table", table)
    return path


def test_onnx_model_and_table_become_pairs(exported):
    run_migrate(exported, "--table", exported.with_name("Table"))
    target = exported.with_name("model.int8.onnx")
    model = onnx.load(target)
    onnx.checker.check_model(model, full_check=True)
    quantised = {node.name.split("::")[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert {"x", "r"} <= quantised
    assert model.graph.output[0].type.tensor_type.shape.dim[0].HasField("dim_param")
    original = report_of(target)["original"]
    assert original["runtime"].startswith("ONNX Runtime ")
    assert gates_of(target)["original_difference"]["value"] < 1e-5
    assert 1e-5 < gates_of(target)["original_mean_difference_int8"]["value"] < 0.05
    x = RNG.normal(size=(4, 3, 8, 8)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # without VNNI its INT8 overflows by default
    found, wanted = (onnxruntime.InferenceSession(path, options).run(None, {"x": x})[0] for path in (target, exported))
    assert 0 < np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


def test_table_whose_scales_are_wrong_fails_against_the_original(exported):
    table = exported.with_name("Table")
    text = table.read_text()
    wrong = {line.split(":")[0]: line for line in text.splitlines() if line.startswith("r:")}["r"]
    table.write_text(text.replace(wrong, "r: 38d1b717"))  # 1e-4
    with pytest.raises(UserError, match="original_mean_difference_int8"):
        run_migrate(exported, "--table", table)


def test_without_opencv_the_report_says_so(lenet, monkeypatch):
    import builtins  # noqa: PLC0415

    whole = builtins.__import__
    monkeypatch.setattr(
        builtins, "__import__", lambda name, *rest, **more: _missing() if name == "cv2" else whole(name, *rest, **more)
    )
    run_migrate(lenet)
    assert report_of(lenet)["original"]["runtime"] is None
    assert "OpenCV is not installed" in lenet.with_suffix(".migration.txt").read_text()


def _missing():
    raise ImportError


def test_rows_that_the_graph_counts_as_a_batch_must_be_said(tmp_path):
    """The recommender's graph joins axis 2, which is right for rows of movies only."""
    from trtflow.converters.freeze import freeze_keras, write_graph  # noqa: PLC0415 - takes seconds
    from trtflow.families.ncf.network import INPUTS, network  # noqa: PLC0415 - takes seconds

    path = tmp_path / "ncf.pb"
    write_graph(freeze_keras(network(12, 150), INPUTS, [OUTPUT]), path)
    options = ["--preprocessor", PREPROCESSORS / "movielens.py", "--output", OUTPUT]
    with pytest.raises(UserError, match="original_difference"):
        run_migrate(path, *options)
    rows = [option for name in INPUTS for option in ("--input", f"{name},100,1,1")]
    run_migrate(path, *options, *rows)
    assert gates_of(path)["original_difference"]["value"] < 1e-5
