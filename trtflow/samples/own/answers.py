"""What the outputs of a model of the user's own mean, by its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trtflow.runtime.outputs import softmax

RAW = "output/"  # what the names of outputs begin with that are kept as they were
Answer = Callable[[Any, Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def probabilities(sample: Any, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities of the classes, float32 [N, classes]; of one value with two classes of both."""
    values = outputs[sample.OUTPUT]
    values, logits = values.reshape(len(values), -1), sample.outputs[sample.OUTPUT].logits
    if values.shape[1] == 1 and len(sample.classes) == 2:
        values = np.concatenate([np.zeros_like(values), values] if logits else [1 - values, values], axis=1)
    return {"probabilities": softmax(values) if logits else values}


def nothing(sample: Any, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return no answers: the outputs as they are say all."""
    return {}


ANSWERS: dict[str, Answer] = {"classification": probabilities, "regression": nothing, "none": nothing}
