"""Keras models as frozen graphs of TensorFlow, on the way to UFF."""

from __future__ import annotations

from trtflow.converters.freeze import freeze_keras, write_graph
from trtflow.job import Job


def freeze(job: Job) -> None:
    """Freeze a Keras file: variables become constants, inputs and output take the names that the sample knows."""
    names = {key: job.setting(f"model.{key}") for key in ("input", "output")}
    inputs, outputs = ([value] if isinstance(value, str) else list(value or []) for value in names.values())
    source = job.input("model")
    if not source.exists():
        raise FileNotFoundError(2, "no such file", str(source))
    write_graph(freeze_keras(source, inputs, outputs), job.output("frozen"))
