"""trtflow migrate: plain ONNX that says what the model says, a report, gates that can fail, and clear errors."""

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

import trtflow.reference as trt
from trtflow.converters.model_file import import_model
from trtflow.families.digits import exporters
from trtflow.families.digits.network import make_network, probabilities
from trtflow.families.ssd import caffe_export as ssd_export
from trtflow.families.ssd.network import SSD
from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import without_weights, write_caffemodel, write_prototxt
from trtflow.formats.calibration_table import CalibrationTable, write_table
from trtflow.migration.agreement import agreement_gates, check_agreement, compare, ranked_outputs
from trtflow.migration.command import add_options, migrate
from trtflow.migration.lowering import check_plain, lower_model, read_scales
from trtflow.runtime.parsers import parse_onnx

ROOT = Path(__file__).resolve().parents[2]
TENSORS = {
    "data": 0.03,
    "conv1": 0.05,
    "pool1": 0.05,
    "conv2": 0.06,
    "pool2": 0.06,
    "ip1": 0.04,
    "ip2": 0.05,
    "prob": 0.01,
}


def run_migrate(*arguments):
    parser = argparse.ArgumentParser()
    add_options(parser)
    migrate(parser.parse_args([str(argument) for argument in arguments]))


def run_onnx(path, feeds):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@pytest.fixture(scope="module")
def lenet():
    torch.manual_seed(0)
    return make_network("lenet", np.zeros((2, 28, 28), np.uint8), subtract_mean=False, scale=1.0).eval()


@pytest.fixture
def folder(tmp_path, lenet):
    """A folder with LeNet in Caffe and a calibration table."""
    net = exporters.to_caffe(lenet)
    write_prototxt(without_weights(net), tmp_path / "lenet.prototxt")
    write_caffemodel(net, tmp_path / "lenet.caffemodel")
    scales = {name: np.float32(scale) for name, scale in TENSORS.items()}
    write_table(tmp_path / "Table", CalibrationTable("8600", "EntropyCalibration2", scales))
    return tmp_path


@pytest.fixture
def images():
    return np.random.default_rng(1).random((5, 1, 28, 28), np.float32)


