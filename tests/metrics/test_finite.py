"""A value that is no number never passes a gate, and no answer is better for it, by any metric."""

import math
from itertools import product

import numpy as np
import pytest
from test_maps import A, B, detections, objects

from trtflow.formats import UserError
from trtflow.metrics.agreement import MOST_DB, mean_difference, snr_db, top1_agreement
from trtflow.metrics.classification import classification_scores, largest_difference, top_k, top_k_agreement
from trtflow.metrics.coco import coco_map
from trtflow.metrics.detections import least_matched_iou, max_difference, overlap_agreement
from trtflow.metrics.finite import count_not_finite
from trtflow.metrics.perplexity import perplexity, relative_difference
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.metrics.regression import regression_scores
from trtflow.metrics.scores import detection_scores
from trtflow.metrics.segmentation import confusion, pixel_agreement, segmentation_scores
from trtflow.metrics.voc import average_precisions

BAD = (np.nan, np.inf, -np.inf)
LABELS = np.array([0, 1, 2])
CLASSES = ("a", "b", "c")
# right by far, right by little, wrong
PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2]])
CHOICES = np.array([[4, 5, 6], [4, 5, 6], [4, 5, 6]])
TRUTHS = [objects((1, A), (2, B)), objects((1, B, True))]
# found, found at the wrong place first, nothing, difficult
FOUND = detections([(1, 0.9, A), (2, 0.8, A), (2, 0.7, B)], [(1, 0.6, B)], size=4)
CHANCES = np.log([0.5, 0.25, 0.125])


def ranking(score):
    return lambda values: score(ranks(values, CHOICES), 1)


# each: of which answers, the metric, whether more is better
METRICS = {
    "top1": (PROBABILITIES, lambda values: top_k(values, LABELS, 1), True),
    "top2": (PROBABILITIES, lambda values: top_k(values, LABELS, 2), True),
    "recall": (
        PROBABILITIES,
        lambda values: sum(classification_scores(values, LABELS, CLASSES)["details"]["recall"].values()),
        True,
    ),
    "top_k_agreement": (PROBABILITIES, lambda values: top_k_agreement(values, PROBABILITIES, 2, 0.01), True),
    "of_a_reference": (PROBABILITIES, lambda values: top_k_agreement(PROBABILITIES, values, 2, 0.01), True),
    "difference": (PROBABILITIES, lambda values: largest_difference(values, PROBABILITIES), False),
    "from": (PROBABILITIES, lambda values: largest_difference(PROBABILITIES, values), False),
    "mean_difference": (PROBABILITIES, lambda values: mean_difference(values, PROBABILITIES), False),
    "mean_difference_from": (PROBABILITIES, lambda values: mean_difference(PROBABILITIES, values), False),
    "top1_agreement": (PROBABILITIES, lambda values: top1_agreement(values, PROBABILITIES), True),
    "overlap_agreement": (FOUND, lambda values: overlap_agreement(values, FOUND), True),
    "pixel_agreement": (PROBABILITIES, lambda values: pixel_agreement(values, PROBABILITIES), True),
    "perplexity": (CHANCES, perplexity, False),
    "hit_ratio": (PROBABILITIES, ranking(hit_ratio), True),
    "ndcg": (PROBABILITIES, lambda values: ndcg(ranks(values, CHOICES), 2), True),
    "voc_2007": (FOUND, lambda values: sum(average_precisions(values, TRUTHS).values()), True),
    "voc_2010": (FOUND, lambda values: sum(average_precisions(values, TRUTHS, "area").values()), True),
    "coco": (FOUND, lambda values: coco_map(values, TRUTHS)["coco_map"], True),
    "coco50": (FOUND, lambda values: coco_map(values, TRUTHS)["coco_map50"], True),
    "agreement": (FOUND, lambda values: max_difference(values, FOUND, 0.05), False),
    "of_the_framework": (FOUND, lambda values: max_difference(FOUND, values, 0.05), False),
    "matched_iou": (FOUND, lambda values: least_matched_iou(values, FOUND), True),
    "of_a_match": (FOUND, lambda values: least_matched_iou(FOUND, values), True),
}


