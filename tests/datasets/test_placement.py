"""Pictures in a network's input, and what is found there brought back."""

import numpy as np
import pytest

from trtflow.datasets.placement import BORDER, boxes_in_picture, map_in_picture, place, put
from trtflow.formats import UserError

SHAPE = (64, 96)


def ultralytics(size, shape):
    """Left, top, width and height of the letterbox of YOLOv5, utils/augmentations.py (auto=False)."""
    ratio = min(shape[0] / size[0], shape[1] / size[1])
    width, height = round(size[1] * ratio), round(size[0] * ratio)
    return round((shape[1] - width) / 2 - 0.1), round((shape[0] - height) / 2 - 0.1), width, height


@pytest.mark.parametrize("size", [(64, 96), (30, 30), (100, 20), (7, 300), (641, 427), (1, 5)])
def test_a_letterbox_is_ultralytics(size):
    where = place(size, SHAPE, "letterbox")
    wanted = ultralytics(size, SHAPE)
    assert (where.left, where.top, where.width, where.height) == (*wanted[:2], max(1, wanted[2]), max(1, wanted[3]))


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "corner"])
@pytest.mark.parametrize("size", [(40, 40), (20, 90), (123, 77)])
def test_what_is_put_in_comes_back(resize, size):
    image = np.zeros((*size, 3), np.uint8)
    top, left, bottom, right = (int(side * part) for part in (0.25, 0.75) for side in size)
    image[top:bottom, left:right] = 255
    canvas = put(image, SHAPE, resize)
    assert canvas.shape == (*SHAPE, 3)
    rows, columns = np.nonzero(canvas[..., 0] > 150)
    box = np.array([[columns.min() / 96, rows.min() / 64, (columns.max() + 1) / 96, (rows.max() + 1) / 64]])
    wanted = np.array([left / size[1], top / size[0], right / size[1], bottom / size[0]])
    cell = 1 / min(place(size, SHAPE, resize).width, place(size, SHAPE, resize).height)
    np.testing.assert_allclose(boxes_in_picture(box, size, SHAPE, resize)[0], wanted, atol=1.01 * cell)
    back = map_in_picture(canvas[..., 0], size, SHAPE, resize) > 127
    wrong = (back != (image[..., 0] > 127)).mean()
    assert wrong < 0.12
    outside = canvas[(canvas[..., 0] != 0) & (canvas[..., 0] != 255)]
    assert resize == "stretch" or BORDER in outside


def test_a_map_of_another_resolution_lies_over_the_input():
    values = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(map_in_picture(values, SHAPE, SHAPE, "stretch"), np.kron(values, np.ones((32, 32))))


def test_an_unknown_way_is_told():
    with pytest.raises(UserError, match="data.pictures.resize: unknown 'crop'. Known: stretch, letterbox, corner"):
        place((3, 4), SHAPE, "crop")
