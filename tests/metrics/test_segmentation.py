"""Scores of segmentation, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, jaccard_score

from trtflow.formats import UserError
from trtflow.metrics.segmentation import confusion, pixel_agreement, segmentation_scores

CLASSES = ["ground", "cat", "dog", "never"]


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    truth = rng.integers(-1, 3, (4, 9, 11)).astype(np.int16)
    found = np.where(rng.uniform(size=truth.shape) < 0.6, truth.clip(0), rng.integers(0, 3, truth.shape))
    return truth, found


def scores_of(truth, found):
    return segmentation_scores([confusion(*pair, len(CLASSES)) for pair in zip(truth, found, strict=True)], CLASSES)


def test_scores_are_scikit_learns(masks):
    truth, found = masks
    counts = truth >= 0
    scores = scores_of(truth, found)
    true, said = truth[counts], found[counts]
    assert scores["metrics"] == pytest.approx(
        {
            "miou": jaccard_score(true, said, average="macro"),
            "pixel_accuracy": accuracy_score(true, said),
            "class_accuracy": balanced_accuracy_score(true, said),
        }
    )
    overlaps = jaccard_score(true, said, average=None).tolist()
    assert scores["details"]["iou"] == pytest.approx(dict(zip(CLASSES[:3], overlaps, strict=True)))
    matrix = np.array(scores["details"]["confusion"])
    np.testing.assert_array_equal(matrix[:, :4], confusion_matrix(true, said, labels=range(4)))


def test_an_answer_that_is_no_class_is_wrong_of_its_own(masks):
    truth, found = masks
    worse = found.copy()
    worse[:, :4] = -1
    before, after = (scores_of(truth, each)["metrics"] for each in (found, worse))
    assert all(after[name] < before[name] for name in before)
    assert pixel_agreement(found, found) == 1
    assert pixel_agreement(worse, worse) == pytest.approx(5 / 9)


def test_a_class_that_is_only_said_counts():
    scores = scores_of(np.zeros((1, 2, 2), int), np.array([[[0, 0], [0, 3]]]))
    assert scores["details"]["iou"] == {"ground": 0.75, "never": 0}
    assert scores["metrics"]["miou"] == 0.375


def test_masks_of_which_no_pixel_counts_are_told():
    with pytest.raises(UserError, match="no pixel of the masks counts"):
        scores_of(np.full((1, 2, 2), -1), np.zeros((1, 2, 2), int))
