"""How good the answers to a few items are: the task's own score, and a finer one of each item, to compare two ways by.

Two ways to prepare pictures may both be right in 60 of 64 cases. How likely a classifier calls the truth, how large a
detector's precision is on each picture and so on tells them apart, item by item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trtflow.boxes import pairwise_iou
from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.lists import PictureSet
from trtflow.datasets.labelled.masks import VOID, mask_form, masks_of, read_mask
from trtflow.datasets.labelled.voc_xml import BACKGROUND
from trtflow.datasets.own import PICTURE, Items
from trtflow.metrics.classification import classification_scores
from trtflow.metrics.multilabel import multilabel_scores
from trtflow.metrics.regression import regression_scores
from trtflow.metrics.scores import detection_scores
from trtflow.metrics.segmentation import confusion, segmentation_scores
from trtflow.metrics.voc import LEAST_IOU, average_precisions
from trtflow.samples import RAW
from trtflow.samples.own import OwnSample
from trtflow.tasks.detection import found_in_pictures
from trtflow.tasks.segmentation import said_in_picture

SURE = 3.0  # standard errors that a mean difference is away from none
LEAST = 1e-7  # of probabilities
TEMPERATURES = np.geomspace(0.2, 200, 31)  # that logarithms of probabilities are divided by
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Verdict:
    """How good answers are.

    Attributes:
        value: the task's score, over all items; more is better.
        each: how good the answer to each item is, float64 [N]; more is better.
        right: whether it is right, bool [N], where that has a meaning.
    """

    value: float
    each: np.ndarray
    right: np.ndarray | None = None


class Judge(Protocol):
    """What scores the answers of a task.

    Attributes:
        metric: name of the score.
        least: of the score, below which nothing is said to be right.
    """

    metric: str
    least: float

    def judge(self, answers: Arrays) -> Verdict:
        """Return how good answers are, arrays [N, ...] by name as a sample's `postprocess` gives them."""

    def blind(self) -> Verdict:
        """Return how good answers are that do not look at the items."""


def surely_better(one: Verdict, other: Verdict) -> bool:
    """Whether answers are better than others to the same items, and that not by chance."""
    pairs = [(one.each, other.each)]
    if one.right is not None and other.right is not None:
        pairs.append((one.right, other.right))
    return one.value >= other.value and any(_is_gain(first.astype(float) - second) for first, second in pairs)


def _is_gain(gains: np.ndarray) -> bool:
    """Whether the mean of gains [N] is above 0, by so much that it is hardly by chance."""
    spread = float(gains.std(ddof=1)) / len(gains) ** 0.5 if len(gains) > 1 else np.inf
    return bool(gains.mean() > 0 and gains.mean() >= SURE * spread)


class ClassJudge:
    """Of a classifier: the share of items whose class is the likeliest, and how likely the truth is called.

    Args:
        truth: int64 [N], a place in the outputs.
    """

    metric, least = "top-1", 0.0

    def __init__(self, truth: np.ndarray) -> None:
        self._truth = truth

    def judge(self, answers: Arrays) -> Verdict:
        """As of `Judge`."""
        values = answers["probabilities"].astype(np.float64)
        names = [str(place) for place in range(values.shape[1])]
        top1 = classification_scores(values, self._truth, names)["metrics"]["top1"]
        logarithms = np.log(np.nan_to_num(values, nan=LEAST).clip(LEAST, 1))
        each = max((self._likely(logarithms / by) for by in TEMPERATURES), key=np.mean)
        return Verdict(top1, each, values.argmax(axis=1) == self._truth)

    def _likely(self, logits: np.ndarray) -> np.ndarray:
        """Return the logarithm of the true class's probability, [N], by a softmax over classes [N, classes]."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted[np.arange(len(shifted)), self._truth] - np.log(np.exp(shifted).sum(axis=1))

    def blind(self) -> Verdict:
        """As of `Judge`."""
        share = 1 / len(np.unique(self._truth))  # of the classes that the items have: the model may know others
        return Verdict(share, np.full(len(self._truth), np.log(share)))


class LabelJudge:
    """Of several labels an item: mean average precision, and how likely what is true is called.

    Args:
        truth: bool [N, classes].
    """

    metric, least = "mAP", 0.0

    def __init__(self, truth: np.ndarray) -> None:
        self._truth = truth

    def judge(self, answers: Arrays) -> Verdict:
        """As of `Judge`."""
        scores = answers["label_scores"].astype(np.float64)
        return self._verdict(scores, np.nan_to_num(scores, nan=0.5).clip(LEAST, 1 - LEAST))

    def _verdict(self, scores: np.ndarray, sure: np.ndarray) -> Verdict:
        names = [str(place) for place in range(scores.shape[1])]
        value = multilabel_scores(scores, scores > 0.5, self._truth, names)["metrics"]["map"]
        logits = np.log(sure / (1 - sure))
        signed = np.where(self._truth, logits, -logits)
        return Verdict(value, max((-np.log1p(np.exp(-signed / by)).mean(1) for by in TEMPERATURES), key=np.mean))

    def blind(self) -> Verdict:
        """As of `Judge`."""
        shares = np.repeat(self._truth.mean(0, keepdims=True), len(self._truth), axis=0)
        return self._verdict(shares, shares.clip(1 / 64, 1 - 1 / 64))


class ObjectJudge:
    """Of a detector: VOC's mean average precision, and that of each picture.

    Args:
        sample: whose classes and input count.
        truths: the objects of each picture.
    """

    metric, least = "mAP", 0.05

    def __init__(self, sample: OwnSample, truths: Sequence[Any]) -> None:
        self._sample, self._truths = sample, truths

    def judge(self, answers: Arrays) -> Verdict:
        """As of `Judge`."""
        found = found_in_pictures(self._sample, self._truths, answers["detections"].copy())
        value = detection_scores(found, self._truths, (BACKGROUND, *self._sample.classes))["metrics"]["map"]
        pairs = zip(found, self._truths, strict=True)
        each = [list(average_precisions(rows[None], [truth], "area").values()) for rows, truth in pairs]
        return Verdict(value, np.array([np.mean(values) if values else 0.0 for values in each]))

    def blind(self) -> Verdict:
        """As of `Judge`."""
        return Verdict(0.0, np.zeros(len(self._truths)))

    def pairs(self, answers: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Return the class of each object that something is found on, int64 [M], and of the surest, [M, classes] of 1.

        Classes are counted from 0.
        """
        found = found_in_pictures(self._sample, self._truths, answers["detections"].copy())
        pairs = []
        for rows, truth in zip(found, self._truths, strict=True):
            overlaps = pairwise_iou(truth.normalised_boxes(), rows[:, 3:]) >= LEAST_IOU
            surest = np.where(overlaps, rows[:, 2], 0)
            best = surest.argmax(axis=1) if len(rows) else np.zeros(len(truth.labels), np.int64)
            pairs += [
                (int(label) - 1, int(rows[place, 1]) - 1)
                for label, place, scores in zip(truth.labels, best, surest, strict=True)
                if scores.max(initial=0) > 0
            ]
        numbers = np.array(pairs, np.int64).reshape(-1, 2)
        return numbers[:, 0], np.eye(len(self._sample.classes))[numbers[:, 1]]


