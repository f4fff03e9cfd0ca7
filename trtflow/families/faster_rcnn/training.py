"""Training of Faster R-CNN: proposals and what they hold at once, with SSD's matching and loss for both.

Ren et al., arXiv:1506.01497, §3.2, "approximate joint training": proposals count as given, so that no gradient runs
through their coordinates. Each stage matches its boxes with objects and takes the hardest of the background as
`trtflow.families.common.multibox` does; the trunk has learnt to name single objects before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.voc import Annotation
from trtflow.families.common.boxes import decode
from trtflow.families.common.multibox import match, multibox_loss, pretrain
from trtflow.families.common.pytorch import minimise, prepare_torch
from trtflow.families.common.scenes import read_scenes
from trtflow.families.common.schedule import Schedule, pretraining_of, schedule_of, training_settings
from trtflow.families.faster_rcnn.detection import best_proposals, clip, with_last_pixel
from trtflow.families.faster_rcnn.network import FasterRCNN, save_faster_rcnn
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {
    "pretraining_steps": 150,
    "pretraining_batch_size": 32,
    "steps": 200,
    "batch_size": 8,
    "learning_rate": 0.0015,
    "seed": 0,
    "threads": 2,
}
DEFAULT_WIDTH, DEFAULT_SCALES = 0.125, (4, 8, 16)
CONSIDERED, PROPOSALS = 400, 64  # of a picture: boxes that enter suppression, and proposals to learn from


def train(model: FasterRCNN, images: np.ndarray, annotations: Sequence[Annotation], schedule: Schedule) -> list[float]:
    """Train a model in place.

    Args:
        model: the network.
        images: uint8 [n, H, W, 3], red, green, blue.
        annotations: the objects of each image.
        schedule: how long and how fast.

    Returns:
        The loss of each step.

    Raises:
        UserError: the loss is no longer a number.
    """

    def loss_of(batch: np.ndarray) -> Tensor:
        inputs = torch.from_numpy(model.to_input(list(images[batch]))).contiguous(memory_format=torch.channels_last)
        return batch_loss(model, inputs, [annotations[index] for index in batch])

    return minimise(model, loss_of, len(images), schedule)


def batch_loss(model: FasterRCNN, images: Tensor, annotations: Sequence[Annotation]) -> Tensor:
    """Return the loss of a batch [N, 3, H, W], that of the proposals and that of their classes and boxes."""
    height, width = (int(side) for side in images.shape[2:])
    sides = torch.tensor([width, height, width, height])
    features = model.trunk(images)
    anchors = model.anchors(features.shape[2:])
    offsets, logits = model.propose(features)
    wanted, labels = _targets([anchors / sides] * len(images), annotations)
    loss = multibox_loss(offsets, logits, wanted, labels.clamp(max=1))
    boxes = clip(decode(offsets.detach(), anchors), height, width)
    scores = logits.detach().softmax(2)[..., 1]
    rois = torch.stack([_learn_from(*rows) for rows in zip(boxes, scores, annotations, strict=True)])
    wanted, labels = _targets(list(with_last_pixel(rois) / sides), annotations)
    offsets, logits = model.classify(features, rois)
    of_label = offsets.gather(2, labels[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]
    return loss + multibox_loss(of_label, logits, wanted, labels)


def _learn_from(boxes: Tensor, scores: Tensor, annotation: Annotation) -> Tensor:
    """Return the objects' own boxes and the best proposals behind them, float32 [64, 4], first and last pixels."""
    true = torch.from_numpy(annotation.boxes) - torch.tensor([0.0, 0, 1, 1])
    return torch.cat([true, best_proposals(boxes, scores, CONSIDERED, PROPOSALS)])[:PROPOSALS]


def _targets(priors: Sequence[Tensor], annotations: Sequence[Annotation]) -> tuple[Tensor, Tensor]:
    """Return the offsets and labels that boxes from 0 to 1 are to have, [N, P, 4] and [N, P]."""
    found = [match(boxes, annotation) for boxes, annotation in zip(priors, annotations, strict=True)]
    offsets, labels = (torch.stack(parts) for parts in zip(*found, strict=True))
    return offsets, labels


def train_faster_rcnn(job: Job) -> None:
    """Train a network on the split `train`, its trunk first, and write it and its losses."""
    settings = training_settings(job, **DEFAULTS)
    scales = list(map(float, job.setting("model.anchor_scales", DEFAULT_SCALES)))
    images, annotations = read_scenes(job.input("train"))
    prepare_torch(settings["seed"], settings["threads"])
    model = FasterRCNN(len(CLASSES), float(job.setting("model.width", DEFAULT_WIDTH)), scales)
    losses = {
        "pretraining": pretrain(model, images, annotations, pretraining_of(settings)),
        "training": train(model, images, annotations, schedule_of(settings)),
    }
    write_json(job.output("training"), {"loss": losses})
    save_faster_rcnn(model, job.output("model"))
