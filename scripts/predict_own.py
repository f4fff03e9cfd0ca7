"""Ask the framework that a model of the user's own came from, to compare the engines with.

An ONNX model runs in ONNX Runtime, a frozen graph in TensorFlow. Caffe and UFF have no framework that still installs:
of these it is the lowered network in ONNX Runtime.

python scripts/predict_own.py results/mine/config.yaml --inputs results/mine/inputs.npz \\
    --out results/mine/model/predictions.npz
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
import onnx
import yaml

from trtflow.cli import parser, run
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.migration.agreement import run_onnx
from trtflow.migration.lowering import lower_model
from trtflow.samples import load as load_sample

Arrays = dict[str, np.ndarray]


def framework_of(settings: dict[str, Any], sample: Any) -> Callable[[Arrays], Arrays]:
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


def main() -> None:
    """Read the command line, run all batches and write the probabilities."""
    arguments = parser(__doc__)
    arguments.add_argument("config", type=Path, help="results/<name>/config.yaml")
    arguments.add_argument("--inputs", type=Path, required=True, help="npz file of prepare_inputs.py")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    config = yaml.safe_load(options.config.read_text())
    sample = load_sample(config["name"])
    run_model = framework_of(config["own"]["model"], sample)
    values, names = read_arrays(options.inputs, sample.INPUT, "images")
    firsts = range(0, len(values), config["max_batch_size"])
    batches = [values[first : first + config["max_batch_size"]] for first in firsts]
    results = [sample.postprocess(run_model({sample.INPUT: batch}))["probabilities"] for batch in batches]
    write_arrays(options.out, {"probabilities": np.concatenate(results), "images": names})


if __name__ == "__main__":
    run(main)
