"""Find the layers that must not be INT8 for an engine to keep its accuracy, as few as will do.

python scripts/find_mixed_precision.py --sample int8_api --export-dir results/int8_api/export \\
    --ranges results/int8_api/calibration/ranges.txt --batch-dir results/int8_api/calibration/batches --batches 10 \\
    --limit 0.01 --backend-file results/backend.json --out results/int8_api/calibration/kept_layers.txt
python scripts/find_mixed_precision.py --sample mine --export-dir results/mine/export \\
    --calibration-table results/mine/calibration/CalibrationTablemine --batch-dir results/mine/calibration/batches \\
    --metric snr_db --least 20 --backend-file results/backend.json --out results/mine/calibration/kept_layers.txt
"""

import argparse
from collections.abc import Callable, Collection
from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.calibration.mixed_precision import Loss, smallest_set
from trtflow.cli import parser
from trtflow.formats import UserError
from trtflow.formats.files import write_text
from trtflow.metrics.classification import top_k
from trtflow.runtime.launch import run_on_backend
from trtflow.tasks.own import agreement_of
from trtflow.trials import Trial, trial_of

LossOf = Callable[[Collection[str]], Loss]


def top1_loss(trial: Trial, options: argparse.Namespace) -> LossOf:
    """Return what INT8 loses of top-1 where some layers are not in it.

    Raises:
        UserError: the batch files have no labels, or the sample is no classifier.
    """
    given = [batch.labels for batch in trial.batches if batch.labels is not None]
    if len(given) < len(trial.batches):
        raise UserError(
            f"{options.batch_dir}: the batch files have no labels. Write them with a data set that has some."
        )
    if "probabilities" not in trial.exact:
        raise UserError(f"sample {options.sample!r} is no classifier, and has no top-1 to lose.")
    labels, exact = np.concatenate(given).astype(np.int64), trial.exact["probabilities"]
    top1 = top_k(exact, labels, 1)

    def loss_of(kept: Collection[str]) -> Loss:
        found = trial.int8(options.calibration_table, options.ranges, kept)["probabilities"]
        return Loss(top1 - top_k(found, labels, 1), float(np.abs(found - exact).mean()))

    return loss_of


def agreement_loss(trial: Trial, options: argparse.Namespace) -> LossOf:
    """Return how far the agreement of INT8 with float32 is below what it must reach, where some layers are not in it.

    Raises:
        UserError: the sample's task has no such agreement.
    """
    metric, least = options.metric, options.least
    known = agreement_of(trial.exact, trial.exact)
    if metric not in known:
        raise UserError(f"mixed_precision.metric: {metric!r} is no agreement of this task. Known: {', '.join(known)}.")

    def loss_of(kept: Collection[str]) -> Loss:
        found = agreement_of(trial.int8(options.calibration_table, options.ranges, kept), trial.exact)
        return Loss(least - found[metric], -found.get("snr_db", found[metric]))

    return loss_of


def main() -> None:
    """Read the command line, search, and write the names of the layers, one a line."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    scales = arguments.add_mutually_exclusive_group(required=True)
    scales.add_argument("--ranges", type=Path, help="dynamic ranges")
    scales.add_argument("--calibration-table", type=Path, help="calibration table")
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ...")
    arguments.add_argument("--batches", type=int, help="number of batch files to use; all by default")
    arguments.add_argument("--limit", type=float, default=0.01, help="largest drop of top-1 on them; they have labels")
    arguments.add_argument("--metric", help="agreement with float32 that decides in its place, such as snr_db")
    arguments.add_argument("--least", type=float, help="what that agreement must reach")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="list of layers to write")
    options = arguments.parse_args()

    trial = trial_of(options)
    loss_of, limit = (
        (agreement_loss(trial, options), 0.0) if options.metric else (top1_loss(trial, options), options.limit)
    )
    kept = smallest_set(trial.layers, loss_of, limit)
    print(f"{len(kept)} of {len(trial.layers)} layers are kept in float32{': ' if kept else ''}{', '.join(kept)}")
    write_text(options.out, "".join(f"{name}\n" for name in kept))


if __name__ == "__main__":
    run_on_backend(main)
