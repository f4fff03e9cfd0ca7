"""Training of the digit networks in TensorFlow on a sample's digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.digits import PIXELS, read_images, read_labels
from trtflow.families.common.schedule import schedule_of, training_settings
from trtflow.families.common.tensorflow import prepare_tensorflow
from trtflow.families.keras_digits.network import NETWORKS, probabilities, train
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {"steps": 600, "batch_size": 32, "learning_rate": 0.003, "seed": 0, "threads": 1}


def train_digits(job: Job) -> Any:
    """Return a network trained on the split `train`, after writing its losses and its predictions of `val`."""
    settings, train_data, val = training_settings(job, **DEFAULTS), job.input("train"), job.input("val")

    def read(data: Path) -> tuple[np.ndarray, list[str]]:
        ink, names = read_images(data.parent, data.stem)
        return PIXELS[job.setting("model.pixels", "unit")](ink).transpose(0, 2, 3, 1), names  # TensorFlow's order

    prepare_tensorflow(settings["seed"], settings["threads"])
    model = NETWORKS[job.setting("model.network", "lenet")]()
    labels = read_labels(train_data.parent, train_data.stem)
    losses = train(model, read(train_data)[0], labels, schedule_of(settings))
    images, names = read(val)
    write_json(job.output("training"), {"loss": {"training": losses}})
    write_arrays(job.output("predictions"), {"probabilities": probabilities(model, images), "images": np.array(names)})
    return model
