"""Compare the answers of a recommender's engines with TensorFlow's.

python scripts/compare_recommendations.py --framework results/movielens/model/predictions.npz \\
    --out results/movielens/agreement.json fp32=results/movielens/predictions.fp32.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.classification import largest_difference


def compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the share of users with the same best movie, and the largest difference of a probability."""
    users, choices, ours, best = read_arrays(predictions, "users", "choices", "probabilities", "best")
    others, theirs_to_choose, theirs = read_arrays(framework, "users", "choices", "probabilities")
    if users.tolist() != others.tolist() or choices.tolist() != theirs_to_choose.tolist():
        raise FormatError(predictions, f"not of the same users and movies as {framework}", "Make both again.")
    wanted = choices[np.arange(len(choices)), theirs.argmax(axis=1)]
    return {
        "top_item_agreement": float(np.mean(best[:, 0] == wanted)),
        "probability_difference": largest_difference(ours, theirs),
    }


def main() -> None:
    """Read the command line, compare and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--framework", type=Path, required=True, help="npz file of predict_ncf.py")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("predictions", nargs="+", metavar="PRECISION=FILE", help="npz files of the engines")
    options = arguments.parse_args()

    files = dict(item.split("=", 1) for item in options.predictions)
    write_json(options.out, {name: compare(Path(path), options.framework) for name, path in files.items()})


if __name__ == "__main__":
    run(main)
