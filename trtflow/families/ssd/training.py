"""Training of SSDs, on whichever trunk, as Liu et al. do (arXiv:1512.02325, §2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.voc import Annotation
from trtflow.families.common.multibox import CLASS_LOSSES, match, multibox_loss, pretrain, to_input
from trtflow.families.common.pytorch import minimise, prepare_torch
from trtflow.families.common.scenes import read_scenes
from trtflow.families.common.schedule import Schedule, pretraining_of, schedule_of, training_settings
from trtflow.families.ssd.checkpoint import save_ssd
from trtflow.families.ssd.network import SIZE
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {
    "pretraining_steps": 150,
    "pretraining_batch_size": 32,
    "steps": 320,
    "batch_size": 8,
    "learning_rate": 0.003,
    "seed": 0,
    "threads": 2,
}
DEFAULT_WIDTH = 0.125


def train(model: Any, images: np.ndarray, annotations: Sequence[Annotation], schedule: Schedule) -> list[float]:
    """Train a model in place.

    Args:
        model: the network.
        images: uint8 [n, 300, 300, 3], red, green, blue.
        annotations: the objects of each image.
        schedule: how long and how fast.

    Returns:
        The loss of each step.

    Raises:
        UserError: the loss is no longer a number.
    """

    def loss_of(batch: np.ndarray) -> Tensor:
        targets = [match(model.priors, annotations[index]) for index in batch]
        true_offsets, labels = (torch.stack(parts) for parts in zip(*targets, strict=True))
        offsets, logits = model(to_input(model, images[batch]))
        return multibox_loss(offsets, logits, true_offsets, labels, CLASS_LOSSES[model.scores])

    return minimise(model, loss_of, len(images), schedule)


def train_ssd(job: Job, kind: type[Any]) -> None:
    """Train a network of that kind on the split `train`, its trunk first, and write it and its losses."""
    settings = training_settings(job, **DEFAULTS)
    images, annotations = read_scenes(job.input("train"), SIZE)
    prepare_torch(settings["seed"], settings["threads"])
    model = kind(len(CLASSES), float(job.setting("model.width", DEFAULT_WIDTH)))
    losses = {
        "pretraining": pretrain(model, images, annotations, pretraining_of(settings)),
        "training": train(model, images, annotations, schedule_of(settings)),
    }
    write_json(job.output("training"), {"loss": losses})
    save_ssd(model, job.output("model"))


def random_ssd(job: Job, kind: type[Any]) -> None:
    """Write a network of that kind with random weights: `model.classes`, the background included, and `model.width`."""
    torch.manual_seed(int(job.setting("model.seed", 0)))
    save_ssd(kind(job.setting("model.classes"), float(job.setting("model.width", 1))).eval(), job.output("model"))
