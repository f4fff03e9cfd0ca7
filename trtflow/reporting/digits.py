"""Digits and what an engine says of them, as the guide's MNIST samples print them (§2) and as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.reporting.canvas import Axes, Figure, rc_context
from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

SHADES = " .:-=+*#%@"  # from black to white, as the guide's rendering has them
BAR = 10  # characters of a bar for a probability of 1


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
    """Draw digits in two rows, each beside its probabilities; a bar for a wrong answer is grey.

    Args:
        path: PNG to write.
        images: ink, uint8 [10, 28, 28], in the order of the digits.
        probabilities: float32 [10, 10].
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        cells = figure.subplots(4, 5, height_ratios=(1, 0.8) * 2)
        for digit, (image, guess) in enumerate(zip(images, probabilities, strict=True)):
            row, column = divmod(digit, 5)
            picture = cells[2 * row, column]
            picture.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
            picture.set_axis_off()
            _bars(cells[2 * row + 1, column], digit, guess)
        save_figure(figure, path)


def _bars(axes: Axes, digit: int, probabilities: np.ndarray) -> None:
    best = int(probabilities.argmax())
    colours = [COLOURS["fp32"] if place == digit else GREY for place in range(len(probabilities))]
    axes.bar(range(len(probabilities)), probabilities, color=colours)
    axes.set_xticks(range(len(probabilities)))
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_ylim(0, 1)
    axes.tick_params(length=0, labelsize=7)
    axes.set_title(f"{best} ({probabilities[best]:.3f})", fontsize=9, pad=3)
