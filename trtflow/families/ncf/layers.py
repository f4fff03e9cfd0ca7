"""The recommender in TensorRT: parsed from UFF, TopK added by hand, and what goes in and comes out (guide §14.1).

A query is one user and the 100 movies to choose from; a batch is several users.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.formats import UserError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json
from trtflow.runtime.parsers import parse_uff

USER, MOVIE = "user_input", "item_input"
OUTPUT, TOP_VALUES, TOP_PLACES = "prediction/Sigmoid", "topk_values", "topk_items"
CHOICES = 100  # movies a query
BEST = 10  # of which are reported


def parse_model(trt: ModuleType, network: Any, model: Path) -> Any:
    """Parse a UFF file whose inputs take the numbers of 100 users and movies; return its output's tensor."""
    parse_uff(trt, network, model, dict.fromkeys((USER, MOVIE), (CHOICES, 1, 1)), [OUTPUT])
    return network.get_output(0)


def add_top_k(trt: ModuleType, network: Any, prediction: Any) -> None:
    """Add a TopK over the movies, which UFF lacks, and mark the best probabilities and their places as outputs."""
    column = network.add_shuffle(prediction)
    column.name, column.reshape_dims = "movies", (CHOICES, 1)
    top = network.add_topk(column.get_output(0), trt.TopKOperation.MAX, BEST, 1)  # along the first axis
    top.name = "topk"
    for index, name in enumerate((TOP_VALUES, TOP_PLACES)):
        top.get_output(index).name = name
        network.mark_output(top.get_output(index))
    top.get_output(1).dtype = trt.int32


def read_sizes(export: Path) -> dict[str, int]:
    """Return how many users and movies the network knows, under `users` and `movies`.

    Raises:
        FormatError: the file does not say that.
    """
    path = export / "sizes.json"
    with refuse_damage(path, "not the sizes of a recommender", "Make it again with snakemake."):
        found = read_json(path)
        sizes = {key: found[key] for key in ("users", "movies")}
        if not all(type(size) is int and size > 0 for size in sizes.values()):
            raise ValueError(f"{sizes} are no numbers of users and movies")
        return sizes


def inputs_of(users: np.ndarray, choices: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the engine takes: each user's number beside each of the movies, int32 [users, 100, 1, 1] both.

    Args:
        users: int32 [users].
        choices: int32 [users, 100], movies.

    Raises:
        UserError: there are not 100 movies a user.
    """
    if choices.shape[1] != CHOICES:
        raise UserError(f"{choices.shape[1]} movies a user to choose from, but the network takes {CHOICES}.")
    shape = (len(users), CHOICES, 1, 1)
    numbers = np.broadcast_to(users.reshape(-1, 1, 1, 1), shape)
    return {USER: np.ascontiguousarray(numbers, np.int32), MOVIE: choices.reshape(shape).astype(np.int32)}


def answers_of(outputs: dict[str, np.ndarray], choices: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the outputs mean.

    Returns:
        `probabilities`, float32 [users, 100], of each movie; `best`, int32 [users, 10], the ten best movies, and
        `best_probabilities`, float32 [users, 10], best first.
    """
    count = len(choices)
    places = outputs[TOP_PLACES].reshape(count, BEST)
    return {
        "probabilities": outputs[OUTPUT].reshape(count, CHOICES),
        "best": np.take_along_axis(choices, places, axis=1).astype(np.int32),
        "best_probabilities": outputs[TOP_VALUES].reshape(count, BEST),
    }
