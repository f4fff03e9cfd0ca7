"""Keras networks: repeatable trainings, files without times, checkpoints with sampleMLP's names."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trtflow.datasets.digits import write_digits

ROOT = Path(__file__).resolve().parents[2]


def train(network, data, folder, name, steps=12):
    """Train in a process of its own: TensorFlow takes its threads once."""
    out, outputs = folder / name, {"model": [str(folder / name)]}
    if network == "perceptron":
        outputs = {"checkpoint": [f"{out}.index", f"{out}.data-00000-of-00001"]}
    job = {
        "sample": "toy",
        "step": "train",
        "family": "keras_digits",
        "task": "none",
        "data_set": "digits",
        "function": "train_checkpoint" if network == "perceptron" else "train",
        "settings": {"model": {"network": network}, "training": {"steps": steps}},
        "inputs": {split: [str(data / f"{split}.npz")] for split in ("train", "val")},
        "outputs": {**outputs, "training": [f"{out}.json"], "predictions": [f"{out}.npz"]},
    }
    command = [sys.executable, ROOT / "scripts" / "train.py", "--job", json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_digits(folder, {"train": 100, "calibration": 10, "val": 100}, seed=0)
    return folder


@pytest.fixture(scope="module")
def twice(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [train("dense", data, folder, f"{name}.keras") for name in ("first", "second")]


def test_same_training_same_bytes(twice):
    first, second = twice
    assert first.read_bytes() == second.read_bytes()


def test_file_is_a_keras_model_that_predicts_what_was_written(twice, data):
    from trtflow.families.keras_digits.network import keras, probabilities  # noqa: PLC0415 - takes seconds

    model = keras.saving.load_model(twice[0])
    with np.load(data / "val.npz") as file:
        images = file["images"][..., None].astype(np.float32) / 255
    with np.load(f"{twice[0]}.npz") as file:
        np.testing.assert_allclose(file["probabilities"], probabilities(model, images), atol=1e-6)
        np.testing.assert_allclose(file["probabilities"].sum(1), 1, atol=1e-5)


def test_checkpoint_has_sample_mlps_names(data, tmp_path):
    import tensorflow as tf  # noqa: PLC0415

    train("perceptron", data, tmp_path, "mlp", steps=2)
    shapes = tf.train.load_checkpoint(str(tmp_path / "mlp")).get_variable_to_shape_map()
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert shapes[f"hiddenWeights0{suffix}"] == [784, 256]
    assert shapes[f"outputBias{suffix}"] == [10]
