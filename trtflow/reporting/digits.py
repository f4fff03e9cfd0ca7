"""Digits and what an engine says of them, as the guide's MNIST samples print them (§2) and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.reporting.canvas import Axes, Figure, PatchCollection, Rectangle, rc_context
from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

SHADES = " .:-=+*#%@"  # from black to white, as the guide's rendering has them
BAR = 10  # characters of a bar for a probability of 1
# inches: of the picture, of the part of it that a digit has, of a digit, and of the bars below it
SIZE, CELL, SIDE = (9, 4.4), (1.8, 2.2), 1
WIDTH, HEIGHT, MARGIN = 1.6, 0.72, 0.1


def rendering(image: np.ndarray, probabilities: np.ndarray) -> str:
    """Return a digit as text, and a bar for each probability.

    Args:
        image: ink, uint8 [28, 28].
        probabilities: float32 [10].
    """
    paper = 255 - image.astype(int)
    lines = ["".join(SHADES[value * len(SHADES) // 256] for value in row) for row in paper]
    bars = [f"{digit}: {'*' * round(BAR * float(value))}" for digit, value in enumerate(probabilities)]
    return "\n".join(["Input:", *lines, "", "Output:", *(bar.rstrip() for bar in bars), ""])


def write_digits_figure(path: Path, images: np.ndarray, probabilities: np.ndarray) -> None:
    """Draw digits in two rows, each above its probabilities; a bar for a wrong answer is grey.

    All in one pair of axes, in inches: twenty pairs take three times as long.

    Args:
        path: PNG to write.
        images: ink, uint8 [10, 28, 28], in the order of the digits.
        probabilities: float32 [10, 10].
    """
    with rc_context(STYLE):
        figure = Figure(figsize=SIZE)
        axes = figure.add_axes((0, 0, 1, 1))
        for digit, (image, guess) in enumerate(zip(images, probabilities, strict=True)):
            row, column = divmod(digit, 5)
            left, bottom = CELL[0] * column + MARGIN, SIZE[1] - CELL[1] * (row + 1)
            middle = left + WIDTH / 2
            extent = (middle - SIDE / 2, middle + SIDE / 2, bottom + 1.17, bottom + 1.17 + SIDE)
            axes.imshow(255 - image, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto")
            _bars(axes, digit, guess, left, bottom + 0.26)
        axes.set(xlim=(0, SIZE[0]), ylim=(0, SIZE[1]))
        axes.set_axis_off()
        save_figure(figure, path)


def _bars(axes: Axes, digit: int, probabilities: np.ndarray, left: float, bottom: float) -> None:
    best, step = int(probabilities.argmax()), WIDTH / len(probabilities)
    middles = left + step * (np.arange(len(probabilities)) + 0.5)
    bars = [
        Rectangle((middle - 0.4 * step, bottom), 0.8 * step, HEIGHT * value)
        for middle, value in zip(middles, probabilities, strict=True)
    ]
    colours = [COLOURS["fp32"] if place == digit else GREY for place in range(len(probabilities))]
    axes.add_collection(PatchCollection(bars, facecolors=colours), autolim=False)
    axes.plot([left, left, left + WIDTH], [bottom + HEIGHT, bottom, bottom], color="black", linewidth=0.8)
    for place, middle in enumerate(middles):
        axes.text(middle, bottom - 0.05, str(place), fontsize=7, ha="center", va="top")
    axes.text(left, bottom + HEIGHT + 0.05, f"{best} ({probabilities[best]:.3f})", fontsize=9)
