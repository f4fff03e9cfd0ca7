"""Run an engine over prepared inputs.

python scripts/infer.py --sample ssd --plan results/ssd/engine.fp32.plan --backend-file results/backend.json \\
    --inputs results/ssd/inputs.npz --out results/ssd/predictions.fp32.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import batches_of
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, run all batches and write the results."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--plan", type=Path, required=True, help="engine")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--inputs", type=Path, required=True, help="npz file of prepare_inputs.py")
    arguments.add_argument("--batch-size", type=int, default=8, help="images a run, at most the engine's largest batch")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    values, names = read_arrays(options.inputs, sample.INPUT, "images")
    batches = batches_of(sample, values, options.batch_size)
    with Session(*load_engine(options.plan, read_backend(options.backend_file))) as session:
        answers = zip(batches, session.run_all(batches), strict=True)
        results = [sample.postprocess({**inputs, **outputs}) for inputs, outputs in answers]
    joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
    if "detections" in joined:
        joined["detections"][..., 0] = np.arange(len(names))[:, None]  # number in the split, not in the batch
    write_arrays(options.out, {**joined, "images": names})


if __name__ == "__main__":
    run_on_backend(main)
