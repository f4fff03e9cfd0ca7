"""Models that are quantised already, by ONNX Runtime or PyTorch: INT8 as they are, fp32 and fp16 without pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import CalibrationDataReader
from own_steps import done, job_of, run_engine, through, written
from small_onnx import FLOAT, node, write_model

from trtflow.converters.quantised import with_float_constants, without_pairs
from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.samples import load
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.plan import make_plan

COUNT = 24
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
PAIRS = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8, "quant_format": QuantFormat.QDQ}


class Rows(CalibrationDataReader):
    def __init__(self, rows):
        self.rows = iter(np.split(rows, 4))

    def get_next(self):
        rows = next(self.rows, None)
        return None if rows is None else {"x": rows}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quantised(options=SYMMETRIC, **kinds):
    """Write model.onnx, a small network that ONNX Runtime quantised, and data.npz; return the rows in it."""
    rng = np.random.default_rng(0)
    stored = {
        "kernel": rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "bias": rng.normal(size=8).astype(np.float32),
        "matrix": rng.normal(size=(8, 4)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x kernel bias", "seen", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", "seen", "kept"),
        node("MaxPool", "kept", "pooled", kernel_shape=[6, 6]),
        node("Flatten", "pooled", "row"),
        node("MatMul", "row matrix"),
    ]
    write_model(nodes, {"x": (FLOAT, [3, 6, 6])}, [4], **stored)
    rows = rng.normal(size=(COUNT, 3, 6, 6)).astype(np.float32)
    Path("model.onnx").rename("before.onnx")
    quantize_static("before.onnx", "model.onnx", Rows(rows), **{**PAIRS, **kinds}, extra_options=options)
    np.savez("data.npz", x=rows)
    return rows


def by_onnxruntime(model, rows):
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, settings).run(None, {"x": rows})[0]


def snr_db(found, wanted):
    return 10 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum())


FORMS = {
    "per tensor": {},
    "per channel": {"per_channel": True},
    "biases in float": {"options": {**SYMMETRIC, "QuantizeBias": False}},
    "weights in float": {"options": {**SYMMETRIC, "AddQDQPairToWeight": True, "QuantizeBias": False}},
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_are_what_int8_is(form):
    rows = quantised(**FORMS[form])
    wanted = by_onnxruntime("model.onnx", rows)
    told, text = written("model.onnx", "--data", "data.npz")
    assert told["model"]["quantised"] is True
    assert {"calibration", "mixed_precision"}.isdisjoint(told)
    assert {gate["limit"] for gate in told["gates"]} == {10}
    assert "int8 is as the model's own pairs say" in text
    plan = make_plan(ROOT, {})
    assert plan.table("model", "int8") == []
    assert "results/model/export/float.onnx" in plan.exports("model")
    _, agreement = through("model")
    assert 20 < agreement["snr_db"] < 60  # float32 is not what the model was
    sample = load("model")
    found = run_engine(sample, {"x": rows}, COUNT, "int8")["output/y"]
    assert snr_db(found, wanted) > max(45, agreement["snr_db"] + 6)  # a value on the edge may fall into the next step
    (framework,) = read_arrays("results/model/model/predictions.npz", "output/y")
    np.testing.assert_allclose(framework, wanted, atol=1e-5)
    plain = run_engine(sample, {"x": rows}, COUNT, "fp32")["output/y"]
    before = by_onnxruntime("before.onnx", rows)
    assert snr_db(plain, before) > snr_db(wanted, before)  # its weights alone are rounded


def test_constants_in_float_compute_the_same_to_the_bit():
    rows = quantised(per_channel=True)
    model = onnx.load("model.onnx")
    found = by_onnxruntime(with_float_constants(model).SerializeToString(), rows)
    np.testing.assert_array_equal(found, by_onnxruntime("model.onnx", rows))
    plain = without_pairs(model)
    onnx.checker.check_model(plain, full_check=True)
    assert not any("quantize" in part.op_type.lower() for part in plain.graph.node)


class Trained(torch.nn.Module):
    """As training with quantisation leaves a network in PyTorch: floats in front of fake quantisation, weights too."""

    def __init__(self):
        super().__init__()
        self.seen, self.said = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8, 4)

    def forward(self, x):
        kernel, zeros = self.seen.weight, torch.zeros(8, dtype=torch.int32)
        kernel = torch.fake_quantize_per_channel_affine(kernel, torch.full((8,), 0.0016), zeros, 0, -128, 127)
        seen = torch.nn.functional.conv2d(in_steps(x, 0.02), kernel, self.seen.bias, padding=1)
        row = in_steps(torch.relu(seen).mean((2, 3)), 0.01)
        return torch.nn.functional.linear(row, in_steps(self.said.weight, 0.003), self.said.bias)


def in_steps(values, scale):
    return torch.fake_quantize_per_tensor_affine(values, scale, 0, -128, 127)


def test_fake_quantisation_of_pytorch_is_pairs():
    torch.manual_seed(0)
    trained, rows = Trained().eval(), np.random.default_rng(0).normal(size=(COUNT, 3, 6, 6)).astype(np.float32)
    np.savez("data.npz", x=rows)
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
    torch.onnx.export(trained, (torch.from_numpy(rows[:1]),), "model.onnx", opset_version=13, dynamo=False, **names)
    told, _ = written("model.onnx", "--data", "data.npz")
    assert told["model"]["quantised"] is True
    through("model")
    with torch.no_grad():
        wanted = trained(torch.from_numpy(rows)).numpy()
    sample = load("model")
    found = {name: run_engine(sample, {"x": rows}, COUNT, name)["output/y"] for name in ("int8", "fp32")}
    assert snr_db(found["int8"], wanted) > max(40, snr_db(found["fp32"], wanted) + 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"options": {}}, r"model.onnx: it is quantised already, but not as TensorRT takes it: .*ActivationSymmetric"),
        ({"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}, r"not as TensorRT takes it"),
        (
            {"quant_format": QuantFormat.QOperator},
            r"it is quantised already \(QLinear\w+\): .*QuantFormat.QDQ, or give",
        ),
    ],
)
def test_other_forms_are_one_line_with_a_way_out(arguments, message):
    quantised(**arguments)
    with pytest.raises(UserError, match=message) as caught:
        written("model.onnx", "--data", "data.npz")
    assert "give the model as it was before" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ranges_that_are_found_while_it_runs_are_refused():
    nodes = [
        onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("DequantizeLinear", "q s z"),
    ]
    write_model(nodes, {"x": (FLOAT, [3])}, [3])
    with pytest.raises(UserError, match=r"model.onnx: it is quantised already \(DynamicQuantizeLinear\): its ranges"):
        written("model.onnx")


def test_the_file_and_the_model_agree_on_it():
    quantised()
    told, _ = written("model.onnx", "--data", "data.npz")
    path = Path("config/samples/model.yaml")
    path.write_text(yaml.safe_dump({**told, "calibration": {"algorithm": "auto"}}))
    with pytest.raises(PlanError, match="calibration: a model that is quantised already is not calibrated"):
        make_plan(ROOT, {})
    path.write_text(yaml.safe_dump({**told, "model": {"file": "model.onnx"}}))
    with pytest.raises(UserError, match="model.onnx: it is quantised already. Set model.quantised: true"):
        done(job_of("model", "export"))
    path.write_text(yaml.safe_dump({**told, "model": {"file": "before.onnx", "quantised": True}}))
    with pytest.raises(UserError, match="before.onnx: it has no pairs that quantise. Leave model.quantised out"):
        done(job_of("model", "export"))
