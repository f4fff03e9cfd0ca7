"""Who watched what: MovieLens-1M, and ratings of the same form that are made here.

Users and movies are numbered from 0. What is held out is each user's last rating, to be found among 99 movies that the
user has not rated (He et al., "Neural Collaborative Filtering", WWW 2017, §4.1). Files are those of its authors:

    train.rating    user, movie, rating and time between tabs, a line a rating
    test.negative   (user,movie), then the movies that this user has not rated, between tabs, a line a user
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import check_unfolded, read_lines, refuse_damage, whole_number
from trtflow.formats.files import write_text
from trtflow.job import Job

FIELDS = ("user", "movie", "rating", "time")
TASTES = 4  # dimensions of taste that made users differ in
SHARPNESS = 6.0  # of taste, against popularity and chance
USERS, MOVIES = 600, 370  # to make where no number is given
NEGATIVES = 99  # movies that the held-out one is to be found among
WATCHED = (30, 60)  # movies that a made user rates: at least, and fewer than
MEMBER = "ml-1m/ratings.dat"
LINE = re.compile(r"\([0-9]{1,18},[0-9]{1,18}\)(?:\t[0-9]{1,18})+\t?\r?")
BLOCK = 1 << 16  # lines that are numbers of Python's at once
AGAIN = "Make or fetch it again."


def make_data(job: Job) -> None:
    """Make ratings to train a recommender on, or take MovieLens-1M's, and hold the last of each user out.

    Raises:
        UserError: MovieLens-1M has another number of users or movies than the sample says.
    """
    sizes = job.setting("splits.users", USERS), job.setting("splits.movies", MOVIES)
    seed = job.setting("splits.seed", 0)
    if not job.files("archive"):
        ratings = make_ratings(*sizes, seed)
    else:
        archive = job.input("archive")
        ratings = read_movielens(archive)
        found = tuple(int(ratings[:, column].max()) + 1 for column in (0, 1))
        if found != sizes:
            raise UserError(
                f"{archive}: {found[0]} users and {found[1]} movies, not {sizes[0]} and {sizes[1]}. "
                "Set splits.users and splits.movies to what it has."
            )
    train, choices = leave_one_out(ratings, NEGATIVES, seed)
    write_ratings(job.output("train"), train)
    write_choices(job.output("choices"), choices)


def make_ratings(users: int, movies: int, seed: int) -> np.ndarray:
    """Return ratings of users who choose by taste: seeded latent factors, popularity and chance.

    Each user and each movie is a direction in the space of tastes. Users watch movies whose direction is close to
    theirs, popular ones rather, with Gumbel noise, in an order by chance.

    Returns:
        int64 [ratings, 4], columns `FIELDS`, sorted by user and time; ratings are 1 to 5.

    Raises:
        UserError: there are too few movies.
    """
    if movies < WATCHED[1]:
        raise UserError(f"{movies} movies are too few: a user watches up to {WATCHED[1]}. Enlarge splits.movies.")
    rng = np.random.default_rng(seed)
    tastes, kinds = _directions(rng, users), _directions(rng, movies)
    liking, popularity = tastes @ kinds.T, rng.normal(size=movies) / 2
    drawn = SHARPNESS * liking + popularity + rng.gumbel(size=liking.shape)
    rows = []
    for user in range(users):
        watched = rng.permutation(np.argsort(-drawn[user], kind="stable")[: rng.integers(*WATCHED)])
        stars = np.clip(np.rint(2.5 + 2.5 * liking[user, watched]), 1, 5).astype(np.int64)
        rows.append(np.stack([np.full_like(stars, user), watched, stars, np.arange(len(stars))], 1))
    return np.concatenate(rows)


def _directions(rng: np.random.Generator, count: int) -> np.ndarray:
    drawn = rng.normal(size=(count, TASTES))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def read_movielens(path: Path) -> np.ndarray:
    """Return the ratings of MovieLens-1M's zip file as `make_ratings` does; users and movies are renumbered from 0.

    Raises:
        FormatError: the file is no such archive, or a line is broken.
    """
    with refuse_damage(path, "not MovieLens-1M", AGAIN), zipfile.ZipFile(path) as archive:
        check_unfolded(path, archive.getinfo(MEMBER).file_size)
        with archive.open(MEMBER) as file:
            ratings = _parsed((line.decode("latin-1") for line in file), "::", f"{path}: {MEMBER}")
    for column in (0, 1):
        ratings[:, column] = np.unique(ratings[:, column], return_inverse=True)[1]
    return ratings[np.lexsort((ratings[:, 1], ratings[:, 3], ratings[:, 0]))]


def leave_one_out(ratings: np.ndarray, negatives: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out the last rating of each user.

    Args:
        ratings: sorted by user and time, as `make_ratings` returns them; each user has two or more.
        negatives: movies to draw for each user that the user has not rated.
        seed: of that draw.

    Returns:
        the other ratings, and int64 [users, negatives + 1], the movies to choose from, the held-out one last.

    Raises:
        UserError: a user has rated so many movies that too few are left.
    """
    last = np.append(np.diff(ratings[:, 0]) != 0, True)
    users, movies = ratings[last, 0], ratings[:, 1].max() + 1
    rated = np.zeros((users.max() + 1, movies), bool)
    rated[ratings[:, 0], ratings[:, 1]] = True
    rng, choices = np.random.default_rng(seed), []
    for user, movie in ratings[last][:, :2]:
        unrated = np.flatnonzero(~rated[user])
        if len(unrated) < negatives:
            raise UserError(f"user {user} has not rated {len(unrated)} movies, {negatives} are needed. Enlarge movies.")
        choices.append([*rng.choice(unrated, negatives, replace=False), movie])
    return ratings[~last], np.array(choices, np.int64)


