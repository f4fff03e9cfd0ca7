"""Ranks of held-out movies, HR@k and NDCG@k."""

import math

import numpy as np
import pytest

from trtflow.metrics.ranking import hit_ratio, ndcg, ranks

CHOICES = np.array([[4, 5, 6, 7], [4, 5, 6, 7]])


def test_rank_counts_what_is_more_probable():
    found = ranks(np.array([[0.1, 0.9, 0.2, 0.5], [0.1, 0.2, 0.3, 0.9]]), CHOICES)
    assert found.tolist() == [1, 0]


def test_equal_answers_gain_nothing():
    assert ranks(np.full((2, 4), 0.5), CHOICES).tolist() == [3, 3]
    assert ranks(np.full((2, 4), np.nan), CHOICES).tolist() == [3, 3]


def test_a_movie_does_not_compete_with_itself():
    """As in the published test set, where 156 users' held-out movie is among the 99 too."""
    assert ranks(np.array([[0.5, 0.9, 0.1, 0.5]]), np.array([[7, 5, 6, 7]])).tolist() == [1]


def test_scores():
    places = np.array([0, 1, 9, 10])
    assert hit_ratio(places, 10) == 0.75
    assert hit_ratio(places, 1) == 0.25
    assert ndcg(places, 10) == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(11)) / 4)