def test_caffe_model_says_the_same_with_any_batch(folder, lenet, images):
    run_migrate(folder / "lenet.caffemodel")
    model = onnx.load(folder / "lenet.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert [item.version for item in model.opset_import] == [17]
    for batch in (1, 5):
        (found,) = run_onnx(folder / "lenet.onnx", {"data": images[:batch]})
        np.testing.assert_allclose(found.reshape(batch, 10), probabilities(lenet, images[:batch]), atol=1e-6)


def test_table_becomes_quantize_and_dequantize_nodes_with_its_scales(folder, lenet, images):
    run_migrate(folder / "lenet.prototxt", "--table", folder / "Table", "--out", folder / "int8.onnx")
    model = onnx.load(folder / "int8.onnx")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pairs = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    scales = {node.name.split("::")[0]: stored[node.input[1]] for node in pairs if node.input[0] not in stored}
    assert set(scales) == {"data", "conv1", "pool1", "conv2", "pool2", "ip1"}
    assert all(value == np.float32(TENSORS[name]) for name, value in scales.items())
    kernels = [stored[node.input[0]] for node in pairs if node.input[0] in stored]
    assert len(kernels) == 4
    assert {kernel.dtype for kernel in kernels} == {np.dtype(np.float32)}
    (found,) = run_onnx(folder / "int8.onnx", {"data": images})
    np.testing.assert_allclose(found.reshape(5, 10), probabilities(lenet, images), atol=0.05)
    report = json.loads((folder / "int8.migration.json").read_text())
    assert set(report["table"]["scales"]) == set(scales)
    assert report["table"]["unused"] == ["ip2", "prob"]
    assert {layer["name"] for layer in report["layers"] if layer["precision"] == "INT8"} == {
        "conv1",
        "conv2",
        "ip1",
        "ip2",
    }


def test_what_is_written_can_be_parsed_again(folder):
    run_migrate(folder / "lenet.prototxt", "--table", folder / "Table", "--out", folder / "int8.onnx")
    network = trt.Builder(trt.Logger()).create_network(1)
    parse_onnx(trt, network, folder / "int8.onnx")
    assert network.num_outputs == 1


def test_same_model_gives_same_bytes(folder):
    for name in ("first", "second"):
        run_migrate(folder / "lenet.caffemodel", "--out", folder / name / "model.onnx")
    for name in ("model.onnx", "model.migration.json", "model.migration.txt"):
        assert (folder / "first" / name).read_bytes() == (folder / "second" / name).read_bytes()


def test_plugins_of_ssd_are_told_with_what_became_of_them(tmp_path):
    torch.manual_seed(0)
    net = ssd_export.to_caffe(SSD(11, 0.0625))
    write_prototxt(without_weights(net), tmp_path / "deploy.prototxt")  # the authors' form
    write_caffemodel(net, tmp_path / "ssd.caffemodel")
    run_migrate(tmp_path / "ssd.caffemodel", "--deploy", tmp_path / "deploy.prototxt")
    report = json.loads((tmp_path / "ssd.migration.json").read_text())
    became = {layer["type"]: layer for layer in report["layers"] if "became" in layer}
    assert set(became) == {"Normalize_TRT", "PriorBox_TRT", "NMS_TRT"}
    assert "NonMaxSuppression" in became["NMS_TRT"]["operators"]
    assert "A constant" in became["PriorBox_TRT"]["became"]
    text = (tmp_path / "ssd.migration.txt").read_text()
    assert "detection_out: NMS_TRT -> " in text
    assert "ONNX opset 17: the newest that TensorRT 8.6 itself takes" in text
    boxes, count = run_onnx(tmp_path / "ssd.onnx", {"data": np.zeros((2, 3, 300, 300), np.float32)})
    assert boxes.shape == (2, 1, 200, 7)
    assert count.shape == (2, 1, 1, 1)


def frozen(path, dtype=None):
    import tensorflow as tf  # noqa: PLC0415 - takes seconds

    v1, random = tf.compat.v1, np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        data = v1.placeholder(tf.float32, (None, 8, 6, 3), name="in")
        kernel = tf.constant(random.normal(size=(3, 3, 3, 4)).astype(np.float32))
        found = tf.nn.relu(v1.nn.conv2d(data, kernel, 1, "SAME"))
        weights = tf.constant(random.normal(size=(192, 5)).astype(np.float32))
        tf.nn.softmax(tf.matmul(tf.reshape(found, [-1, 192]), weights), name="out")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def test_frozen_graph_takes_channels_first_and_says_what_tensorflow_says(tmp_path, capsys):
    frozen(tmp_path / "model.pb")
    run_migrate(tmp_path / "model.pb")
    report = json.loads((tmp_path / "model.migration.json").read_text())
    assert report["onnx"]["inputs"] == [{"name": "in", "type": "FLOAT", "shape": ["N", 3, 8, 6]}]
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert gates["original_difference"]["value"] < 1e-5
    assert report["original"]["runtime"].startswith("TensorFlow ")
    assert "passed" in capsys.readouterr().out
    uff = import_model(tmp_path / "model.pb", tmp_path / "uff").path
    run_migrate(uff, "--out", tmp_path / "uff.onnx")
    assert json.loads((tmp_path / "uff.migration.json").read_text())["original"]["runtime"] is None
    assert "No independent runtime has run the original:" in (tmp_path / "uff.migration.txt").read_text()
    assert (tmp_path / "uff.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_gates_fail_where_the_model_says_something_else(folder):
    for table in (None, read_scales(folder / "Table")):
        lowered = lower_model(import_model(folder / "lenet.caffemodel", folder / "in"), table)
        assert all(gate.passed for gate in agreement_gates(check_agreement(lowered, 0), table is not None))
        other = onnx.ModelProto()
        other.CopyFrom(lowered.model)
        for tensor in other.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim > 1:
                tensor.CopyFrom(numpy_helper.from_array(values * np.float32(-1), tensor.name))
        wrong = dataclasses.replace(lowered, model=other)
        assert not any(gate.passed for gate in agreement_gates(check_agreement(wrong, 0), table is not None))


def test_nothing_that_is_no_number_passes():
    found = {"out": np.array([[np.nan, 1]])}
    for int8 in (False, True):
        gates = agreement_gates({1: compare(found, {"out": np.ones((1, 2))})}, int8)
        assert [gate.passed for gate in gates] == [False]


def test_failed_gate_is_in_the_report_and_ends_the_command(folder, monkeypatch):
    monkeypatch.setattr("trtflow.migration.agreement.FP32_LIMIT", -1.0)
    with pytest.raises(
        UserError, match="lenet.onnx: it does not say what the model says .difference_batch_1, difference_batch_3."
    ):
        run_migrate(folder / "lenet.caffemodel")
    assert json.loads((folder / "lenet.migration.json").read_text())["passed"] is False
    assert "FAILED" in (folder / "lenet.migration.txt").read_text()


def test_rankings_are_compared_in_order():
    values = onnx.helper.make_tensor_value_info("x", 1, ["N", 4])
    out = [onnx.helper.make_tensor_value_info(name, 1, ["N", 4]) for name in ("best", "plain")]
    nodes = [
        onnx.helper.make_node("TopK", ["x", "k"], ["first", "places"]),
        onnx.helper.make_node("Relu", ["first"], ["best"]),
        onnx.helper.make_node("Relu", ["x"], ["plain"]),
    ]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [values], out))
    assert ranked_outputs(model) == ["best"]
    first, second = ({"best": np.array([row])} for row in ([1, 2, 3], [1, 3, 2]))
    assert compare(first, second)[0].largest > 0
    assert compare(first, second, ["best"])[0].largest == 0


