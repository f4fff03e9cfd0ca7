"""Ask the engine of a recommender which movies users would like best.

python scripts/recommend.py --sample movielens --plan results/movielens/engine.fp32.plan \\
    --backend-file results/backend.json --export-dir results/movielens/export \\
    --choices results/movielens/data/test.negative --out results/movielens/predictions.fp32.npz
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser
from trtflow.datasets.ratings import read_choices
from trtflow.families.ncf.layers import read_sizes
from trtflow.formats.arrays import write_arrays
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.session import Session, load_engine
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, ask for all users and write the answers."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", default="movielens", help="name of the sample")
    arguments.add_argument("--plan", type=Path, required=True, help="engine")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder with sizes.json")
    arguments.add_argument("--choices", type=Path, required=True, help="test.negative: users and movies to choose from")
    arguments.add_argument("--batch-size", type=int, default=32, help="users a run, at most the engine's largest batch")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    users, choices = read_choices(options.choices, **read_sizes(options.export_dir))
    sample = load_sample(options.sample)
    with Session(*load_engine(options.plan, read_backend(options.backend_file))) as session:
        answers = sample.recommend(session, users, choices, options.batch_size)
    write_arrays(options.out, {"users": users, "choices": choices, **answers})


if __name__ == "__main__":
    run_on_backend(main)
