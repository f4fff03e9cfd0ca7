"""Pictures and what a classifier says of them, as text and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import STYLE, save_figure

COLUMNS = 6
WRONG = "#D55E00"
MOST_NAMES = 30  # classes that are named in the figure


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


def write_confusion_figure(path: Path, probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    """Draw how often each class is taken for each, as a share of what the items are.

    Args:
        path: PNG to write.
        probabilities: float32 [N, classes].
        labels: int64 [N].
        classes: names by label.
    """
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(9.0, 2.5 + 0.35 * len(classes))
    with rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="what the engine says", ylabel="what it is")
        if len(classes) <= MOST_NAMES:
            places = range(len(classes))
            axes.set_xticks(places, classes, rotation=90)
            axes.set_yticks(places, classes)
            for row, column in np.argwhere(counts):
                dark = shares[row, column] > 0.5
                number = str(int(counts[row, column]))
                axes.text(column, row, number, ha="center", va="center", fontsize=8, color="white" if dark else "black")
        save_figure(figure, path)
