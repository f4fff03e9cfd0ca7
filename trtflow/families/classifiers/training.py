"""Training of classifiers of pictures, and what they say of those that are held out."""

from __future__ import annotations

import numpy as np

from trtflow.datasets.digit_pictures import CLASSES, read_inputs, read_labels
from trtflow.datasets.manifest import read_split
from trtflow.families.classifiers.network import Classifier, probabilities, save_classifier, train
from trtflow.families.common.pytorch import prepare_torch
from trtflow.families.common.schedule import schedule_of, training_settings
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {"steps": 600, "batch_size": 32, "learning_rate": 0.003, "seed": 0, "threads": 2}


def train_classifier(job: Job) -> None:
    """Train a network on the split `train`; write it, its losses and its predictions of `val`."""
    settings = training_settings(job, **DEFAULTS)
    width, size = float(job.setting("model.width", 1)), int(job.setting("model.size", 224))
    prepare_torch(settings["seed"], settings["threads"])
    model = Classifier(job.setting("model.network"), len(CLASSES), width, size)
    folder, split = read_split(job.input("train")), job.input("train").stem
    images, _ = read_inputs(folder, split, job.setting("model.pixels"), size)
    losses = train(model, images, read_labels(folder, split), schedule_of(settings))
    write_json(job.output("training"), {"loss": {"training": losses}})
    write_predictions(job, model)
    save_classifier(model, job.output("model"))


def write_predictions(job: Job, model: Classifier) -> None:
    """Write the probabilities of the pictures of the split `val`, with the pictures' names."""
    folder, split = read_split(job.input("val")), job.input("val").stem
    images, names = read_inputs(folder, split, job.setting("model.pixels"), model.settings["size"])
    write_arrays(job.output("predictions"), {"probabilities": probabilities(model, images), "images": np.array(names)})