def write_ratings(path: Path, ratings: np.ndarray) -> None:
    """Write ratings as `train.rating`."""
    write_text(path, "".join("\t".join(map(str, row)) + "\n" for row in ratings.tolist()))


def write_choices(path: Path, choices: np.ndarray) -> None:
    """Write the movies that each user chooses from as `test.negative`; arguments as `leave_one_out` returns them."""
    rows = ([f"({user},{row[-1]})", *map(str, row[:-1])] for user, row in enumerate(choices.tolist()))
    write_text(path, "".join("\t".join(row) + "\n" for row in rows))


def read_ratings(path: Path, users: int, movies: int) -> np.ndarray:
    """Return the ratings of `train.rating`, int64 [ratings, 4].

    Raises:
        FormatError: a line is broken, or has a user or a movie outside the numbers given.
    """
    ratings = _parsed(read_lines(path, AGAIN), "\t", str(path))
    _check_range(path, "user", ratings[:, :1], users)
    _check_range(path, "movie", ratings[:, 1:2], movies)
    return ratings


def read_choices(path: Path, users: int, movies: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whom `test.negative` asks about, int32 [users], and the choices, int32 [users, 100], held-out movie last.

    Raises:
        FormatError: a line is broken, has another number of movies than the first, or a user or movie outside the
            numbers given.
    """
    rows = list(_numbers(path))
    found = np.array(rows, np.int64).reshape(len(rows), -1)
    asked, choices = found[:, 0], np.roll(found[:, 1:], -1, axis=1)
    _check_range(path, "user", asked[:, None], users)
    _check_range(path, "movie", choices, movies)
    return asked.astype(np.int32), choices.astype(np.int32)


def _numbers(path: Path) -> Iterator[list[int]]:
    """Yield the numbers of each line of `test.negative`, the user and the held-out movie first."""
    length = 0
    lines = read_lines(path, AGAIN)
    if not lines:
        raise FormatError(path, "it has no lines", AGAIN)
    for number, line in enumerate(lines, 1):
        match = LINE.fullmatch(line)
        row = [int(text) for text in re.findall(r"[0-9]+", line)] if match else []
        length = length or len(row)
        if not row or len(row) != length:
            wanted = f"(user,movie) and {length - 2} movies" if length else "(user,movie) and movies"
            raise FormatError(path, f"line {number} is not {wanted}: {line[:60]!r}", AGAIN)
        yield row


def _parsed(lines: Iterable[str], separator: str, name: str) -> np.ndarray:
    numbers = (_rating(number, line.rstrip("\r\n"), separator, name) for number, line in enumerate(lines, 1))
    blocks = []
    while rows := list(islice(numbers, BLOCK)):
        blocks.append(np.array(rows, np.int64))
    if not blocks:
        raise FormatError(name, "it has no ratings", AGAIN)
    return np.concatenate(blocks)


def _rating(number: int, line: str, separator: str, name: str) -> tuple[int, ...]:
    """Return the numbers of a line."""
    try:
        user, movie, rating, time = map(whole_number, line.split(separator))
    except ValueError as error:
        fault = f"line {number} is not {', '.join(FIELDS)} between {separator!r}: {line[:60]!r}"
        raise FormatError(name, fault, AGAIN) from error
    return user, movie, rating, time


def _check_range(path: Path, what: str, values: np.ndarray, count: int) -> None:
    """Refuse numbers for which the network has no row in its table: a GPU would read whatever lies behind it."""
    outside = np.argwhere((values < 0) | (values >= count))
    if len(outside):
        line, column = outside[0]
        fault = f"line {line + 1}: {what} {values[line, column]} is out of range, the network has {count}"
        raise FormatError(path, fault, f"Take the file that belongs to the network; {what}s count from 0.")
