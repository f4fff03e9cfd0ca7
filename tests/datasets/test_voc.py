"""Pascal VOC's layout: what is written is read back, and what is damaged is named."""

import numpy as np
import pytest

from trtflow.datasets import voc
from trtflow.formats import FormatError

CLASSES = ("background", "cat", "dog")
BOXES = np.array([[1, 2, 30.5, 40], [0, 0, 50, 100]], np.float32)


@pytest.fixture
def annotation():
    return voc.Annotation("000007", (100, 50), BOXES, np.array([2, 1]), np.array([False, True]))


def test_annotation_is_read_as_it_was_written(tmp_path, annotation):
    path = voc.annotation_path(tmp_path, "000007")
    voc.write_annotation(path, annotation, CLASSES)
    read = voc.read_annotation(path, CLASSES)
    assert (read.image_id, read.size) == ("000007", (100, 50))
    for key in ("boxes", "labels", "difficult"):
        np.testing.assert_array_equal(getattr(read, key), getattr(annotation, key))


def test_annotation_without_objects(tmp_path, annotation):
    empty = voc.Annotation("0", (100, 50), BOXES[:0], annotation.labels[:0], annotation.difficult[:0])
    voc.write_annotation(tmp_path / "0.xml", empty, CLASSES)
    assert voc.read_annotation(tmp_path / "0.xml", CLASSES).boxes.shape == (0, 4)


def test_normalised_boxes_divide_x_by_width_and_y_by_height(annotation):
    np.testing.assert_allclose(annotation.normalised_boxes(), [[0.02, 0.02, 0.61, 0.4], [0, 0, 1, 1]], rtol=1e-6)


def test_split_follows_the_order_of_its_image_set(tmp_path, annotation):
    for image_id in ("b", "a"):
        voc.write_annotation(voc.annotation_path(tmp_path, image_id), annotation, CLASSES)
    voc.write_image_set(tmp_path, "val", ["b", "a"])
    assert [item.image_id for item in voc.read_split(tmp_path, "val", CLASSES)] == ["b", "a"]


def test_unknown_class_is_an_error(tmp_path, annotation):
    voc.write_annotation(tmp_path / "0.xml", annotation, CLASSES)
    with pytest.raises(FormatError, match=r"0\.xml: not a VOC annotation of 2 classes"):
        voc.read_annotation(tmp_path / "0.xml", CLASSES[:2])


@pytest.mark.parametrize(
    "text", ["<annotation>", "<annotation/>", "<annotation><size><height>x</height></size></annotation>"]
)
def test_damaged_annotation_is_an_error(tmp_path, text):
    (tmp_path / "0.xml").write_text(text)
    with pytest.raises(FormatError, match="not a VOC annotation"):
        voc.read_annotation(tmp_path / "0.xml", CLASSES)


def test_empty_image_set_is_an_error(tmp_path):
    voc.write_image_set(tmp_path, "val", [])
    with pytest.raises(FormatError, match="the image set is empty"):
        voc.read_image_set(tmp_path, "val")
