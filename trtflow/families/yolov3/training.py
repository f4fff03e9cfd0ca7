"""Training of YOLOv3: which place answers for which object, the loss, and two rounds of Adam.

Redmon and Farhadi, arXiv:1804.02767, §2. As the original starts from a Darknet-53 that classifies ImageNet, so here the
trunk first learns to classify the objects alone, cut out of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trtflow.datasets.digit_scenes import CLASSES, SIZE
from trtflow.datasets.images import to_unit_input
from trtflow.datasets.voc import Annotation
from trtflow.families.common.boxes import intersection_over_union
from trtflow.families.common.multibox import cut_objects
from trtflow.families.common.pytorch import minimise, prepare_torch
from trtflow.families.common.scenes import read_scenes
from trtflow.families.common.schedule import Schedule, pretraining_of, schedule_of, training_settings
from trtflow.families.yolov3.detection import Slots, decode, flatten, slots_of
from trtflow.families.yolov3.network import TRUNK, Darknet, save, yolov3_sections
from trtflow.formats.files import write_json
from trtflow.job import Job

DEFAULTS = {
    "pretraining_steps": 150,
    "pretraining_batch_size": 32,
    "steps": 800,
    "batch_size": 16,
    "learning_rate": 0.003,
    "seed": 0,
    "threads": 2,
}
DEFAULT_WIDTH, DEFAULT_SIZE = 0.125, 128
LEAST_OVERLAP = 0.5  # in shape, of an anchor with an object that it answers for beside the best one
IGNORED_OVERLAP = 0.5  # above which a box that answers for no object is not held against the network (paper §2.1)
CROP_SIZE = 64  # pixels of a side of an object that is cut out


def pretrain(
    model: Darknet, images: np.ndarray, annotations: Sequence[Annotation], class_count: int, schedule: Schedule
) -> list[float]:
    """Train the trunk, in place, to name single objects; arguments and result as those of `train`."""
    crops, labels = cut_objects(images, annotations)
    inputs = torch.from_numpy(to_unit_input(list(crops), CROP_SIZE))
    classifier = nn.Linear(model.layers[TRUNK].shape[0], class_count)

    def loss_of(batch: np.ndarray) -> Tensor:
        pictures = inputs[batch].contiguous(memory_format=torch.channels_last)
        features = model.values(pictures, TRUNK)[TRUNK]
        return functional.cross_entropy(classifier(features.mean((2, 3))), labels[batch] - 1)

    return minimise(nn.ModuleList([model, classifier]), loss_of, len(crops), schedule)


def train(model: Darknet, images: np.ndarray, annotations: Sequence[Annotation], schedule: Schedule) -> list[float]:
    """Train a model in place.

    Args:
        model: the network.
        images: float32 [n, 3, H, W], as the network takes them.
        annotations: the objects of each image.
        schedule: how long and how fast.

    Returns:
        The loss of each step.

    Raises:
        UserError: the loss is no longer a number.
    """
    slots, inputs = slots_of(model), torch.from_numpy(images)
    size = images.shape[-1]
    truths = [torch.from_numpy(annotation.normalised_boxes() * np.float32(size)) for annotation in annotations]
    labels = [torch.from_numpy(annotation.labels - 1) for annotation in annotations]

    def loss_of(batch: np.ndarray) -> Tensor:
        raw = flatten(model, model(inputs[batch].contiguous(memory_format=torch.channels_last)))
        losses = [
            image_loss(rows, slots, truths[index], labels[index], size)
            for rows, index in zip(raw, batch.tolist(), strict=True)
        ]
        return torch.stack(losses).mean()

    return minimise(model, loss_of, len(images), schedule)


def match(slots: Slots, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Assign objects to places: the cell that holds the centre, with the anchor of the likest shape and those like it.

    Args:
        slots: the places.
        boxes: float32 [n, 4], xmin, ymin, xmax, ymax in pixels of the input.

    Returns:
        places and, for each of them, its object, int64 [m] both; an object that comes later takes a place over.
    """
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    shared = torch.minimum(sizes[:, None], slots.anchors).prod(2)
    alike = shared / (sizes.prod(1)[:, None] + slots.anchors.prod(1) - shared)
    inside = (torch.floor(centres[:, None] / slots.strides) == slots.cells).all(2)
    alike = torch.where(inside, alike, -1.0)
    chosen = alike >= LEAST_OVERLAP
    chosen |= (alike == alike.max(1, keepdim=True).values) & inside
    objects, places = chosen.nonzero(as_tuple=True)
    owner = torch.full((len(slots.cells),), -1)
    owner[places] = objects
    places = (owner >= 0).nonzero(as_tuple=True)[0]
    return places, owner[places]


def image_loss(raw: Tensor, slots: Slots, boxes: Tensor, labels: Tensor, size: int) -> Tensor:
    """Return an image's loss per object: cross entropies of place, objectness and classes, squared error of the shape.

    Args:
        raw: the network's outputs by place, float32 [P, 5 + classes].
        slots: the places.
        boxes: true boxes, float32 [n, 4], in pixels of the input.
        labels: their classes from 0, int64 [n].
        size: pixels of a side of the input.
    """
    entropy = functional.binary_cross_entropy_with_logits
    places, objects = match(slots, boxes)
    wanted = torch.zeros(len(raw))
    wanted[places] = 1
    counts = torch.ones(len(raw))
    if len(boxes):
        overlap = intersection_over_union(decode(raw.detach(), slots), boxes).max(1).values
        counts = ((overlap <= IGNORED_OVERLAP) | (wanted > 0)).float()
    loss = entropy(raw[:, 4], wanted, counts, reduction="sum")
    mine, true = raw[places], boxes[objects]
    centres, sizes = (true[:, :2] + true[:, 2:]) / 2, true[:, 2:] - true[:, :2]
    weight = (2 - sizes.prod(1, keepdim=True) / size**2).expand(-1, 2)  # small boxes count more
    loss = loss + entropy(mine[:, :2], centres / slots.strides[places] - slots.cells[places], weight, reduction="sum")
    shapes = (sizes / slots.anchors[places]).log()
    loss = loss + (weight * (mine[:, 2:4] - shapes).square()).sum() / 2
    classes = functional.one_hot(labels[objects], raw.shape[1] - 5).float()
    loss = loss + entropy(mine[:, 5:], classes, reduction="sum")
    return loss / max(len(places), 1)


def train_yolov3(job: Job) -> None:
    """Train a network on the split `train`, its trunk first, and write it as Darknet does, and its losses."""
    settings = training_settings(job, **DEFAULTS)
    size, width = int(job.setting("model.size", DEFAULT_SIZE)), float(job.setting("model.width", DEFAULT_WIDTH))
    images, annotations = read_scenes(job.input("train"), SIZE)
    prepare_torch(settings["seed"], settings["threads"])
    class_count = len(CLASSES) - 1  # YOLO has no background
    model = Darknet(yolov3_sections(width, class_count, size), job.output("cfg"))
    losses = {
        "pretraining": pretrain(model, images, annotations, class_count, pretraining_of(settings)),
        "training": train(model, to_unit_input(list(images), size), annotations, schedule_of(settings)),
    }
    write_json(job.output("training"), {"loss": losses})
    save(model, job.output("cfg"), job.output("weights"), settings["steps"] * settings["batch_size"])
