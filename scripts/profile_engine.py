"""Time an engine layer by layer.

python scripts/profile_engine.py --plan results/ssd/engine.int8.plan --precision int8 \\
    --backend-file results/backend.json --out results/ssd/profile.int8.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.formats.files import write_json
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.profile import profile_layers
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import first_batch


def main() -> None:
    """Read the command line, profile, write the mean time of each layer."""
    arguments = parser(__doc__)
    arguments.add_argument("--plan", type=Path, required=True, help="engine")
    arguments.add_argument("--precision", required=True, help="the engine's precision, for the record")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--iterations", type=int, default=10, help="runs to take the mean of")
    arguments.add_argument("--batch-size", type=int, default=1, help="inputs of a run")
    arguments.add_argument("--sample", help="name of the sample, with --inputs")
    arguments.add_argument("--inputs", type=Path, help="npz file of prepare_inputs.py, where time depends on values")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    trt, engine = load_engine(options.plan, read_backend(options.backend_file))
    with Session(trt, engine) as session:
        if options.inputs:
            session.fill(first_batch(options.sample, options.inputs, options.batch_size))
        layers = profile_layers(trt, session, options.iterations, options.batch_size)
    settings = {"iterations": options.iterations, "batch_size": options.batch_size}
    profile = {"precision": options.precision, **settings, "layers": layers}
    write_json(options.out, profile)


if __name__ == "__main__":
    run_on_backend(main)