class MaskJudge:
    """Of a segmentation: mean intersection over union, and that of each picture.

    Args:
        sample: whose classes and input count.
        truths: the class of each pixel, int16 [H, W] each.
    """

    metric, least = "mIoU", 0.0

    def __init__(self, sample: OwnSample, truths: Sequence[np.ndarray]) -> None:
        self._sample, self._truths = sample, truths

    def judge(self, answers: Arrays) -> Verdict:
        """As of `Judge`."""
        pairs = zip(self._truths, answers["mask"], strict=True)
        return self._verdict([said_in_picture(self._sample, truth, said) for truth, said in pairs])

    def _verdict(self, said: Sequence[np.ndarray]) -> Verdict:
        classes = self._sample.classes
        found = [confusion(truth, values, len(classes)) for truth, values in zip(self._truths, said, strict=True)]
        each = [segmentation_scores([table], classes)["metrics"]["miou"] if table.any() else 0.0 for table in found]
        return Verdict(segmentation_scores(found, classes)["metrics"]["miou"], np.array(each))

    def blind(self) -> Verdict:
        """As of `Judge`."""
        pixels = np.concatenate([truth[truth != VOID] for truth in self._truths])
        usual = int(np.bincount(pixels, minlength=1).argmax())
        return self._verdict([np.full(truth.shape, usual) for truth in self._truths])


class NumberJudge:
    """Of numbers: the share of their variance that is told, and how near each item's are.

    Args:
        targets: float64 [N, ...] by the output's name.
    """

    metric, least = "R²", 0.0

    def __init__(self, targets: Arrays) -> None:
        self._names = list(targets)
        self._targets = _rows(targets, self._names)

    def judge(self, answers: Arrays) -> Verdict:
        """As of `Judge`."""
        return self._verdict(_rows({name: answers[RAW + name] for name in self._names}, self._names))

    def _verdict(self, said: np.ndarray) -> Verdict:
        value = regression_scores(said, self._targets)["r2"]
        spread = self._targets.std(axis=0) + 1e-12
        errors = np.nan_to_num(np.abs(said - self._targets) / spread, nan=1e6, posinf=1e6)
        return Verdict(value, -errors.mean(axis=1))

    def blind(self) -> Verdict:
        """As of `Judge`."""
        return self._verdict(np.repeat(self._targets.mean(axis=0, keepdims=True), len(self._targets), axis=0))


def _rows(values: Arrays, names: Sequence[str]) -> np.ndarray:
    return np.concatenate([values[name].reshape(len(values[name]), -1).astype(np.float64) for name in names], axis=1)


def judge_of(sample: OwnSample, items: Items, data: Mapping[str, Any]) -> Judge | None:
    """Return what scores the answers to some items; None of a task that scores nothing.

    Args:
        sample: of the model.
        items: that are asked.
        data: as a YAML file's `data`: `val`, and `labels`, `masks`, `colours`.

    Raises:
        FormatError: labels do not fit.
    """
    if sample.task == "classification":
        return ClassJudge(sample.classes_of(items))
    if sample.task == "multilabel":
        return LabelJudge(sample.labels_of(items))
    if sample.task == "detection":
        labels = Path(data["labels"])
        objects = read_objects(Path(data["val"]), labels, sample.classes, sample.folder)
        return ObjectJudge(sample, objects.of(items.names, labels))
    if sample.task == "segmentation":
        form = mask_form(data, sample.classes)
        return MaskJudge(sample, [read_mask(path, form) for path in _masks(sample, items, data)])
    return NumberJudge(sample.targets_of(items)) if sample.task == "regression" else None


def _masks(sample: OwnSample, items: Items, data: Mapping[str, Any]) -> list[Path]:
    val = Path(data["val"])
    split = PictureSet(val, sample.folder or (val if val.is_dir() else val.parent), list(items.columns[PICTURE]))
    return masks_of(split, Path(data["masks"]))
