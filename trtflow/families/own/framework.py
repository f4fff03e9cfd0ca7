"""What the framework that a model of the user's own came from says, to compare the engines with.

An ONNX model runs in ONNX Runtime, a frozen graph in TensorFlow. Caffe and UFF have no framework that still installs:
of these it is the lowered network in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np
import onnx

from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.job import Job
from trtflow.migration.agreement import run_onnx
from trtflow.migration.lowering import lower_model
from trtflow.samples import load as load_sample

Arrays = dict[str, np.ndarray]


def framework_of(settings: Mapping[str, Any], sample: Any) -> Callable[[Arrays], Arrays]:
    """Return what runs a model on feeds and gives its outputs."""
    path = Path(settings["file"])
    if path.suffix == ".onnx":
        model = onnx.load(path)
        return lambda feeds: run_onnx(model, feeds)
    if path.suffix == ".pb" and "preprocessor" not in settings:
        from trtflow.converters.frozen_graph import FrozenGraph  # noqa: PLC0415 - loads TensorFlow

        return FrozenGraph(path, [sample.OUTPUT]).run
    lowered = lower_model(sample.model).model
    return lambda feeds: run_onnx(lowered, feeds)


def predict_batches(job: Job) -> None:
    """Run all batches of prepared items and write the probabilities."""
    sample, size = load_sample(job.sample), int(job.setting("max_batch_size"))
    run_model = framework_of(job.setting("own.model"), sample)
    values, names = read_arrays(job.input("inputs"), sample.INPUT, "images")
    batches = [values[first : first + size] for first in range(0, len(values), size)]
    results = [sample.postprocess(run_model({sample.INPUT: batch}))["probabilities"] for batch in batches]
    write_arrays(job.output("predictions"), {"probabilities": np.concatenate(results), "images": names})
