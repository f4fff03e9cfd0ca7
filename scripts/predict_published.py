"""Ask ONNX Runtime what a published model says of the held-out pictures, to compare engines with.

An ONNX model runs as it is. Caffe has no framework that still installs: of such a model it is the lowered network.

python scripts/predict_published.py --sample onnx_mnist --export-dir results/onnx_mnist/export \\
    --inputs results/onnx_mnist/inputs.npz --batch-size 1 --out results/onnx_mnist/model/predictions.npz
"""

from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

import trtflow.reference as trt
from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.reference.run.plan import read_plan
from trtflow.runtime.build import build_plan
from trtflow.samples import batches_of, definition
from trtflow.samples import load as load_sample

UNREADABLE = (faults.InvalidProtobuf, faults.InvalidGraph, faults.Fail, faults.NoSuchFile)


def load_session(sample: Any, export: Path, batch_size: int) -> onnxruntime.InferenceSession:
    """Return what runs a model exactly as it is written, without fusing."""
    path = export / "model.onnx"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    content = path.read_bytes() if path.exists() else lowered(sample, export, batch_size)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except UNREADABLE as error:
        raise FormatError(path, f"ONNX Runtime cannot read it ({error})", "Fetch it again.") from error


def lowered(sample: Any, export: Path, batch_size: int) -> bytes:
    """Return a Caffe model as ONNX."""
    model, _ = read_plan(build_plan(trt, definition(sample, export, "fp32"), "fp32", batch_size))
    return model.SerializeToString()


def main() -> None:
    """Read the command line, run all batches and write the probabilities."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows what the outputs mean")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the model")
    arguments.add_argument("--inputs", type=Path, required=True, help="npz file of prepare_inputs.py")
    arguments.add_argument("--batch-size", type=int, default=1, help="pictures of a batch, as the model takes them")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    session = load_session(sample, options.export_dir, options.batch_size)
    values, names = read_arrays(options.inputs, sample.INPUT, "images")
    outputs = [output.name for output in session.get_outputs()]
    found = [
        sample.postprocess(dict(zip(outputs, session.run(outputs, feeds), strict=True)))["probabilities"]
        for feeds in batches_of(sample, values, options.batch_size)
    ]
    write_arrays(options.out, {"probabilities": np.concatenate(found), "images": names})


if __name__ == "__main__":
    run(main)