@pytest.mark.parametrize("name", METRICS)
def test_nothing_is_better_for_a_value_that_is_no_number(name):
    answers, metric, more_is_better = METRICS[name]
    plain = metric(answers)
    assert math.isfinite(plain)
    for place, value in product(np.ndindex(answers.shape), BAD):
        changed = answers.copy()
        changed[place] = value
        found = metric(changed)
        assert not math.isnan(found), (place, value)
        assert found <= plain if more_is_better else found >= plain, (place, value, found, plain)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", METRICS)
def test_answers_without_a_number_are_worth_nothing(name, value):
    answers, metric, more_is_better = METRICS[name]
    found = metric(np.full_like(answers, value))
    assert found == (0 if more_is_better else math.inf)


def test_voc_coco_and_agreement_agree_that_all_nan_is_nothing():
    scores = detection_scores(np.full_like(FOUND, np.nan), TRUTHS, ("ground", "a", "b"))
    assert set(scores["metrics"].values()) == {0.0}
    assert max_difference(np.full_like(FOUND, np.nan), np.full_like(FOUND, np.nan)) == math.inf
    assert least_matched_iou(np.full_like(FOUND, np.nan), np.full_like(FOUND, np.nan)) == 0


def test_a_box_without_numbers_is_a_false_alarm():
    perfect = detections([(1, 0.9, A), (2, 0.7, B)], [])
    assert coco_map(perfect, TRUTHS)["coco_map50"] == pytest.approx(1)
    for column in range(1, 7):
        damaged = perfect.copy()
        damaged[0, 0, column] = np.nan
        assert coco_map(damaged, TRUTHS)["coco_map50"] < 0.8, column
        assert sum(average_precisions(damaged, TRUTHS).values()) / 2 < 0.8, column


def test_values_are_counted_by_name():
    arrays = {"a": np.array([1, np.nan, np.inf]), "b": np.zeros(3), "names": np.array(["x"]), "n": np.array([1])}
    assert count_not_finite(arrays) == {"a": 2}


THREE = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("value", BAD)
def test_a_ratio_of_noise_that_is_no_number_is_the_worst(value):
    for place in range(3):
        damaged = THREE.copy()
        damaged[place] = value
        assert snr_db(damaged, THREE) == snr_db(THREE, damaged) == snr_db(damaged, damaged) == -math.inf
        assert all(map(math.isnan, regression_scores(damaged, THREE).values()))
        assert all(map(math.isnan, regression_scores(THREE, damaged).values()))


# each compares two arrays; of other shapes NumPy would stretch one until it fits
PAIRS = {
    "largest_difference": largest_difference,
    "mean_difference": mean_difference,
    "snr_db": snr_db,
    "top1_agreement": top1_agreement,
    "top_k_agreement": lambda first, second: top_k_agreement(first, second, 1, 0.1),
    "ranks": ranks,
    "regression": regression_scores,
    "pixels": pixel_agreement,
    "confusion": lambda first, second: confusion(first, second, 2),
    "detections": max_difference,
    "matched_iou": least_matched_iou,
    "overlap_agreement": overlap_agreement,
}


@pytest.mark.parametrize("shape", [(3, 1), (1, 4), (3,), (1, 1), (3, 5), (4, 3), (0, 4), (1, 3, 4)])
@pytest.mark.parametrize("name", PAIRS)
def test_arrays_of_other_shapes_are_never_compared(name, shape):
    first, second = np.zeros((3, 4)), np.zeros(shape)
    for pair in ((first, second), (second, first)):
        with pytest.raises(UserError, match="are not of the same"):
            PAIRS[name](*pair)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("values", [np.array([["a"]]), np.array([[None]]), np.array([[1j]])])
