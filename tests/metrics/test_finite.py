"""A value that is no number never passes a gate, and no answer is better for it, by any metric."""

import math
from itertools import product

import numpy as np
import pytest
from test_maps import A, B, detections, objects

from trtflow.metrics.classification import classification_scores, largest_difference, top_k, top_k_agreement
from trtflow.metrics.coco import coco_map
from trtflow.metrics.detections import least_matched_iou, max_difference
from trtflow.metrics.finite import count_not_finite
from trtflow.metrics.perplexity import perplexity
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.metrics.scores import detection_scores
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
