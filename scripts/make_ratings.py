"""Make ratings to train a recommender on, or take MovieLens-1M's, and hold the last of each user out.

python scripts/make_ratings.py --users 600 --movies 370 --out-dir results/movielens/data
python scripts/make_ratings.py --archive ml-1m.zip --out-dir results/movielens/data
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.ratings import leave_one_out, make_ratings, read_movielens, write_choices, write_ratings
from trtflow.formats import UserError

NEGATIVES = 99  # movies that the held-out one is to be found among


def main() -> None:
    """Read the command line, make or read ratings, and write train.rating and test.negative."""
    arguments = parser(__doc__)
    arguments.add_argument("--archive", type=Path, help="MovieLens-1M's zip file, in place of ratings that are made")
    arguments.add_argument("--users", type=int, default=600, help="users to make, or that the archive must have")
    arguments.add_argument("--movies", type=int, default=370, help="movies to make, or that the archive must have")
    arguments.add_argument("--seed", type=int, default=0, help="of the ratings and of the movies drawn for each user")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write to")
    options = arguments.parse_args()

    if options.archive is None:
        ratings = make_ratings(options.users, options.movies, options.seed)
    else:
        ratings = read_movielens(options.archive)
        found = tuple(int(ratings[:, column].max()) + 1 for column in (0, 1))
        if found != (options.users, options.movies):
            raise UserError(
                f"{options.archive}: {found[0]} users and {found[1]} movies, not {options.users} and {options.movies}. "
                "Set splits.users and splits.movies to what it has."
            )
    train, choices = leave_one_out(ratings, NEGATIVES, options.seed)
    write_ratings(options.out_dir / "train.rating", train)
    write_choices(options.out_dir / "test.negative", choices)


if __name__ == "__main__":
    run(main)
