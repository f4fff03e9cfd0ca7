"""Ask ONNX Runtime what a published ONNX model says of the held-out pictures, to compare engines with.

python scripts/predict_published.py --sample onnx_mnist --model results/onnx_mnist/artefacts/model.onnx \\
    --inputs results/onnx_mnist/inputs.npz --batch-size 1 --out results/onnx_mnist/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.samples import batches_of
from trtflow.samples import load as load_sample

UNREADABLE = (faults.InvalidProtobuf, faults.InvalidGraph, faults.Fail, faults.NoSuchFile)


def load_session(path: Path) -> onnxruntime.InferenceSession:
    """Return what runs a model exactly as it is written, without fusing."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except UNREADABLE as error:
        raise FormatError(path, f"ONNX Runtime cannot read it ({error})", "Fetch it again.") from error


def main() -> None:
    """Read the command line, run all batches and write the probabilities."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows what the outputs mean")
    arguments.add_argument("--model", type=Path, required=True, help="the ONNX model")
    arguments.add_argument("--inputs", type=Path, required=True, help="npz file of prepare_inputs.py")
    arguments.add_argument("--batch-size", type=int, default=1, help="pictures of a batch, as the model takes them")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    session = load_session(options.model)
    values, names = read_arrays(options.inputs, sample.INPUT, "images")
    outputs = [output.name for output in session.get_outputs()]
    found = [
        sample.postprocess(dict(zip(outputs, session.run(outputs, feeds), strict=True)))["probabilities"]
        for feeds in batches_of(sample, values, options.batch_size)
    ]
    write_arrays(options.out, {"probabilities": np.concatenate(found), "images": names})


if __name__ == "__main__":
    run(main)