def test_foreign_operator_is_refused():
    values = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    node = onnx.helper.make_node("Gelu", ["x"], ["y"], name="g", domain="com.microsoft")
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:]), opset_imports=opsets)
    model.ir_version = 8
    with pytest.raises(FormatError, match="node 'g' is Gelu of the domain 'com.microsoft'"):
        check_plain(model)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-999])


TABLE = ["--table", "Table"]


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (lambda f: truncate(f / "lenet.caffemodel"), [], "caffemodel: cut off or damaged"),
        (lambda f: edit(f / "lenet.prototxt", '"ReLU"', '"Mish"'), [], "layer 'relu1': unknown type 'Mish' in .*lenet"),
        (lambda f: edit(f / "Table", "ip2: ", "other: "), TABLE, "Table: 1 of its 8 tensors are not in the model"),
        (lambda f: edit(f / "Table", "8600", "5105"), TABLE, "made by TensorRT 5105, but 8600 .*--table-version 5105"),
        (lambda f: edit(f / "Table", "conv2: ", "(Unnamed Layer* 9): "), TABLE, "that have none, first 'conv2'"),
        (lambda f: (f / "lenet.prototxt").unlink(), [], "lenet.prototxt: no such file, which .* Name it with --deploy"),
        (lambda f: None, ["--output", "porb"], "no blob 'porb'. Close to it are prob"),
        (lambda f: None, ["--deploy", "lenet.caffemodel"], "is not text. Give the prototxt, not the caffemodel"),
    ],
)
def test_bad_input_is_one_clear_error(folder, monkeypatch, damage, arguments, message):
    monkeypatch.chdir(folder)
    damage(folder)
    with pytest.raises(UserError, match=message):
        run_migrate("lenet.caffemodel", *arguments)
    assert not list(folder.glob("*.onnx")) + list(folder.glob("*.migration.*"))


def test_table_of_another_version_is_taken_where_that_is_said(folder):
    edit(folder / "Table", "TRT-8600", "TRT-8502")
    run_migrate(folder / "lenet.caffemodel", "--table", folder / "Table", "--table-version", "8502")
    assert json.loads((folder / "lenet.migration.json").read_text())["table"]["version"] == "8502"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.h5", "model.h5: no known form. Give a file that ends in .prototxt, .caffemodel, .onnx, .uff, .pb"),
        ("model.onnx", "model.onnx: not an ONNX model, or a damaged one"),
        ("model.uff", "model.uff: cut off or damaged"),
        ("model.pb", "model.pb: not a TensorFlow graph, or a damaged one"),
    ],
)
def test_other_files_are_refused(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"\xff" * 40)
    with pytest.raises(UserError, match=message):
        run_migrate(tmp_path / name)


def test_command_and_script_exit_with_one_line(folder):
    shutil.copy(folder / "lenet.caffemodel", folder / "alone.caffemodel")
    for command in (["-m", "trtflow", "migrate"], [ROOT / "scripts" / "migrate.py"]):
        run = [sys.executable, *command]
        done = subprocess.run(
            [*run, folder / "alone.caffemodel"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("error: ")
        done = subprocess.run(
            [*run, folder / "lenet.caffemodel"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("passed\n")
