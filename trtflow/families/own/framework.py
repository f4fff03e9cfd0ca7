"""What the framework that a model of the user's own came from says, to compare the engines with.

An ONNX model runs in ONNX Runtime as it is, what Darknet's became too; Keras models, SavedModels and frozen graphs run
in TensorFlow, exported programs in PyTorch. Caffe and UFF have no framework that still installs, and no framework has
TensorRT's plugins, which ONNX models may name: of these it is the lowered network in ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from trtflow.families.common import environment  # noqa: F401  # isort: skip - of TensorFlow, before it is loaded

import numpy as np

from trtflow.converters.onnx_model import foreign_operators, pruned, read_onnx
from trtflow.families.own.forms import readable
from trtflow.formats.arrays import write_arrays
from trtflow.job import Job
from trtflow.migration.lowering import OnnxRunner, lower_model
from trtflow.samples import ITEMS, answers_of, batches_of, read_prepared
from trtflow.samples import load as load_sample

Arrays = dict[str, np.ndarray]


def framework_of(settings: Mapping[str, Any], sample: Any) -> Callable[[Arrays], Arrays]:
    """Return what runs a model on feeds and gives its outputs."""
    path = Path(settings["file"])
    if path.suffix == ".pt2":
        return ExportedProgram(path, sample).run
    with readable(path) as file:
        if file.suffix == ".onnx":
            shapes = {name: taken.shape for name, taken in sample.inputs.items()}
            model = pruned(read_onnx(file), list(sample.outputs), shapes)
            if not foreign_operators(model):
                return OnnxRunner(model).run
        if file.suffix == ".pb" and "preprocessor" not in settings:
            from trtflow.converters.frozen_graph import FrozenGraph  # noqa: PLC0415 - loads TensorFlow

            graph = FrozenGraph(file, list(sample.outputs))
            return lambda feeds: as_engine(graph.run(feeds), sample.outputs)
    sample.load_plugins()
    return OnnxRunner(lower_model(sample.model).model).run


class ExportedProgram:
    """An exported program of PyTorch's in PyTorch itself.

    Args:
        path: the file.
        sample: whose inputs and outputs it has, in the same order.
    """

    def __init__(self, path: Path, sample: Any) -> None:
        from trtflow.converters.exported_program import output_names, read_program  # noqa: PLC0415 - loads PyTorch

        program = read_program(path)
        self._module, self._names = program.module(), output_names(program)
        self._inputs = list(program.graph_signature.user_inputs)
        self._kept = list(sample.outputs)

    def run(self, feeds: Arrays) -> Arrays:
        """Return the outputs for inputs by name."""
        import torch  # noqa: PLC0415

        with torch.no_grad():
            found = self._module(*(torch.from_numpy(feeds[name]) for name in self._inputs))
        values = [found] if isinstance(found, torch.Tensor) else list(found)
        named = {name: value.numpy() for name, value in zip(self._names, values, strict=True)}
        return {name: named[name] for name in self._kept}


def as_engine(found: Arrays, outputs: Mapping[str, Any]) -> Arrays:
    """Return TensorFlow's outputs in the shapes of an engine's, which has channels first and three dimensions.

    Args:
        found: [N, ...] by name.
        outputs: what the sample says of each; `shape` is the engine's, without the batch.
    """
    turned = {}
    for name, values in found.items():
        shape = (len(values), *outputs[name].shape)
        moved = np.moveaxis(values, -1, 1) if values.ndim > 2 and values.shape != shape else values
        values_alike = moved if moved.shape == shape else values
        turned[name] = np.ascontiguousarray(values_alike).reshape(shape) if values.size == prod(shape) else values
    return turned


def predict_batches(job: Job) -> None:
    """Run all batches of prepared items and write what the task makes of the answers."""
    sample, size = load_sample(job.sample), int(job.setting("max_batch_size"))
    run_model = framework_of(job.setting("own.model"), sample)
    values, names = read_prepared(sample, job.input("inputs"))
    answers = answers_of(sample, run_model, batches_of(sample, values, size))
    write_arrays(job.output("predictions"), {**answers.joined(len(names)), ITEMS: names})
