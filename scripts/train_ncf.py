"""Train the recommender in TensorFlow and keep it as Keras does.

python scripts/train_ncf.py --ratings results/movielens/data/train.rating --users 600 --movies 370 \\
    --out results/movielens/model/network.keras --sizes-out results/movielens/export/sizes.json \\
    --log-out results/movielens/model/training.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.ratings import read_ratings
from trtflow.formats.files import write_json
from trtflow.families.keras_digits.network import prepare_tensorflow, save_keras
from trtflow.families.ncf.network import network, sizes, train
from trtflow.families.common.schedule import Schedule


def main() -> None:
    """Read the command line and the ratings, train, and write the network, its sizes and its losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--ratings", type=Path, required=True, help="train.rating")
    arguments.add_argument("--users", type=int, required=True, help="rows of the users' embedding")
    arguments.add_argument("--movies", type=int, required=True, help="rows of the movies' embedding")
    arguments.add_argument("--steps", type=int, default=1200, help="batches to train on")
    arguments.add_argument("--batch-size", type=int, default=256, help="movies watched, each with four that were not")
    arguments.add_argument("--learning-rate", type=float, default=0.005, help="at its highest")
    arguments.add_argument("--seed", type=int, default=0, help="of the first weights, the order and what was not")
    arguments.add_argument("--threads", type=int, default=1, help="another number may change the last digits")
    arguments.add_argument("--out", type=Path, required=True, help=".keras file to write")
    arguments.add_argument("--sizes-out", type=Path, required=True, help="JSON file of numbers of users and movies")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    ratings = read_ratings(options.ratings, options.users, options.movies)
    prepare_tensorflow(options.seed, options.threads)
    model = network(options.users, options.movies)
    schedule = Schedule(options.steps, options.batch_size, options.learning_rate, options.seed)
    write_json(options.log_out, {"loss": {"training": train(model, ratings, schedule)}})
    write_json(options.sizes_out, sizes(model))
    save_keras(model, options.out)


if __name__ == "__main__":
    run(main)
