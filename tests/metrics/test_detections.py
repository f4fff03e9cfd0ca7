"""Overlaps, and the difference between two runs."""

import numpy as np
import pytest

from trtflow.boxes import pairwise_iou
from trtflow.formats import UserError
from trtflow.metrics.detections import least_matched_iou, max_difference

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


def test_what_just_overlaps_a_better_detection_may_stay_or_go():
    kept = run((1, 0.9, (0.1, 0.1, 0.3, 0.3)), (1, 0.4, (0.1, 0.1, 0.19, 0.3)))  # overlap 0.45
    suppressed = run((1, 0.9, (0.1, 0.1, 0.3, 0.3)))
    assert max_difference(kept, suppressed) == pytest.approx(0.4)
    assert max_difference(kept, suppressed, nms_iou=0.4507) == 0
    assert max_difference(suppressed, kept, nms_iou=0.4493) == 0
    assert max_difference(kept, suppressed, nms_iou=0.47) == pytest.approx(0.4)


def test_a_box_at_the_limit_is_no_excuse_for_another_score_or_for_the_better_one():
    first = run((1, 0.9, (0.1, 0.1, 0.3, 0.3)), (1, 0.4, (0.1, 0.1, 0.19, 0.3)))
    weaker = run((1, 0.9, (0.1, 0.1, 0.3, 0.3)), (1, 0.2, (0.1, 0.1, 0.19, 0.3)))
    assert max_difference(first, weaker, nms_iou=0.45) == pytest.approx(0.2)
    assert max_difference(first, run((1, 0.4, (0.1, 0.1, 0.19, 0.3))), nms_iou=0.45) == pytest.approx(0.9)


def test_runs_over_other_images_are_refused():
    with pytest.raises(UserError, match="not of the same images"):
        max_difference(run(), np.concatenate([run(), run()]))


def test_worst_overlap_of_matched_boxes():
    first = run((1, 0.9, BOX), (2, 0.8, OTHER))
    moved = run((2, 0.3, OTHER), (1, 0.9, (0.1, 0.1, 0.3, 0.28)))
    assert least_matched_iou(first, first) == 1
    assert least_matched_iou(first, moved) == pytest.approx(0.9)
    assert least_matched_iou(moved, first) == pytest.approx(0.9)


@pytest.mark.parametrize("second", [run((1, 0.9, OTHER)), run((2, 0.9, BOX)), run()])
def test_box_without_a_match_has_no_overlap(second):
    assert least_matched_iou(run((1, 0.9, BOX)), second) == 0
    assert least_matched_iou(second, run((1, 0.9, BOX))) == 0


def test_faint_boxes_need_no_match_and_no_boxes_are_no_agreement():
    assert least_matched_iou(run((1, 0.9, BOX), (2, 0.1, OTHER)), run((1, 0.9, BOX))) == 1
    assert least_matched_iou(run(), run()) == 0
    assert least_matched_iou(run((1, 0.1, BOX)), run((1, 0.1, BOX))) == 0
