"""Scores of a classifier by hand."""

import numpy as np
import pytest

from trtflow.metrics.classification import classification_scores, largest_difference, top_k, top_k_agreement

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.5, 0.1], [0.2, 0.2, 0.6]], np.float32)
LABELS = np.array([0, 1, 0, 2])


@pytest.mark.parametrize(("k", "share"), [(1, 0.5), (2, 1.0), (3, 1.0)])
def test_top_k(k, share):
    assert top_k(PROBABILITIES, LABELS, k) == share


def test_a_tie_goes_to_the_smaller_label():
    assert top_k(np.array([[0.5, 0.5]]), np.array([0]), 1) == 1
    assert top_k(np.array([[0.5, 0.5]]), np.array([1]), 1) == 0


def test_scores_of_all_of_a_batch_and_of_each_class():
    scores = classification_scores(PROBABILITIES, LABELS, ("a", "b", "c"), np.array([0, 3]))
    assert scores["metrics"] == {"top1": 0.5, "top5": 1.0, "batch_top1": 1.0}
    assert scores["details"]["recall"] == {"a": 0.5, "b": 0.0, "c": 1.0}


def test_difference():
    assert largest_difference(np.array([1.0, 2.0]), np.array([1.0, 2.5])) == 0.5


def test_top_k_agreement_counts_rows_with_the_same_classes():
    reference = np.array([[0.5, 0.3, 0.15, 0.05], [0.5, 0.3, 0.15, 0.05]])
    other = np.array([[0.3, 0.5, 0.15, 0.05], [0.5, 0.1, 0.35, 0.05]])
    assert top_k_agreement(reference, reference, 2, 0) == 1
    assert top_k_agreement(other, reference, 2, 0.001) == 0.5
    assert top_k_agreement(other, reference, 2, 0.2) == 1  # within the tolerance either will do
    assert top_k_agreement(other * np.nan, reference, 2, 0.2) == 0
