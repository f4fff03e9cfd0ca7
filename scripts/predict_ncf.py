"""Ask the recommender in TensorFlow, to compare engines with.

python scripts/predict_ncf.py --model results/movielens/model/network.keras \\
    --choices results/movielens/data/test.negative --out results/movielens/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.families.keras_digits.network import prepare_tensorflow  # isort: skip - sets TensorFlow's environment

import keras

from trtflow.cli import parser, run
from trtflow.datasets.ratings import read_choices
from trtflow.formats.arrays import write_arrays
from trtflow.families.ncf.network import probabilities, sizes


def main() -> None:
    """Read the command line; write users, the movies they choose from, and the probability of each."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help=".keras file")
    arguments.add_argument("--choices", type=Path, required=True, help="test.negative")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    prepare_tensorflow(seed=0, threads=1)
    model = keras.saving.load_model(options.model, compile=False)
    users, choices = read_choices(options.choices, **sizes(model))
    found = probabilities(model, users, choices)
    write_arrays(options.out, {"users": users, "choices": choices, "probabilities": found})


if __name__ == "__main__":
    run(main)
