"""The guide's text and the picture of ten digits."""

import numpy as np
from PIL import Image

from trtflow.reporting.digits import rendering, write_digits_figure


def test_text_has_the_digit_and_a_bar_for_each_probability():
    image = np.zeros((28, 28), np.uint8)
    image[10, 3:6] = 255
    probabilities = np.zeros(10, np.float32)
    probabilities[8], probabilities[1] = 0.9, 0.1
    lines = rendering(image, probabilities).splitlines()
    assert lines[0] == "Input:"
    assert lines[1:11] == ["@" * 28] * 10
    assert lines[11] == "@@@   " + "@" * 22
    bars = lines[lines.index("Output:") + 1 :]
    assert bars == ["0:", "1: *", "2:", "3:", "4:", "5:", "6:", "7:", "8: *********", "9:"]


def test_picture_is_the_same_each_time_and_shows_other_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 28, 28), np.uint8)
    right, wrong = np.eye(10, dtype=np.float32), np.roll(np.eye(10, dtype=np.float32), 1, axis=1)
    for name, probabilities in (("a", right), ("b", right), ("c", wrong)):
        write_digits_figure(tmp_path / f"{name}.png", images, probabilities)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()
    assert Image.open(tmp_path / "a.png").size[0] > 800
