"""Several labels an item, held against scikit-learn's metrics."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from trtflow.formats import UserError
from trtflow.metrics.multilabel import average_precision, label_agreement, multilabel_scores

CLASSES = list("abcdef")


@pytest.mark.parametrize("count", [2, 7, 60])
@pytest.mark.parametrize("decimals", [1, 7])  # of scores: with one many are equal
def test_scores_are_those_of_scikit_learn(count, decimals):
    rng = np.random.default_rng(count)
    scores = rng.random((count, 6)).round(decimals).astype(np.float32)
    truth = rng.random((count, 6)) < 0.3
    truth[:, 2], truth[0, 0], truth[0, 1] = False, True, True
    scores[:, 3], truth[:, 3] = 0, False  # a class that neither occurs nor is said
    said = scores > 0.5
    found = multilabel_scores(scores, said, truth, CLASSES)
    occurs = truth.any(0)
    wanted = average_precision_score(truth[:, occurs], scores[:, occurs], average=None)
    assert found["metrics"]["map"] == pytest.approx(np.mean(wanted))
    assert list(found["details"]["average_precision"].values()) == pytest.approx(np.ravel(wanted))
    assert found["metrics"]["f1_micro"] == pytest.approx(f1_score(truth, said, average="micro", zero_division=np.nan))
    assert found["metrics"]["f1_macro"] == pytest.approx(f1_score(truth, said, average="macro", zero_division=np.nan))
    each = f1_score(truth[:, occurs], said[:, occurs], average=None)
    assert list(found["details"]["f1"].values()) == pytest.approx(np.ravel(each))


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_a_score_that_is_no_number_spoils_all(spoilt):
    scores = np.array([[0.9, spoilt], [0.1, 0.2]], np.float32)
    found = multilabel_scores(scores, scores > 0.5, np.array([[1, 1], [0, 0]], bool), ["a", "b"])["metrics"]
    assert all(np.isnan(value) for value in found.values())


def test_nothing_is_no_success():
    empty = np.zeros((0, 2))
    assert np.isnan(multilabel_scores(empty, empty > 0, empty > 0, ["a", "b"])["metrics"]["map"])
    assert label_agreement(empty, empty) == 0
    assert np.isnan(average_precision(np.ones(3), np.zeros(3, bool)))


def test_arrays_of_other_items_or_classes_are_refused():
    scores = np.zeros((3, 2))
    with pytest.raises(UserError, match="shapes"):
        multilabel_scores(scores, scores > 0, np.zeros((4, 2), bool), ["a", "b"])
    with pytest.raises(UserError, match="3 classes"):
        multilabel_scores(scores, scores > 0, scores > 0, ["a", "b", "c"])


def test_decisions_on_no_numbers_agree_with_nothing():
    assert label_agreement(np.array([[1, 0, -1, -1]]), np.array([[1, 1, -1, 0]])) == 0.25
