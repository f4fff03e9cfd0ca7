"""Overlaps, and the difference between two runs."""

import numpy as np
import pytest

from trtflow.metrics.detections import least_matched_iou, max_difference, pairwise_iou

BOX, OTHER = (0.1, 0.1, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9)


def run(*rows: tuple[int, float, tuple[float, ...]], size: int = 5) -> np.ndarray:
    """Return the detections of one image, float32 [1, size, 7]."""
    detections = np.zeros((1, size, 7), np.float32)
    detections[..., 1] = -1
    for index, (label, score, box) in enumerate(rows):
        detections[0, index] = (0, label, score, *box)
    return detections


def test_iou_adds_no_pixel():
    first = np.array([[0, 0, 2, 2]], np.float32)
    second = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [5, 5, 5, 5]], np.float32)
    np.testing.assert_allclose(pairwise_iou(first, second), [[1, 2 / 6, 0, 0]])


def test_iou_of_empty_boxes_and_of_none():
    point = np.zeros((1, 4), np.float32)
    assert pairwise_iou(point, point).tolist() == [[0]]
    assert pairwise_iou(np.zeros((0, 4)), point).shape == (0, 1)


def test_equal_runs_do_not_differ_whatever_the_order():
    first = run((1, 0.9, BOX), (1, 0.8, OTHER), (2, 0.7, BOX))
    second = run((2, 0.7, BOX), (1, 0.8, OTHER), (1, 0.9, BOX))
    assert max_difference(first, second) == 0
    assert max_difference(run(), run()) == 0


@pytest.mark.parametrize(
    ("second", "difference"),
    [
        (run((1, 0.75, BOX)), 0.15),  # score
        (run((1, 0.9, (0.1, 0.1, 0.3, 0.32))), 0.02),  # coordinate
        (run((2, 0.9, BOX)), 0.9),  # label
        (run(), 0.9),  # missing
        (run((1, 0.9, BOX), (1, 0.4, OTHER)), 0.4),  # too many
    ],
)
def test_difference(second, difference):
    first = run((1, 0.9, BOX))
    assert max_difference(first, second) == pytest.approx(difference, abs=1e-6)
    assert max_difference(second, first) == pytest.approx(difference, abs=1e-6)


def test_two_weak_detections_far_apart_count_as_two_not_as_a_pair():
    assert max_difference(run((1, 0.02, BOX)), run((1, 0.03, OTHER))) == pytest.approx(0.03)


def test_what_the_other_run_may_leave_out_counts_above_that_alone():
    weak = run((1, 0.012, BOX))
    assert max_difference(weak, run(), threshold=0.01) == pytest.approx(0.002)
    full = run((2, 0.9, OTHER), size=1)
    assert max_difference(run((2, 0.9, OTHER), size=1), full) == 0
    assert max_difference(run((1, 0.95, BOX), size=1), full) == pytest.approx(0.05)


def test_runs_over_other_images_are_refused():
    with pytest.raises(ValueError, match="not of the same images"):
        max_difference(run(), np.concatenate([run(), run()]))


def test_least_matched_iou():
    first = run((1, 0.9, BOX), (2, 0.8, OTHER), (1, 0.3, OTHER))
    assert least_matched_iou(first, first, 0.5) == pytest.approx(1)
    shifted = run((1, 0.9, (0.1, 0.1, 0.3, 0.2)), (2, 0.4, OTHER))
    assert least_matched_iou(first, shifted, 0.5) == pytest.approx(0.5)
    assert least_matched_iou(shifted, first, 0.5) == pytest.approx(0.5)


def test_detection_without_a_partner_of_its_label_overlaps_nothing():
    assert least_matched_iou(run((1, 0.9, BOX)), run((2, 0.9, BOX)), 0.5) == 0
    assert least_matched_iou(run(), run((1, 0.6, BOX)), 0.5) == 0
    assert least_matched_iou(run(), run((1, 0.4, BOX)), 0.5) == 1
