"""Pictures and what a classifier says of them, as text and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from trtflow.reporting.figures import STYLE, save_figure

COLUMNS = 6
WRONG = "#D55E00"


def top5_text(names: Sequence[str], probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> str:
    """Return a line a picture: its name, its true class, and the five likeliest with their probabilities.

    Args:
        names: of the pictures.
        probabilities: float32 [N, classes].
        labels: int64 [N].
        classes: names by label.
    """
    lines = []
    for name, guess, label in zip(names, probabilities, labels, strict=True):
        best = np.argsort(-guess, kind="stable")[:5]
        shown = ", ".join(f"{classes[place]} ({guess[place]:.4f})" for place in best)
        lines.append(f"{name} is {classes[label]}: {shown}")
    return "\n".join(lines) + "\n"


def write_pictures_figure(
    path: Path, images: Sequence[np.ndarray], probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> None:
    """Draw pictures with the likeliest class of each; a wrong one is in another colour, with the right one.

    Args:
        path: PNG to write.
        images: uint8 [H, W, 3] each.
        probabilities: float32 [N, classes].
        labels: int64 [N].
        classes: names by label.
    """
    rows = -(-len(images) // COLUMNS)
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 1.75 * rows), layout="constrained")
        cells = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in cells:
            axes.set_axis_off()
        for axes, image, guess, label in zip(cells, images, probabilities, labels, strict=False):
            axes.imshow(image)
            best = int(guess.argmax())
            title = f"{classes[best]} ({guess[best]:.2f})"
            axes.set_title(
                title if best == label else f"{title}, is {classes[label]}",
                fontsize=9,
                pad=3,
                color="black" if best == label else WRONG,
            )
        save_figure(figure, path)
