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

from trtflow.converters.onnx_model import pruned, read_onnx
from trtflow.formats.arrays import write_arrays
from trtflow.job import Job
from trtflow.migration.lowering import OnnxRunner, lower_model
from trtflow.samples import ITEMS, Answers, batches_of, read_prepared
from trtflow.samples import load as load_sample

Arrays = dict[str, np.ndarray]


def framework_of(settings: Mapping[str, Any], sample: Any) -> Callable[[Arrays], Arrays]:
    """Return what runs a model on feeds and gives its outputs."""
    path = Path(settings["file"])
    if path.suffix == ".onnx":
        shapes = {name: taken.shape for name, taken in sample.inputs.items()}
        return OnnxRunner(pruned(read_onnx(path), list(sample.outputs), shapes)).run
    if path.suffix == ".pb" and "preprocessor" not in settings:
        from trtflow.converters.frozen_graph import FrozenGraph  # noqa: PLC0415 - loads TensorFlow

        return FrozenGraph(path, list(sample.outputs)).run
    return OnnxRunner(lower_model(sample.model).model).run


def predict_batches(job: Job) -> None:
    """Run all batches of prepared items and write what the task makes of the answers."""
    sample, size = load_sample(job.sample), int(job.setting("max_batch_size"))
    run_model = framework_of(job.setting("own.model"), sample)
    values, names = read_prepared(sample, job.input("inputs"))
    answers = Answers(sample)
    for batch in batches_of(sample, values, size):
        answers.add(sample.postprocess({**batch, **run_model(batch)}))
    write_arrays(job.output("predictions"), {**answers.joined(len(names)), ITEMS: names})
