"""Mean average precision, against results worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from trtflow.formats import UserError
from trtflow.metrics.coco import coco_map
from trtflow.metrics.scores import detection_scores
from trtflow.metrics.voc import area_under_curve, average_precisions, eleven_point, match

A, B, NOWHERE = (0.1, 0.1, 0.3, 0.3), (0.5, 0.5, 0.9, 0.9), (0.0, 0.9, 0.1, 1.0)
NUDGED = (0.1, 0.1, 0.3, 0.26)  # overlaps A by 0.8
HALF = (0.1, 0.1, 0.3, 0.2)  # overlaps A by a half
COCO = ("coco_map", "coco_map50", "coco_map75")


@dataclass
class Objects:
    """The objects of one image."""

    boxes: list
    labels: np.ndarray
    difficult: np.ndarray

    def normalised_boxes(self):
        return np.array(self.boxes, np.float32).reshape(-1, 4)


def objects(*items):
    """Each item: label, box, and True if the object is a difficult one."""
    labels = np.array([item[0] for item in items], np.int64)
    return Objects([item[1] for item in items], labels, np.array([len(item) == 3 for item in items], bool))


def detections(*images, size=6):
    """Each image: rows of label, score, box."""
    array = np.zeros((len(images), size, 7), np.float32)
    array[..., 1] = -1
    for index, rows in enumerate(images):
        for row, (label, score, box) in enumerate(rows):
            array[index, row] = (index, label, score, *box)
    return array


def test_perfect_detections_score_one():
    truths = [objects((1, A), (2, B)), objects(), objects((1, B))]
    found = detections([(1, 0.9, A), (2, 0.8, B)], [], [(1, 0.7, B)])
    for rule in ("11-point", "area"):
        assert average_precisions(found, truths, rule) == {1: 1.0, 2: 1.0}
    assert coco_map(found, truths) == pytest.approx(dict.fromkeys(COCO, 1.0))


def test_no_detections_score_zero():
    truths, nothing = [objects((1, A))], detections([])
    assert average_precisions(nothing, truths) == {1: 0.0}
    assert coco_map(nothing, truths) == dict.fromkeys(COCO, 0.0)


def test_both_rules_by_hand():
    # Hit, miss, hit of 4 objects: precision 1, 1/2, 2/3 at recall 1/4, 1/4, 2/4.
    hits = np.array([True, False, True])
    assert eleven_point(hits, 4) == pytest.approx((3 * 1 + 3 * 2 / 3) / 11)
    assert area_under_curve(hits, 4) == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)


def test_eleven_points_are_compared_exactly():
    # 3 of 10 is a recall of 0.3: four points (0, 0.1, 0.2, 0.3) have precision 1.
    assert eleven_point(np.ones(3, bool), 10) == pytest.approx(4 / 11)


def test_a_second_detection_of_an_object_is_wrong():
    hits, count = match(detections([(1, 0.9, A), (1, 0.8, NUDGED), (1, 0.7, B)]), [objects((1, A), (1, B))], 1)
    assert hits.tolist() == [True, False, True]
    assert count == 2


def test_the_better_score_finds_the_object_in_whatever_row_it_stands():
    hits, _ = match(detections([(1, 0.3, A), (1, 0.9, NUDGED)], [(1, 0.5, B)]), [objects((1, A)), objects()], 1)
    assert hits.tolist() == [True, False, False]


def test_an_overlap_of_a_half_is_enough():
    whole, half = (0, 0, 1, 1), (0, 0, 1, 0.5)
    assert match(detections([(1, 0.9, half)]), [objects((1, whole))], 1)[0].tolist() == [True]
    assert match(detections([(1, 0.9, (0, 0, 1, 0.49))]), [objects((1, whole))], 1)[0].tolist() == [False]


def test_an_object_of_another_class_or_image_is_not_found():
    truths = [objects((1, A)), objects((2, A))]
    assert average_precisions(detections([(2, 0.9, A)], [(1, 0.9, A)]), truths) == {1: 0.0, 2: 0.0}


def test_difficult_objects_count_neither_way():
    truths = [objects((1, A, True), (1, B)), objects((2, A, True))]
    found = detections([(1, 0.9, A), (1, 0.8, A), (1, 0.7, B)], [])
    assert average_precisions(found, truths) == {1: 1.0}
    assert coco_map(found, truths)["coco_map"] == pytest.approx(1)


def test_coco_takes_the_mean_over_overlaps():
    # An overlap of 0.8 is enough for 0.50 to 0.75 and, float32 coordinates being what they are, maybe for 0.80.
    scores = coco_map(detections([(1, 0.9, NUDGED)]), [objects((1, A))])
    assert scores["coco_map50"] == scores["coco_map75"] == pytest.approx(1)
    assert scores["coco_map"] in (pytest.approx(0.6), pytest.approx(0.7))
    assert coco_map(detections([(1, 0.9, HALF)]), [objects((1, A))])["coco_map75"] == 0


def test_coco_prints_nothing(capsys):
    coco_map(detections([(1, 0.9, A)]), [objects((1, A))])
    assert capsys.readouterr() == ("", "")


def test_scores_of_a_detector():
    truths = [objects((1, A), (2, B))]
    scores = detection_scores(detections([(1, 0.9, A), (2, 0.8, NOWHERE)]), truths, ("background", "cat", "dog", "cow"))
    assert scores["metrics"] == pytest.approx({"map": 0.5, "map_area": 0.5, **dict.fromkeys(COCO, 0.5)})
    assert scores["details"] == {"average_precision": {"cat": 1.0, "dog": 0.0}}


def test_nothing_to_find_is_an_error():
    with pytest.raises(UserError, match="no objects"):
        detection_scores(detections([(1, 0.9, A)]), [objects((1, A, True))], ("background", "cat"))
