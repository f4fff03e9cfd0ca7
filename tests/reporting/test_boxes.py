"""Boxes on pictures, at exact pixels."""

import numpy as np
from PIL import Image

from trtflow.formats.netpbm import read_ppm, write_ppm
from trtflow.reporting.boxes import (
    GREEN,
    RED,
    SCALE,
    contact_sheet,
    draw_boxes,
    draw_labelled_boxes,
    visible,
    write_png,
)

CLASSES = ("background", "cat", "dog")


def grey(height=20, width=40):
    return np.full((height, width, 3), 128, np.uint8)


def test_a_red_box_of_one_pixel():
    image = grey()
    drawn = draw_boxes(image, np.array([[0.25, 0.1, 0.5, 0.5]], np.float32))
    expected = np.zeros((20, 40), bool)
    expected[2:11, 10:21] = True
    expected[3:10, 11:20] = False
    np.testing.assert_array_equal((drawn == RED).all(-1), expected)
    assert (drawn[~expected] == 128).all()
    assert (image == 128).all(), "the picture itself has changed"


def test_what_lies_outside_is_drawn_on_the_border():
    red = (draw_boxes(grey(), np.array([[-0.5, -1, 2, 1.0]])) == RED).all(-1)
    assert red[[0, -1]].all()
    assert red[:, [0, -1]].all()
    assert not red[1:-1, 1:-1].any()


def test_no_boxes():
    assert (draw_boxes(grey(), np.zeros((0, 4))) == grey()).all()


def test_only_what_is_sure_enough_is_visible():
    rows = np.zeros((4, 7), np.float32)
    rows[:, 1], rows[:, 2] = (1, 2, 1, -1), (0.9, 0.61, 0.59, 0.99)
    assert visible(rows)[:, 2].tolist() == rows[:2, 2].tolist()
    assert len(visible(rows, 0.5)) == 3


def test_the_ppm_is_read_back(tmp_path):
    drawn = draw_boxes(grey(), np.array([[0.25, 0.1, 0.5, 0.5]]))
    write_ppm(tmp_path / "a.ppm", drawn)
    np.testing.assert_array_equal(read_ppm(tmp_path / "a.ppm"), drawn)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.ppm")), drawn)


def test_the_labelled_picture(tmp_path):
    rows = np.array([[0, 1, 0.98, 0.2, 0.4, 0.7, 0.8]], np.float32)
    truth = np.array([[0.1, 0.3, 0.9, 0.9]])
    picture = draw_labelled_boxes(grey(100, 100), rows, CLASSES, truth)
    assert picture.shape == (100 * SCALE, 100 * SCALE, 3)
    assert picture[120, 40].tolist() == [0xCC, 0x66, 0x77]
    green = (picture == GREEN).all(-1)
    assert green[60, 20:26].all(), "a stroke"
    assert not green[60, 26:30].any(), "a gap"
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_labels_at_the_edges_stay_inside():
    corners = [(0, 0, 0.05, 0.05), (0.95, 0, 1, 0.05), (0, 0.95, 0.05, 1)]
    rows = np.array([[0, 2, 0.99, *box] for box in corners], np.float32)
    assert draw_labelled_boxes(grey(150, 150), rows, CLASSES).shape == (300, 300, 3)


def test_the_sheet_is_a_grid():
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(pictures, columns=2, gap=1)
    assert sheet[..., 0].tolist() == [
        [255] * 9,
        [255, 10, 10, 10, 255, 20, 20, 20, 255],
        [255, 10, 10, 10, 255, 20, 20, 20, 255],
        [255] * 9,
        [255, 30, 30, 30, 255, 255, 255, 255, 255],
        [255, 30, 30, 30, 255, 255, 255, 255, 255],
        [255] * 9,
    ]
