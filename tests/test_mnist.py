"""The thirteen MNIST samples for real: every gate passes, and each shows what its chapter teaches.

mnist and int8 are trained as they are configured; the others for an eighth of that, with gates to match.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kept import copy_of, kept

from trtflow.formats.batch_file import read_batch
from trtflow.formats.calibration_table import read_table
from trtflow.workflow.configuration import read_mapping

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = (
    "mnist",
    "mnist_api",
    "uff_mnist",
    "onnx_mnist",
    "int8",
    "plugin",
    "mlp",
    "end_to_end_tensorflow_mnist",
    "network_api_pytorch_mnist",
    "fc_plugin_caffe_mnist",
    "uff_custom_plugin",
    "int8_caffe_mnist",
    "engine_refit_mnist",
)


WHOLE = ("mnist", "int8")


def short(name):
    """Return what is changed of a sample for a short training."""
    gates = read_mapping(ROOT / "config" / "samples" / f"{name}.yaml")["gates"]
    limits = {gate["name"]: 0.9 for gate in gates if gate["op"] == ">="}
    limits |= {gate["name"]: 0.03 for gate in gates if gate["name"].endswith("_drop")}
    return {"training": {"steps": 400} if name == "mlp" else {"steps": 150, "batch_size": 16}, "limits": limits}


SHORT = f"samples={json.dumps({name: short(name) for name in SAMPLES if name not in WHOLE})}"


def snakemake(folder, *arguments, samples=(SHORT,)):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder, "--quiet", "all"]
    command += ["--config", "latency_seconds=0.1", *samples, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def finish(folder):
    done = snakemake(folder, "--keep-going", "--", *(f"results/{name}_report.json" for name in SAMPLES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_of(kept("mnist", SHORT, finish), tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="module")
def results(folder):
    return folder / "results"


@pytest.fixture(scope="module")
def reports(results):
    return {name: json.loads((results / f"{name}_report.json").read_text()) for name in SAMPLES}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_gate_passes(reports, name):
    gates = {gate["name"]: gate["passed"] for gate in reports[name]["gates"]}
    assert {"top1", "framework_agreement"} <= set(gates)
    assert all(gates.values()), reports[name]["gates"]
    assert reports[name]["passed"] is True


@pytest.mark.parametrize("name", SAMPLES)
def test_report_has_ten_digits_as_the_guide_prints_them(reports, folder, name):
    lines = reports[name]["texts"]["digits"]
    assert lines.count("Input:") == lines.count("Output:") == 10
    assert sum(line.startswith("0:") for line in lines) == 10
    assert all((folder / path).exists() for path in reports[name]["figures"])


def layers_of(results, name):
    return (results / name / "layers.fp32.txt").read_text()


def test_mnist_subtracts_the_mean_in_a_layer_before_the_parsed_ones(results):
    lines = layers_of(results, "mnist")
    assert "mean: CONSTANT -> " in lines
    assert "subtract_mean: ELEMENTWISE -> " in lines


def test_onnx_report_names_layers_types_and_dimensions(results):
    assert "Convolution28: CONVOLUTION -> Convolution28_Output_0 (1, 8, 28, 28)" in layers_of(results, "onnx_mnist")
    assert "Times212: MATRIX_MULTIPLY -> Times212_Output_0 (1, 10)" in layers_of(results, "onnx_mnist")


def test_the_last_layer_is_a_plugin(results):
    for name in ("plugin", "fc_plugin_caffe_mnist"):
        assert "ip2: PLUGIN_V2 -> ip2 (10, 1, 1)" in layers_of(results, name)
        assert json.loads((results / name / "engine.fp16.json").read_text())["plugins"] == ["FCPlugin"]


def test_relu6_became_a_clip_plugin(results):
    assert "trt_relu6_0: PLUGIN_V2" in layers_of(results, "uff_custom_plugin")
    assert "ACTIVATION" not in layers_of(results, "uff_custom_plugin")


def test_the_three_forms_of_a_perceptron_agree(results):
    with np.load(results / "mlp" / "predictions.fp32.npz") as file:
        assert file["forms"].shape[1:] == (3, 10)
        np.testing.assert_allclose(file["forms"][:, 0], file["forms"][:, 2], atol=1e-4)


def test_refit_turns_a_useless_engine_into_the_trained_one(reports):
    metrics = reports["engine_refit_mnist"]["precisions"]["fp32"]["metrics"]
    assert metrics["top1_before_refit"] <= 0.6
    assert metrics["top1"] >= 0.9


def test_second_build_uses_the_table_and_calibrates_again_where_it_is_missing(results, folder):
    table, plan = (results / "int8" / name for name in ("calibration/CalibrationTableint8", "engine.int8.plan"))
    snakemake(folder, "--", "results/int8/calibration/CalibrationTableint8")  # there, whatever was interrupted before
    kept, when = read_table(table), table.stat().st_mtime_ns
    plan.unlink()
    done = snakemake(folder, "--", "results/int8/engine.int8.plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert table.stat().st_mtime_ns == when
    table.unlink()
    plan.unlink()
    done = snakemake(folder, "--", "results/int8/engine.int8.plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_table(table) == kept


def test_captured_batches_are_the_ones_that_are_made(results, tmp_path):
    """§8.6.1 and §8.6.2 of the guide, on the same pictures."""
    folder = results / "int8"
    inputs = {"calibration": folder / "data" / "calibration.npz", "model": folder / "model" / "network.pt"}
    job = {
        "sample": "int8",
        "step": "capture_batches",
        "function": "capture_batches",
        "family": "digits",
        "task": "classification",
        "data_set": "digits",
        "settings": {"model": {"pixels": "unit"}, "calibration": {"batch_size": 10}},
        "inputs": {name: [str(path)] for name, path in inputs.items()},
        "outputs": {"batches": [str(tmp_path / "batches" / "batch0")]},
    }
    command = [sys.executable, ROOT / "scripts" / "export.py", "--job", json.dumps(job)]
    environment = {**os.environ, "TENSORRT_INT8_BATCH_DIRECTORY": str(tmp_path / "named")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "accuracy: 0.9" in done.stdout or "accuracy: 1.0" in done.stdout
    made = sorted((folder / "calibration" / "batches").iterdir())
    for captured in (tmp_path / "batches", tmp_path / "named"):
        assert [path.name for path in made] == sorted(path.name for path in captured.iterdir())
        for path in made:
            assert (captured / path.name).read_bytes() == path.read_bytes()
    assert read_batch(made[0]).labels is not None


def test_the_guides_own_split_is_an_option(tmp_path):
    captured = "samples={int8: {calibration: {split: val, batches: captured}}}"
    done = snakemake(tmp_path, "--dry-run", "--", "results/int8_report.json", samples=[captured])
    assert done.returncode == 0, done.stderr
