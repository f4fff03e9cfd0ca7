"""Run an engine that was built with dummy weights, refit it with the trained ones, and write it.

python scripts/refit_engine.py --sample engine_refit_mnist \\
    --dummy-plan results/engine_refit_mnist/dummy/engine.fp32.plan --export-dir results/engine_refit_mnist/export \\
    --inputs results/engine_refit_mnist/inputs.npz --data results/engine_refit_mnist/data \\
    --backend-file results/backend.json --plan results/engine_refit_mnist/engine.fp32.plan \\
    --before-out results/engine_refit_mnist/before_refit.fp32.json
"""

import time
from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser
from trtflow.datasets.digits import read_labels
from trtflow.formats.arrays import read_arrays
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_json
from trtflow.metrics.classification import top_k
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.origin import read_origin, write_engine
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, score the engine as it is, refit it, and write it with the time that took."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows what to refit")
    arguments.add_argument("--dummy-plan", type=Path, required=True, help="engine with dummy weights")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the trained weights")
    arguments.add_argument("--inputs", type=Path, required=True, help="npz file of prepare_inputs.py")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the digits")
    arguments.add_argument("--split", default="val", help="digits that the inputs are of")
    arguments.add_argument("--batch-size", type=int, default=8, help="digits a run")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--plan", type=Path, required=True, help="plan to write; a .json beside it tells its origin")
    arguments.add_argument("--before-out", type=Path, required=True, help="JSON file for the score before")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    sample = load_sample(options.sample)
    trt, engine = load_engine(options.dummy_plan, read_backend(options.backend_file))
    (values,) = read_arrays(options.inputs, sample.INPUT)
    labels = read_labels(options.data, options.split)
    firsts = range(0, len(values), options.batch_size)
    batches = ({sample.INPUT: values[first : first + options.batch_size]} for first in firsts)
    with Session(trt, engine) as session:
        found = [sample.postprocess(outputs)["probabilities"] for outputs in session.run_all(batches)]
    write_json(options.before_out, {"top1_before_refit": top_k(np.concatenate(found), labels, 1)})

    start = time.perf_counter()
    sample.refit(trt, engine, options.export_dir)
    seconds = time.perf_counter() - start
    plan = bytes(engine.serialize())
    write_engine(options.plan, plan, {**read_origin(options.dummy_plan), "refit_s": round(seconds, 3)})


if __name__ == "__main__":
    run_on_backend(main)
