"""Published models: taken as they are, and what ONNX Runtime says of them, to compare engines with.

An ONNX model runs as it is. Caffe has no framework that still installs: of such a model it is the lowered network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

import trtflow.reference as trt
from trtflow.families.common import input_size
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import copy_file
from trtflow.job import Job
from trtflow.reference.run.plan import read_plan
from trtflow.runtime.build import build_plan
from trtflow.samples import batches_of, definition
from trtflow.samples import load as load_sample

UNREADABLE = (faults.InvalidProtobuf, faults.InvalidGraph, faults.Fail, faults.NoSuchFile)


def take(job: Job) -> None:
    """Copy published files to where engines are built from, with checksums; of pictures, with the side of the input."""
    folder, files = job.output("exports").parent, job.files("models")
    for path in files:
        copy_file(path, folder / path.name)
    size = job.setting("model.size")
    if size is not None:
        input_size.write_input_size(folder, int(size))
    write_checksums(folder, [path.name for path in files])


def predict(job: Job) -> None:
    """Run all batches of prepared pictures and write the probabilities."""
    sample, size = load_sample(job.sample), int(job.setting("max_batch_size", 1))
    session = load_session(sample, job.input("export").parent, size)
    values, names = read_arrays(job.input("inputs"), sample.INPUT, "images")
    outputs = [output.name for output in session.get_outputs()]
    found = [
        sample.postprocess(dict(zip(outputs, session.run(outputs, feeds), strict=True)))["probabilities"]
        for feeds in batches_of(sample, {sample.INPUT: values}, size)
    ]
    write_arrays(job.output("predictions"), {"probabilities": np.concatenate(found), "images": names})


def load_session(sample: Any, export: Path, batch_size: int) -> onnxruntime.InferenceSession:
    """Return what runs a model exactly as it is written, without fusing."""
    path = export / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    content = path.read_bytes() if path.exists() else _lowered(sample, export, batch_size)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except UNREADABLE as error:
        raise FormatError(path, f"ONNX Runtime cannot read it ({error})", "Fetch it again.") from error


def _lowered(sample: Any, export: Path, batch_size: int) -> bytes:
    """Return a Caffe model as ONNX."""
    model, _ = read_plan(build_plan(trt, definition(sample, export, "fp32"), "fp32", batch_size))
    return model.SerializeToString()
