"""What trainings of detectors share: which prior answers for which object, the multibox loss, a trunk to begin with.

Liu et al., arXiv:1512.02325, §2.2. As the original starts from a VGG-16 that classifies ImageNet, so here the trunk
first learns to classify the objects alone, cut out of the pictures. That takes about an eighth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from trtflow.datasets.voc import Annotation
from trtflow.families.common.boxes import encode, intersection_over_union
from trtflow.families.common.pytorch import minimise
from trtflow.families.common.schedule import Schedule

LEAST_OVERLAP = 0.5  # of a prior with the object that it answers for
NEGATIVES = 3  # background priors in the loss for each prior of an object
CROP_SIZE = 96  # pixels of a side of an object that is cut out
CROP_MARGIN = 1.25  # side of the cut over the longer side of the object's box


class Detector(Protocol):
    """A network whose trunk can learn to name single objects first.

    Attributes:
        class_count: the background included.
        trunk_channels: of what `trunk` returns.
    """

    class_count: int
    trunk_channels: int

    @property
    def to_input(self) -> Callable[[Sequence[np.ndarray]], np.ndarray]:
        """What makes of pictures, uint8 [H, W, 3] each, what the network takes."""

    def trunk(self, images: Tensor) -> Tensor:
        """Return the trunk's features of pictures of any size, float32 [N, trunk_channels, h, w]."""


def pretrain(model: Detector, images: np.ndarray, annotations: Sequence[Annotation], schedule: Schedule) -> list[float]:
    """Train the trunk, in place, to name single objects; return the loss of each step.

    Args:
        model: the network.
        images: uint8 [n, H, W, 3], red, green, blue.
        annotations: the objects of each image.
        schedule: how long and how fast.

    Raises:
        UserError: the loss is no longer a number.
    """
    crops, labels = cut_objects(images, annotations)
    classifier = nn.Linear(model.trunk_channels, model.class_count)

    def loss_of(batch: np.ndarray) -> Tensor:
        features = model.trunk(to_input(model, crops[batch]))
        return functional.cross_entropy(classifier(features.mean((2, 3))), labels[batch])

    return minimise(nn.ModuleList([cast(nn.Module, model), classifier]), loss_of, len(crops), schedule)


def to_input(model: Detector, images: np.ndarray) -> Tensor:
    """Return pictures, uint8 [n, H, W, 3], as a network takes them, float32 [n, 3, H, W]."""
    return torch.from_numpy(model.to_input(list(images))).contiguous(memory_format=torch.channels_last)


def cut_objects(images: np.ndarray, annotations: Sequence[Annotation]) -> tuple[np.ndarray, Tensor]:
    """Return every object in a square picture of its own, uint8 [m, 96, 96, 3], and the labels, int64 [m]."""
    crops, size = [], images.shape[1]
    for image, annotation in zip(images, annotations, strict=True):
        picture = Image.fromarray(image)
        for box in annotation.boxes:
            half = (box[2:] - box[:2]).max() * CROP_MARGIN / 2
            centre = (box[:2] + box[2:]) / 2
            cut = np.concatenate([centre - half, centre + half]).clip(0, size).tolist()
            crops.append(np.asarray(picture.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR, box=cut)))
    return np.stack(crops), torch.from_numpy(np.concatenate([annotation.labels for annotation in annotations]))


def match(priors: Tensor, annotation: Annotation) -> tuple[Tensor, Tensor]:
    """Assign objects to priors: to each object the prior nearest to it, and every prior that overlaps it by half.

    Args:
        priors: float32 [P, 4].
        annotation: the objects of one image.

    Returns:
        What the network is to predict: offsets float32 [P, 4], and labels int64 [P], 0 where there is no object.
    """
    boxes, labels = torch.from_numpy(annotation.normalised_boxes()), torch.from_numpy(annotation.labels)
    if not len(boxes):
        return torch.zeros_like(priors), torch.zeros(len(priors), dtype=torch.int64)
    overlap = intersection_over_union(priors, boxes)
    best, index = overlap.max(1)
    nearest = overlap.argmax(0)
    best[nearest], index[nearest] = 1, torch.arange(len(boxes))
    return encode(boxes[index], priors), torch.where(best >= LEAST_OVERLAP, labels[index], 0)


def softmax_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of classes that exclude each other; logits [N, P, classes] and labels to [N, P]."""
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")


def sigmoid_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross entropy of independent classes, the background being one, summed over them."""
    wanted = functional.one_hot(labels, logits.shape[2]).to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(2)


CLASS_LOSSES = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}


def multibox_loss(
    offsets: Tensor,
    logits: Tensor,
    true_offsets: Tensor,
    labels: Tensor,
    class_loss_of: Callable[[Tensor, Tensor], Tensor] = softmax_loss,
) -> Tensor:
    """Return the loss of a batch: smooth L1 of the boxes and cross entropy of the classes, per prior of an object.

    Of the background only the priors that are hardest to tell enter, three for each prior of an object.

    Args:
        offsets: float32 [N, P, 4].
        logits: float32 [N, P, classes].
        true_offsets: float32 [N, P, 4].
        labels: int64 [N, P].
        class_loss_of: the classes' loss of each prior, by logits and labels.
    """
    positive = labels > 0
    count = positive.sum(1, keepdim=True)
    box_loss = functional.smooth_l1_loss(offsets[positive], true_offsets[positive], reduction="sum")
    class_loss = class_loss_of(logits, labels)
    hardness = class_loss.detach().masked_fill(positive, -1)
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    chosen = positive | (rank < NEGATIVES * count)
    return (box_loss + class_loss[chosen].sum()) / count.sum().clamp(min=1)
