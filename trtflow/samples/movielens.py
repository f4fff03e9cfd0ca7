"""Movie recommendation using Neural Collaborative Filter (NCF): guide chapter 14, sampleMovieLens.

A query is a user and a list of movies; the answer is the movie that the user would like best. The network has an
embedding of 32 numbers for each user and each movie and a perceptron of 64, 32, 16 and 8, trained in TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.families.ncf.layers import add_top_k, answers_of, inputs_of, parse_model
from trtflow.runtime.session import Session


def define_network(trt: ModuleType, network: Any, export: Path) -> None:
    """§14.1: parse the UFF model, in which embeddings are Constants and the perceptron FullyConnected; add TopK."""
    prediction = parse_model(trt, network, export / "model.uff")
    add_top_k(trt, network, prediction)


def recommend(session: Session, users: np.ndarray, choices: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
    """§14.2: return what `answers_of` says of the movies that users choose from.

    Args:
        session: of the engine.
        users: int32 [users].
        choices: int32 [users, 100], movies.
        batch_size: users a run.
    """
    firsts = range(0, len(users), batch_size)
    feeds = (inputs_of(users[first : first + batch_size], choices[first : first + batch_size]) for first in firsts)
    outputs = list(session.run_all(feeds))
    return answers_of({name: np.concatenate([each[name] for each in outputs]) for name in outputs[0]}, choices)