def test_what_is_not_made_of_numbers_is_refused(name, values):
    with pytest.raises(UserError, match="is not made of numbers"):
        PAIRS[name](values, values)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_nothing_is_never_right(shape):
    nothing = np.zeros(shape)
    assert largest_difference(nothing, nothing) == mean_difference(nothing, nothing) == math.inf
    assert snr_db(nothing, nothing) == -math.inf
    assert top1_agreement(nothing, nothing) == pixel_agreement(nothing, nothing) == 0
    assert all(map(math.isnan, regression_scores(nothing, nothing).values()))
    images = np.zeros((0, 5, 7))
    assert max_difference(images, images) == math.inf
    assert least_matched_iou(images, images) == overlap_agreement(images, images) == 0
    assert top_k(np.zeros((0, 3)), np.zeros(0, int), 1) == 0
    with pytest.raises(UserError, match="no pixel of the masks counts"):
        segmentation_scores([], CLASSES)


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_integers_are_compared_as_they_are(kind):
    """Float64 tells no two neighbours beyond 2^53 apart."""
    first, second = np.array([[2**60 + 1, 7]], kind), np.array([[2**60, 7]], kind)
    assert largest_difference(first, second) == 1
    assert mean_difference(first, second) == 0.5
    assert snr_db(first, second) == MOST_DB  # 361 dB in truth
    assert regression_scores(first, second)["mae"] == 0.5
    assert largest_difference(first, first) == 0


@pytest.mark.parametrize(
    "scores",
    [
        np.array([[0, 200, 3], [200, 3, 0]], np.uint8),
        np.array([[-128, 127, 0], [127, -128, 0]], np.int8),
        np.array([[0, 1, 0], [1, 0, 0]], bool),
    ],
)
def test_scores_of_any_type_are_ranked(scores):
    best = np.array([1, 0])
    assert top_k(scores, best, 1) == top_k_agreement(scores, scores, 1, 0) == 1


@pytest.mark.parametrize("size", [1e200, 1.5e308])
def test_what_overflows_is_the_worst(size):
    """10 log10 of infinity over infinity is NaN, and the least of 200 and NaN is 200 in Python."""
    far = np.full(3, size)
    assert snr_db(far, -far) == pytest.approx(-6.02, abs=0.01) or snr_db(far, -far) == -math.inf
    assert largest_difference(far, -far) >= 2e200
    assert not regression_scores(far, -far)["r2"] > 0
    assert snr_db(np.full(3, 1e10), np.full(3, 1e-320)) == -math.inf


def test_targets_of_half_numbers_explain_no_more_than_they_do():
    """Their variance overflows, and anything over infinity is nothing left to explain."""
    true = np.array([60000, -60000, 0], np.float16)
    wrong = np.array([-60000, 60000, 0], np.float16)
    assert regression_scores(wrong, true)["r2"] == pytest.approx(-3)


def test_no_text_is_more_than_certain():
    assert perplexity(np.array([5.0, 5.0])) == math.inf
    assert perplexity(np.array([-1e5])) == math.inf
    assert perplexity(np.array([1e-3, 0.0])) == pytest.approx(1, abs=1e-3)
    assert relative_difference(1.0, 0.0) == math.inf


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="give one for each"):
        top_k(PROBABILITIES, LABELS[:1], 1)
    for labels in (np.array([0, 1, 3]), np.array([-1, 0, 1])):
        with pytest.raises(UserError, match="but there are 3 classes"):
            classification_scores(PROBABILITIES, labels, CLASSES)
    with pytest.raises(UserError, match="a mask has the class 2, but there are 2"):
        confusion(np.array([2, 1]), np.array([0, 1]), 2)
    with pytest.raises(UserError, match="detections of 2 images, but 1 were labelled"):
        detection_scores(FOUND, TRUTHS[:1], ("ground", "a", "b"))
