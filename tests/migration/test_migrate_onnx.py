"""The command migrate on ONNX models of others: what it takes, what it refuses, and what the errors say."""

import argparse
import json

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx import numpy_helper

import trtflow.reference as trt
from trtflow.formats import UserError
from trtflow.formats.calibration_table import CalibrationTable
from trtflow.migration.command import add_options, migrate
from trtflow.reference.lower.int8_tensors import all_tensors

RANDOM = np.random.default_rng(0)
WEIGHTS = {"w": (8, 3, 3, 3), "b": (8,), "v": (4, 8, 1, 1), "t": (2, 8), "k": (8, 3, 3)}
WEIGHTS |= {"d": (3, 4, 4, 4), "g": (8, 2, 2, 2), "h": (3, 5, 4), "m": (8, 6), "n": (6, 8), "e": (6,)}
CONV = "a = Conv<pads=[1,1,1,1]>(x, w, b)"
NET = f"(float[N,3,8,8] x) => (float[N,4,8,8] y) {{ {CONV} r = Relu(a) y = Conv(r, v) }}"


def save(path, text, opset=13, domain="", **arguments):
    """Write a model whose weights are those of `WEIGHTS` that it reads."""
    opsets = f'"" : {opset}' + (f', "{domain}" : 1' if domain else "")
    model = onnx.parser.parse_model(f"<ir_version: 8, opset_import: [{opsets}]> g {text}")
    read = {name for node in model.graph.node for name in node.input}
    for name in read & WEIGHTS.keys():
        values = RANDOM.normal(0, 0.3, WEIGHTS[name]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.save(model, path, **arguments)
    return path


def write_table(path, model, *, without=(), scale=0.02):
    network = trt.INetworkDefinition(1)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.INTERNAL_ERROR))
    assert parser.parse_from_file(str(model)), parser.get_error(0)
    scales = {tensor.name: np.float32(scale) for tensor in all_tensors(network) if tensor.name not in without}
    path.write_bytes(CalibrationTable("8600", "EntropyCalibration2", scales).to_bytes())
    return path


def run_migrate(*arguments):
    parser = argparse.ArgumentParser()
    add_options(parser)
    migrate(parser.parse_args(list(map(str, arguments))))


