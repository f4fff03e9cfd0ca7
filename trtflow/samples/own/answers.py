"""What the outputs of a model of the user's own mean, by its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trtflow.decoders import Decoding, decode
from trtflow.runtime.outputs import sigmoid, softmax

Answer = Callable[[Any, Mapping[str, np.ndarray], int], dict[str, np.ndarray]]


def probabilities(sample: Any, outputs: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return the probabilities of the classes, float32 [N, classes]; of one value with two classes of both."""
    values = outputs[sample.OUTPUT]
    values, logits = values.reshape(len(values), -1), sample.outputs[sample.OUTPUT].logits
    if values.shape[1] == 1 and len(sample.classes) == 2:
        values = np.concatenate([np.zeros_like(values), values] if logits else [1 - values, values], axis=1)
    return {"probabilities": softmax(values) if logits else values}


def label_scores(sample: Any, outputs: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return how likely each class is there, float32 [N, classes], and whether it is said: 1, 0, or -1 of no number."""
    output = sample.outputs[sample.OUTPUT]
    values = outputs[sample.OUTPUT].reshape(len(outputs[sample.OUTPUT]), -1)
    scores = sigmoid(values).astype(np.float32) if output.logits else values
    said = np.where(np.isfinite(scores), scores > output.threshold, -1)
    return {"label_scores": scores, "labels": said.astype(np.int8)}


def detections(sample: Any, outputs: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return what is found, float32 [N, keep, 7] (`trtflow.decoders.decode`), in parts of the network's input."""
    return {"detections": decode(list(outputs.values()), decoding_of(sample), count)}


def decoding_of(sample: Any) -> Decoding:
    """Return how the outputs of a detector are read."""
    told = dict(sample.settings["decoding"])
    if "priors" in told:
        told["priors"] = np.array(told["priors"], np.float32)
    lists = {key: tuple(value) for key, value in told.items() if isinstance(value, list)}
    return Decoding(**{**told, **lists}, classes=len(sample.classes), shape=sample.inputs[sample.INPUT].size)


def pixels(sample: Any, outputs: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return the class of each cell of the network's map, int16 [N, h, w]; -1 where a score is no number.

    A map of one channel is the chance (or with `logits` the logit) of the second of two classes; whole numbers, [N, h,
    w] or [N, 1, h, w], are classes already.
    """
    values, output = outputs[sample.OUTPUT], sample.outputs[sample.OUTPUT]
    classes = len(sample.classes)
    if values.dtype.kind in "iu":
        return {"mask": values.reshape(len(values), *values.shape[-2:]).astype(np.int16)}
    if values.shape[1] != 1 and values.shape[1] != classes and values.shape[-1] == classes:
        values = np.moveaxis(values, -1, 1)  # channels last
    valid = np.isfinite(values).all(axis=1)
    least = 0 if output.logits else 0.5
    best = values[:, 0] > least if values.shape[1] == 1 else values.argmax(axis=1)
    return {"mask": np.where(valid, best, -1).astype(np.int16)}


def nothing(sample: Any, outputs: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Return no answers: the outputs as they are say all."""
    return {}


ANSWERS: dict[str, Answer] = {
    "classification": probabilities,
    "multilabel": label_scores,
    "detection": detections,
    "segmentation": pixels,
    "regression": nothing,
    "none": nothing,
}
"""By task, what gives its answers of the sample, the outputs that are kept, by name, and the size of the batch."""
