"""TensorRT against the reference runtime, for each sample and precision, from the same exports, tables and inputs.

make test-gpu
"""

import json

import numpy as np
import pytest
from jobs import step
from on_gpu import SAMPLES, algorithm, require, script

from trtflow.formats.dynamic_ranges import read_ranges, write_ranges
from trtflow.formats.files import write_json
from trtflow.metrics.detections import LEAST_SCORE, max_difference

CASES = [(name, precision) for name, sample in SAMPLES.items() for precision in sample["precisions"]]
PROGRAMS = [(name, program) for name, sample in SAMPLES.items() for program in sample.get("programs", [])]
SCORES = {"detection": "map", "classification": "top1"}
FP32 = 1e-4
DETECTIONS = 2.5e-4  # a step of the half numbers that sizes of boxes are rounded to: one may fall to the other side
SCORE = 0.01


def scales(sample, made, precision, reference):
    """Return the options that give an INT8 engine of a sample its scales: those that TensorRT's was built with."""
    if precision != "int8":
        return []
    if algorithm(sample) == "ranges":
        return ["--ranges", known_ranges(sample["name"], made, reference)]
    table = made / f"calibration/CalibrationTable{sample['name']}"
    return ["--calibration-table", table, "--algorithm", algorithm(sample)]


def known_ranges(name, made, reference):
    """Return a file of TensorRT's ranges without those of helper tensors that only TensorRT's ONNX parser makes."""
    backend, tensors, path = (
        reference / "backend.json",
        reference / name / "tensors.txt",
        reference / name / "ranges.txt",
    )
    script(
        "write_tensors", "--sample", name, "--export-dir", made / "export", "--backend-file", backend, "--out", tensors
    )
    names = {line.removeprefix("TensorName: ") for line in tensors.read_text().splitlines()}
    ranges = read_ranges(made / "calibration/ranges.txt")
    others = [tensor for tensor in ranges if tensor not in names]
    assert all(tensor.startswith("(Unnamed Layer") for tensor in others), others
    write_ranges(path, {tensor: value for tensor, value in ranges.items() if tensor in names})
    return path


def reference_predictions(reference, results, name, precision, program=None):
    """Return the file of what the reference runtime predicts from what the TensorRT run used."""
    sample, made, form = SAMPLES[name], results / name, ".".join(filter(None, (name, program)))
    plan, predictions = reference / form / f"engine.{precision}.plan", reference / form / f"{precision}.npz"
    common = ["--sample", form, "--precision", precision, "--export-dir", made / "export"]
    size = ["--max-batch-size", sample["max_batch_size"]]
    script("lower_network", *common, *scales(sample, made, precision, reference), *size, "--out", plan)
    backend = json.loads((reference / "backend.json").read_text())
    origin = {"backend": backend, "plugins": sample.get("plugins", [])}
    write_json(plan.with_suffix(".json"), origin)
    files = {"plan": plan, "backend": reference / "backend.json", "inputs": made / (program or "") / "inputs.npz"}
    given = {"inputs": files, "outputs": {"predictions": predictions}}
    settings = {"max_batch_size": sample["max_batch_size"]}
    script("infer", *step("infer", sample=form, task=sample["task"], settings=settings, **given))
    return predictions


def check_probabilities(first, second):
    """Hold TensorRT's probabilities of an fp32 engine against the reference's."""
    scale = np.abs(second["probabilities"]).max()
    assert np.abs(first["probabilities"] - second["probabilities"]).max() <= FP32 * scale


def score(results, name, precision, predictions, out):
    """Return the task's score of predictions."""
    kinds = {key: SAMPLES[name][key] for key in ("family", "task", "data_set")}
    val = next(path for path in (results / name / f"data/val.{form}" for form in ("npz", "sha256")) if path.exists())
    files = {"inputs": {"val": val, "predictions": predictions}, "outputs": {"metrics": out}}
    script("score", *step("score", sample=name, **kinds, **files))
    return json.loads(out.read_text())["metrics"][SCORES[SAMPLES[name]["task"]]]


@pytest.mark.parametrize(("name", "precision"), CASES)
def test_tensorrt_agrees_with_the_reference(tensorrt_results, reference, name, precision):
    if SAMPLES[name]["task"] not in SCORES:
        pytest.skip(f"{name} has a test of its own")
    engine = require(tensorrt_results / name / f"predictions.{precision}.npz")
    expected = reference_predictions(reference, tensorrt_results, name, precision)
    if precision == "fp32":
        first, second = np.load(engine), np.load(expected)
        if "detections" in first:
            assert max_difference(first["detections"], second["detections"], LEAST_SCORE) <= DETECTIONS
        else:
            check_probabilities(first, second)
    scores = [
        score(tensorrt_results, name, precision, path, reference / name / f"{precision}.{index}.json")
        for index, path in enumerate((engine, expected))
    ]
    assert abs(scores[0] - scores[1]) <= SCORE


@pytest.mark.parametrize(("name", "program"), PROGRAMS)
def test_tensorrt_agrees_with_the_reference_on_each_form_of_a_model(tensorrt_results, reference, name, program):
    engine = require(tensorrt_results / name / program / "predictions.npz")
    check_probabilities(
        np.load(engine), np.load(reference_predictions(reference, tensorrt_results, name, "fp32", program))
    )