def pairs_of(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnxruntime.InferenceSession(model.SerializeToString())
    return sum(node.op_type == "QuantizeLinear" for node in model.graph.node)


TAKEN = {
    "opset 7": (NET, 7),
    "opset 21": (NET, 21),
    "two outputs": (NET.replace(") {", ", float[N,8,8,8] r) {", 1), 13),
    "a picture in bytes": (
        f"(uint8[N,3,8,8] u) => (float[N,8,8,8] a) {{ x = Cast<to=1>(u) {CONV} }}",
        13,
    ),
    "sizes by values": (f"(float[N,3,8,8] x) => (int64[4,K] y) {{ {CONV} y = NonZero(a) }}", 13),
    "indices beside it": (
        f"(float[N,3,8,8] x, int64[N] i) => (float[N,8,8,8] a, float[N,8] e) {{ {CONV} e = Gather(t, i) }}",
        13,
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_models_with_a_table_become_models_with_pairs(tmp_path, name):
    text, opset = TAKEN[name]
    model = save(tmp_path / "model.onnx", text, opset)
    run_migrate(model, "--table", write_table(tmp_path / "Table", model))
    assert pairs_of(tmp_path / "model.int8.onnx") >= 2
    report = json.loads((tmp_path / "model.int8.migration.json").read_text())
    assert report["passed"]
    assert {gate["name"] for gate in report["gates"]} >= {"original_difference", "mean_difference_batch_1"}


def product_with_table(folder, given, made, nodes, *kinds):
    """Migrate a model with a table; return its graph, what makes each tensor of it, and its node of these kinds."""
    model = save(folder / "model.onnx", f"(float[N,{given}] x) => (float[N,{made}] y) {{ {nodes} }}")
    run_migrate(model, "--table", write_table(folder / "Table", model))
    assert pairs_of(folder / "model.int8.onnx") >= 2
    graph = onnx.load(folder / "model.int8.onnx").graph
    (product,) = (node for node in graph.node if node.op_type in kinds)
    return graph, {name: node for node in graph.node for name in node.output}, product


def test_rows_are_convolved_in_int8(tmp_path):
    text = "(float[N,3,9] x) => (float[N,8,A] y) { y = Conv<strides=[2], pads=[1,0]>(x, k) }"
    model = save(tmp_path / "model.onnx", text)
    run_migrate(model, "--table", write_table(tmp_path / "Table", model))
    assert pairs_of(tmp_path / "model.int8.onnx") >= 2


DECONVOLUTIONS = {
    "a scale for each channel": ("3,6,6", "4,12,12", "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1]>(x, d)"),
    "groups with one scale": ("8,6,6", "4,12,12", "y = ConvTranspose<strides=[2,2], group=2>(x, g)"),
    "more output than padding takes": (
        "3,6,6",
        "4,13,13",
        "r = Relu(x) y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>(r, d)",
    ),
    "rows": ("3,6", "5,9", "y = ConvTranspose(x, h)"),
}


@pytest.mark.parametrize("name", DECONVOLUTIONS)
def test_transposed_convolutions_multiply_in_int8(tmp_path, name):
    given, made, nodes = DECONVOLUTIONS[name]
    graph, makers, product = product_with_table(tmp_path, given, made, nodes, "ConvTranspose")
    kernel = makers[product.input[1]]
    assert [makers[makers[product.input[0]].input[0]].op_type, kernel.op_type] == ["QuantizeLinear", "DequantizeLinear"]
    (scale,) = (tensor for tensor in graph.initializer if tensor.name == kernel.input[1])
    assert list(scale.dims) == ([] if "groups" in name else [int(made.split(",")[0])])


MATRICES = {
    "rows of words": ("5,8", "5,6", "y = MatMul(x, m)"),
    "behind an activation, with a bias": ("5,8", "5,6", "r = Relu(x) p = MatMul(r, m) y = Add(p, e)"),
    "reshaped before": ("8,3,2", "6,6", "a = Constant<value_ints=[0,6,8]>() r = Reshape(x, a) y = MatMul(r, m)"),
    "a fully connected layer": ("8", "6", "y = Gemm<transB=1>(x, n, e)"),
    "not transposed": ("8", "6", "y = Gemm(x, m, e)"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_products_with_constant_matrices_are_in_int8(tmp_path, name):
    given, made, nodes = MATRICES[name]
    graph, makers, product = product_with_table(tmp_path, given, made, nodes, "MatMul", "Gemm")
    assert [makers[name].op_type for name in product.input[:2]] == ["DequantizeLinear"] * 2
    (scale,) = (tensor for tensor in graph.initializer if tensor.name == makers[product.input[1]].input[1])
    assert list(scale.dims) == [6]
    read = {name for node in graph.node for name in node.input}
    assert [tensor.name for tensor in graph.initializer if tensor.name not in read] == []


def test_a_product_of_what_has_no_scale_stays_in_float(tmp_path):
    text = f"(float[N,3,8,8] x) => (float[N,8,8,6] y) {{ {CONV} u = Transpose<perm=[0,2,3,1]>(a) y = MatMul(u, m) }}"
    model = save(tmp_path / "model.onnx", text)
    run_migrate(model, "--table", write_table(tmp_path / "Table", model, without=("u",)))
    graph = onnx.load(tmp_path / "model.int8.onnx").graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    (product,) = (node for node in graph.node if node.op_type == "MatMul")
    assert "DequantizeLinear" not in [makers[name] for name in product.input]


def test_weights_in_another_file_are_found_and_missed(tmp_path):
    model = save(tmp_path / "model.onnx", NET, save_as_external_data=True, location="weights.bin", size_threshold=0)
    table = write_table(tmp_path / "Table", model)
    run_migrate(model, "--table", table)
    assert not [tensor for tensor in onnx.load(tmp_path / "model.int8.onnx").graph.initializer if tensor.external_data]
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(UserError, match=r"model.onnx: its weights lie in another file.*weights.bin.*beside the model"):
        run_migrate(model, "--table", table)


def test_a_table_of_the_whole_model_serves_a_part_of_it(tmp_path):
    """Outputs inside the model too, and an input that they do not need; the original runs as it was given."""
    declared = "(float[N,3,8,8] x, int64[N] i) => (float[N,4,8,8] y, float[N,8] e)"
    text = f"{declared} {{ {CONV} r = Relu(a) y = Conv(r, v) e = Gather(t, i) }}"
    model = save(tmp_path / "model.onnx", text)
    run_migrate(model, "--table", write_table(tmp_path / "Table", model), "--output", "r")
    made = onnx.load(tmp_path / "model.int8.onnx").graph
    assert [[value.name for value in values] for values in (made.input, made.output)] == [["x"], ["r"]]
    report = json.loads((tmp_path / "model.int8.migration.json").read_text())
    assert "original_difference" in {gate["name"] for gate in report["gates"]}


def test_plugins_become_operators_of_onnx_without_a_table(tmp_path):
    text = (
        f'(float[1,3,8,8] x) => (float[1,8,8,8] y) {{ {CONV} y = trt.LReLU_TRT<negSlope=0.25, plugin_version="1">(a) }}'
    )
    model = save(tmp_path / "model.onnx", text, domain="trt")
    run_migrate(model)
    assert pairs_of(tmp_path / "model.plain.onnx") == 0
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(model).graph.initializer}
    same = save(
        tmp_path / "same.onnx", f"(float[1,3,8,8] x) => (float[1,8,8,8] y) {{ {CONV} y = LeakyRelu<alpha=0.25>(a) }}"
    )
    wanted = onnx.load(same)
    for tensor in wanted.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(stored[tensor.name], tensor.name))
    feeds = {"x": RANDOM.normal(size=(1, 3, 8, 8)).astype(np.float32)}
    answers = [
        onnxruntime.InferenceSession(item.SerializeToString()).run(["y"], feeds)[0]
        for item in (onnx.load(tmp_path / "model.plain.onnx"), wanted)
    ]
    np.testing.assert_allclose(*answers, atol=1e-5)


def test_a_later_opset_is_brought_down_without_a_table(tmp_path):
    """TensorRT 8.6 would take the axes that are an input for none, and knows no Gelu."""
    nodes = f"{CONV} r = Gelu(a) p = ReduceMean<keepdims=0>(r, axes) y = MatMul(p, m)"
    text = f"(float[N,3,8,8] x) => (float[N,6] y) <int64[2] axes={{2,3}}> {{ {nodes} }}"
    model = save(tmp_path / "model.onnx", text, 20)
    stored = onnx.load(model)
    run_migrate(model)
    plain = onnx.load(tmp_path / "model.plain.onnx")
    assert [item.version for item in plain.opset_import] == [17]
    assert json.loads((tmp_path / "model.plain.migration.json").read_text())["passed"]
    feeds = {"x": RANDOM.normal(size=(2, 3, 8, 8)).astype(np.float32)}
    answers = [onnxruntime.InferenceSession(item.SerializeToString()).run(["y"], feeds)[0] for item in (plain, stored)]
    np.testing.assert_allclose(*answers, atol=1e-5)


REFUSED = {
    "nothing to do": (NET, [], "model.onnx: ONNX already. Give --table for Q/DQ"),
    "open sizes": (
        NET.replace("[N,3,8,8]", "[N,3,H,W]").replace("[N,4,8,8]", "[N,4,A,B]"),
        ["--table", "Table"],
        r"model.onnx: its input 'x' leaves sizes open behind the batch: 3,\?,\?. Give them with --input x,3,SIZE,SIZE",
    ),
    "a table of no use": (
        "(float[N,8] x) => (float[N,8] y) { y = Softmax(x) }",
        ["--table", "Table"],
        r"model.onnx: .*Table is of no use to it, for none of its layers is quantised",
    ),
    "pairs already": (
        f"(float[N,3,8,8] z) => (float[N,8,8,8] a) <float s={{0.1}}, int8 o={{0}}> "
        f"{{ q = QuantizeLinear(z, s, o) x = DequantizeLinear(q, s, o) {CONV} }}",
        ["--table", "Table"],
        "is of no use to it, for it has quantize layers of its own",
    ),
    "a prototxt": (NET, ["--table", "Table", "--deploy", "x"], "--deploy is for models of caffe. Leave it out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_and_the_way_out(tmp_path, monkeypatch, name):
    text, arguments, message = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    model = save(tmp_path / "model.onnx", text)
    write_table(tmp_path / "Table", model)
    with pytest.raises(UserError, match=message):
        run_migrate(model, *arguments)
    assert not list(tmp_path.glob("*.int8.onnx"))


def test_a_table_that_lacks_a_tensor_is_told_with_both_files(tmp_path):
    model = save(tmp_path / "model.onnx", NET)
    table = write_table(tmp_path / "Table", model, without=("r",))
    with pytest.raises(UserError, match=r"model.onnx with .*Table: INT8 needs the range of 1 tensors.*first 'r'"):
        run_migrate(model, "--table", table)
