"""Training of the digit networks, and the digits as they take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from trtflow.datasets.digits import PIXELS, read_images, read_labels
from trtflow.families.common.pytorch import minimise, prepare_torch
from trtflow.families.common.schedule import schedule_of, training_settings
from trtflow.families.digits.network import make_network, probabilities, save_network
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.batch_file import Batch
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {"steps": 600, "batch_size": 32, "learning_rate": 0.003, "seed": 0, "threads": 1}
Form = Callable[[np.ndarray], np.ndarray]


def train_digits(job: Job) -> None:
    """Train a network on the split `train`; write it, its losses and its predictions of `val`."""
    settings, name = training_settings(job, **DEFAULTS), job.setting("model.network", "lenet")
    form, data = PIXELS[job.setting("model.pixels", "unit")], job.input("train")
    images, labels = form(read_images(data.parent, data.stem)[0]), read_labels(data.parent, data.stem)
    prepare_torch(settings["seed"], settings["threads"])
    mean, scale = bool(job.setting("model.mean", False)), float(job.setting("model.scale", 1))
    model = make_network(name, images, subtract_mean=mean, scale=scale)
    wanted = torch.from_numpy(labels)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        return functional.cross_entropy(model(torch.from_numpy(images[batch])), wanted[batch])

    losses = minimise(model, loss_of, len(images), schedule_of(settings))
    held_out, names = read_images(job.input("val").parent, job.input("val").stem)
    write_json(job.output("training"), {"loss": {"training": losses}})
    found = {"probabilities": probabilities(model, form(held_out)), "images": np.array(names)}
    write_arrays(job.output("predictions"), found)
    save_network(name, model, job.output("model"))


def full_batches(data: Path, pixels: str, size: int) -> Iterator[Batch]:
    """Yield the digits of a split, an npz file, as a network takes them.

    Raises:
        UserError: they do not fill batches of that size.
    """
    images = PIXELS[pixels](read_images(data.parent, data.stem)[0])
    labels = read_labels(data.parent, data.stem)
    if size < 1 or len(images) % size:
        raise UserError(f"{len(images)} digits of {data} do not fill batches of {size}.")
    for first in range(0, len(images), size):
        yield Batch(images[first : first + size], labels[first : first + size])
