"""Ask the engine of a recommender from one process, from several, and from several under MPS, and time them.

python scripts/serve.py --sample movielens_mps --plan results/movielens_mps/engine.fp32.plan \\
    --backend-file results/backend.json --export-dir results/movielens_mps/export \\
    --choices results/movielens_mps/data/test.negative --processes 1 2 4 8 --large-batch 256 \\
    --out results/movielens_mps/predictions.fp32.npz --serving-out results/movielens_mps/serving.fp32.json
"""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser
from trtflow.datasets.ratings import read_choices
from trtflow.families.ncf.layers import read_sizes
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.runtime import mps
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.samples import load as load_sample

Answers = dict[str, np.ndarray]


def main() -> None:
    """Read the command line; write the answers of the largest number of processes, and a row a measurement."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", default="movielens_mps", help="name of the sample")
    arguments.add_argument("--plan", type=Path, required=True, help="engine")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder with sizes.json")
    arguments.add_argument("--choices", type=Path, required=True, help="test.negative: users and movies to choose from")
    arguments.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8], help="numbers of processes")
    arguments.add_argument("--batch-size", type=int, default=1, help="users a run in each")
    arguments.add_argument("--large-batch", type=int, default=256, help="users a run of one process, to compare with")
    arguments.add_argument("--seconds", type=float, default=3.0, help="duration of each measurement")
    arguments.add_argument(
        "--mps", choices=["auto", "always", "never"], default="auto", help="whether to measure with MPS too"
    )
    arguments.add_argument(
        "--exclusive", action="store_true", help="set compute mode EXCLUSIVE_PROCESS while MPS runs (administrators)"
    )
    arguments.add_argument("--out", type=Path, required=True, help="npz file of answers to write")
    arguments.add_argument("--serving-out", type=Path, required=True, help="JSON file of measurements to write")
    options = arguments.parse_args()

    users, choices = read_choices(options.choices, **read_sizes(options.export_dir))
    rows: list[dict[str, Any]] = []
    answers: list[Answers] = []
    for row, answer in measured(options, users, choices):
        answers.append(answer)
        rows.append({**row, "identical": identical_share(answer, answers[0])})
        print(rows[-1], flush=True)
    write_arrays(options.out, {"users": users, "choices": choices, **answers[len(options.processes) - 1]})
    write_json(options.serving_out, rows)


def measured(options: Namespace, users: np.ndarray, choices: np.ndarray) -> Iterator[tuple[dict[str, Any], Answers]]:
    """Yield a row and the answers of each number of processes, without and with MPS, and of the large batch."""
    sample, backend = load_sample(options.sample), read_backend(options.backend_file)

    def measure(processes: int, batch_size: int, daemon: str) -> tuple[dict[str, Any], Answers]:
        with sample.start_workers(options.plan, backend, users, choices, processes, batch_size) as pool:
            answer = sample.recommend(pool, choices)
            row = {"processes": processes, "batch_size": batch_size, "mps": daemon}
            return {**row, **sample.measure(pool, options.seconds)}, answer

    with mps.hidden():
        for processes in options.processes:
            yield measure(processes, options.batch_size, "none")
        yield measure(1, options.large_batch, "none")
    if not wants_mps(options.mps, backend):
        return
    with ExitStack() as stack:
        if options.exclusive:
            stack.enter_context(mps.exclusive_process())
        try:
            daemon = stack.enter_context(mps.daemon())
        except UserError as error:
            if options.mps == "always":
                raise
            print(f"without MPS: {error}")
            return
        for processes in options.processes:
            yield measure(processes, options.batch_size, daemon)


def identical_share(answer: Answers, first: Answers) -> float:
    """Return the share of users whose answers are the same, bit by bit."""
    same = [(answer[name] == first[name]).all(axis=1) for name in first]
    return float(np.all(same, axis=0).mean())


def wants_mps(choice: str, backend: dict[str, Any]) -> bool:
    """Whether to measure with MPS; where it is left open and there is none, say why not."""
    if choice == "never" or backend["name"] != "tensorrt":
        return False
    if choice == "auto" and not mps.is_available():
        print(f"without MPS: {mps.CONTROL} is not on the path")
        return False
    return True


if __name__ == "__main__":
    run_on_backend(main)
