"""Engines at work, timed and profiled by steps: a small network on the reference runtime."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from jobs import step

from trtflow.formats.arrays import write_arrays

ROOT = Path(__file__).resolve().parents[2]
NAME = "network_api_pytorch_mnist"
SHAPES = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}
COUNT = 5


def script(name, *arguments):
    command = [sys.executable, ROOT / "scripts" / f"{name}.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with LeNet's weights by chance, two engines of it and inputs."""
    folder, rng = tmp_path_factory.mktemp("engines"), np.random.default_rng(0)
    weights = {}
    for layer, shape in SHAPES.items():
        weights[f"{layer}.weight"] = rng.normal(size=shape).astype(np.float32) / np.float32(np.prod(shape[1:]) ** 0.5)
        weights[f"{layer}.bias"] = rng.normal(size=shape[0]).astype(np.float32)
    (folder / "export").mkdir()
    write_arrays(folder / "export/weights.npz", weights)
    images = np.array([f"{index:06d}" for index in range(COUNT)])
    write_arrays(
        folder / "inputs.npz", {"data": rng.normal(size=(COUNT, 1, 28, 28)).astype(np.float32), "images": images}
    )
    done = [script("record_backend", "--backend", "reference", "--out", folder / "backend.json")]
    common = ["--sample", NAME, "--export-dir", folder / "export", "--backend-file", folder / "backend.json"]
    for precision in ("fp32", "fp16"):
        plan = ["--precision", precision, "--max-batch-size", 2, "--plan", folder / f"engine.{precision}.plan"]
        done.append(script("build_engine", *common, *plan))
    assert not any(each.returncode for each in done), [each.stderr for each in done]
    return folder


def do(stage, folder, inputs, outputs, **settings):
    files = {"backend": folder / "backend.json", **inputs}
    more = {"sample": NAME, "task": "classification", "precision": "fp32", "settings": settings}
    done = script(stage, *step(stage, inputs=files, outputs=outputs, **more))
    assert done.returncode == 0, done.stderr


def expected(folder):
    """Return what PyTorch says of the inputs."""
    weights = {name: torch.from_numpy(value) for name, value in np.load(folder / "export/weights.npz").items()}
    data = torch.from_numpy(np.load(folder / "inputs.npz")["data"])
    for layer in ("conv1", "conv2"):
        data = torch.nn.functional.conv2d(data, weights[f"{layer}.weight"], weights[f"{layer}.bias"])
        data = torch.nn.functional.max_pool2d(data, 2)
    data = torch.relu(torch.nn.functional.linear(data.flatten(1), weights["fc1.weight"], weights["fc1.bias"]))
    return torch.softmax(torch.nn.functional.linear(data, weights["fc2.weight"], weights["fc2.bias"]), 1).numpy()


def test_an_engine_says_what_pytorch_does_whatever_the_batch(folder, tmp_path):
    found = []
    for size in (1, 2):
        files = {"plan": folder / "engine.fp32.plan", "inputs": folder / "inputs.npz"}
        out = tmp_path / f"predictions.{size}.npz"
        do("infer", folder, files, {"predictions": out}, max_batch_size=size)
        found.append(np.load(out))
    for each in found:
        assert each["images"].tolist() == [f"{index:06d}" for index in range(COUNT)]
        np.testing.assert_allclose(each["probabilities"], expected(folder), atol=1e-5)


def test_values_of_an_engine_that_are_no_numbers_are_counted(folder, tmp_path):
    given = dict(np.load(folder / "inputs.npz"))
    given["data"][1] = np.nan
    write_arrays(tmp_path / "inputs.npz", given)
    files = {"plan": folder / "engine.fp32.plan", "inputs": tmp_path / "inputs.npz"}
    do("infer", folder, files, {"predictions": tmp_path / "p.npz"}, max_batch_size=2)
    found = np.load(tmp_path / "p.npz")
    counts = dict(zip(found["not_finite_outputs"], found["not_finite_counts"], strict=True))
    assert counts == {"data": 784, "prob": 10}
    assert np.isnan(found["probabilities"]).all(axis=1).tolist() == [False, True, False, False, False]


def test_engines_are_timed_in_turns_with_each_batch_size(folder, tmp_path):
    plans = [folder / f"engine.{precision}.plan" for precision in ("fp32", "fp16")]
    files = {"plans": plans, "values": folder / "inputs.npz"}
    do("measure", folder, files, {"latency": tmp_path / "l.json"}, max_batch_size=2, latency_seconds=0.1)
    found = json.loads((tmp_path / "l.json").read_text())
    assert list(found) == ["fp32", "fp16"]
    for times in found.values():
        assert [row["batch_size"] for row in times["timing"]] == [1, 2]
        assert times["latency_ms"] == times["timing"][0]["latency_ms"]
        assert times["throughput_per_s"] == times["timing"][0]["queries_per_s"] > 0
    do("measure", folder, {"plans": plans[:1]}, {"latency": tmp_path / "l.json"}, batch_sizes=[2], latency_seconds=0.1)
    found = json.loads((tmp_path / "l.json").read_text())
    assert [row["batch_size"] for row in found["fp32"]["timing"]] == [2]


def test_layers_are_timed(folder, tmp_path):
    files = {"plan": folder / "engine.fp32.plan", "values": folder / "inputs.npz"}
    do("profile", folder, files, {"profile": tmp_path / "p.json"}, profile_batch_size=2)
    found = json.loads((tmp_path / "p.json").read_text())
    assert (found["precision"], found["batch_size"], found["iterations"]) == ("fp32", 2, 11)
    assert {layer["name"] for layer in found["layers"]} >= {"conv_1", "fc_2"}
    assert all(layer["ms"] >= 0 for layer in found["layers"])


def test_a_step_starts_anew_under_the_engines_python(folder, tmp_path):
    """The backend of a job names a Python that has TensorRT; one that has not says so, once it was started."""
    python = tmp_path / "engine-python"
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    backend = json.loads((folder / "backend.json").read_text()) | {"name": "tensorrt", "python": str(python)}
    (tmp_path / "backend.json").write_text(json.dumps(backend))
    files = {"backend": tmp_path / "backend.json", "plan": folder / "engine.fp32.plan", "inputs": folder / "inputs.npz"}
    given = step("infer", sample=NAME, task="classification", inputs=files, outputs={"predictions": tmp_path / "p.npz"})
    done = script("infer", *given)
    assert done.returncode == 1
    assert f"the engine's Python {python} has no tensorrt" in done.stderr
    assert (tmp_path / "asked").read_text().split()[0].endswith("infer.py")
