"""Training of SSD: which prior answers for which object, and the multibox loss (arXiv:1512.02325, §2.2)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from trtflow.datasets.images import to_bgr_input
from trtflow.datasets.voc import Annotation
from trtflow.models.ssd import SSD, encode, intersection_over_union

LEAST_OVERLAP = 0.5  # of a prior with the object that it answers for
NEGATIVES = 3  # background priors in the loss for each prior of an object
WARM_UP = 0.15  # of all steps
WEIGHT_DECAY = 1e-3


def train(
    model: SSD,
    images: np.ndarray,
    annotations: Sequence[Annotation],
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> list[float]:
    """Train a model in place, on one cycle of AdamW (Smith and Topin, arXiv:1708.07120).

    The same arguments and the same number of threads give the same weights on one machine.

    Args:
        model: the network.
        images: uint8 [n, 300, 300, 3], red, green, blue.
        annotations: the objects of each image.
        steps: number of batches.
        batch_size: images of a batch.
        learning_rate: at its highest.
        seed: of the order of the images.

    Returns:
        The loss of each step.
    """
    _prepare_torch()
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=WARM_UP)
    losses = []
    for batch in track(_batches(len(images), batch_size, steps, seed), "Training", total=steps, disable=None):
        x = torch.from_numpy(to_bgr_input(images[batch])).contiguous(memory_format=torch.channels_last)
        targets = [match(model.priors, annotations[index]) for index in batch]
        boxes, labels = (torch.stack(parts) for parts in zip(*targets, strict=True))
        loss = multibox_loss(*model(x), boxes, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return losses


def _prepare_torch() -> None:
    """Make training repeatable, and fast where the C library is glibc."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # else half of the time goes into filling
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # keep freed memory: having each step's pages mapped anew takes a fifth of its time
        m_trim_threshold, m_mmap_max = -1, -4
        mallopt(m_trim_threshold, 2**31 - 1)
        mallopt(m_mmap_max, 0)


def _batches(count: int, batch_size: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the numbers of each batch's images, a fresh order each epoch."""
    rng = np.random.default_rng(seed)
    order = np.zeros(0, np.int64)
    for _ in range(steps):
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(count)])
        yield order[:batch_size]
        order = order[batch_size:]


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


def multibox_loss(offsets: Tensor, logits: Tensor, true_offsets: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of a batch: smooth L1 of the boxes and cross entropy of the classes, per prior of an object.

    Of the background only the priors that are hardest to tell enter, three for each prior of an object.

    Args:
        offsets: float32 [N, P, 4].
        logits: float32 [N, P, classes].
        true_offsets: float32 [N, P, 4].
        labels: int64 [N, P].
    """
    positive = labels > 0
    count = positive.sum(1, keepdim=True)
    box_loss = functional.smooth_l1_loss(offsets[positive], true_offsets[positive], reduction="sum")
    class_loss = functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    hardness = class_loss.detach().masked_fill(positive, -1)
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    chosen = positive | (rank < NEGATIVES * count)
    return (box_loss + class_loss[chosen].sum()) / count.sum().clamp(min=1)
