"""Pictures of tasks: masks over pictures, and accuracy against latency."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from trtflow.reporting import figures as plots
from trtflow.reporting.masks import CELL, colours_of, draw_mask, mask_sheet

CLASSES = ["ground", "cat", "a dog with a rather long name", "bird"]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, to be asked what is on them."""
    saved: list[Figure] = []
    keep = plots.save_figure

    def save(figure, path):
        saved.append(figure)
        keep(figure, path)

    monkeypatch.setattr(plots, "save_figure", save)
    return saved


def test_a_mask_lies_over_its_picture():
    image, mask = np.full((2, 3, 3), 100, np.uint8), np.array([[0, 1, 2], [3, -1, 0]])
    colours = colours_of(CLASSES)
    drawn = draw_mask(image, mask, colours)
    np.testing.assert_array_equal(drawn[0, 1], np.rint(100 * 0.45 + colours[1] * 0.55))
    np.testing.assert_array_equal(drawn[1, 1], np.rint([100 * 0.45 + 255 * 0.55] * 3))
    assert len({tuple(colour) for colour in colours_of([str(place) for place in range(30)]).tolist()}) == 30


def test_a_sheet_of_masks_has_pictures_of_any_size_and_a_legend():
    wide, high = np.full((10, 40, 3), 9, np.uint8), np.full((300, 30, 3), 9, np.uint8)
    sheet = mask_sheet([[wide, wide], [high, high]], ["truth", "int8"], CLASSES)
    assert sheet.shape[1] == 2 * CELL + 3 * 8
    colours = {tuple(colour) for colour in sheet[2 * CELL :].reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in colours_of(CLASSES).tolist()} <= colours
    dark = (sheet == 9).all(2)
    assert dark[: CELL + 22].sum() == pytest.approx(2 * CELL * CELL / 4, rel=0.01)


def entry(median, value):
    return {
        "latency_ms": {"median": median, "p95": 1.2 * median},
        "metrics": {"map": value},
        "engine_bytes": 1_000_000,
    }


def test_the_trade_off_has_a_named_point_a_precision(figures, tmp_path):
    precisions = {"fp32": entry(2.0, 0.8), "fp16": entry(1.0, 0.79), "int8": entry(0.5, 0.7)}
    plots.write_precisions(tmp_path / "a.png", precisions, "map")
    axes = figures[0].axes[3]
    assert {text.get_text(): text.xy for text in axes.texts} == {
        "fp32": (2, 0.8),
        "fp16": (1, 0.79),
        "int8": (0.5, 0.7),
    }
    assert "ms" in axes.get_xlabel()
    assert axes.get_ylabel() == "map"
    assert axes.get_xlim()[0] == 0
    assert all("is better" in panel.get_title(loc="left") for panel in figures[0].axes[:3])
