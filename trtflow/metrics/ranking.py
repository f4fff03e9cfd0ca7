"""How high a recommender ranks the movie that a user watched next (He et al., WWW 2017, §4.1)."""

from __future__ import annotations

import numpy as np

from trtflow.formats import UserError
from trtflow.metrics.pairs import check_alike


def ranks(probabilities: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Return the rank of each user's held-out movie, int64 [users], 0 for the first.

    A movie that is as probable counts as ahead, so that equal answers gain nothing. Where the held-out movie is among
    the others too, as in the published test set for 156 users, it does not compete with itself. What is no number ranks
    last where it is the held-out movie's, and ahead of that where it is another's.

    Args:
        probabilities: float [users, choices].
        choices: movies, integers [users, choices], the held-out one last.

    Raises:
        UserError: they have different shapes, or there is nothing to choose from.
    """
    check_alike(probabilities, choices, "choices")
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise UserError(f"probabilities of shape {probabilities.shape} are of no choice of movies. Give two or more.")
    others, known = choices != choices[:, -1:], np.isfinite(probabilities)
    behind = known & known[:, -1:] & (probabilities < probabilities[:, -1:])
    return (others & ~behind).sum(axis=1)


def hit_ratio(places: np.ndarray, k: int) -> float:
    """Return the share of users whose held-out movie is among the first k, HR@k; `places` as `ranks` returns them."""
    return float(np.mean(places < k)) if len(places) else 0.0


def ndcg(places: np.ndarray, k: int) -> float:
    """Return the mean of 1 / log2(rank + 2) of those that are among the first k, 0 for others: NDCG@k of one movie."""
    return float(np.mean(np.where(places < k, 1 / np.log2(places + 2), 0.0))) if len(places) else 0.0
