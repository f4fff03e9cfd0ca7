"""Texts that a network wrote, as text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import COLOURS, STYLE, save_figure

WIDTH = 100  # characters of a line of the picture
BREAK = "\u21b5"  # stands for a line feed there
WRONG = "#D55E00"


def rendering(seeds: Sequence[str], written: Sequence[str]) -> str:
    """Return each seed and, behind a bar, what was written, line feeds as \\n: as the guide's sample prints them."""
    lines = [f"{seed}|{text}".replace("\n", "\\n") for seed, text in zip(seeds, written, strict=True)]
    return "\n".join([*lines, ""])


def write_text_figure(path: Path, seeds: Sequence[str], written: Sequence[str], wanted: Sequence[str]) -> None:
    """Draw seeds in black and what was written behind them in blue; characters unlike the framework's in red.

    Args:
        path: PNG to write.
        seeds: beginnings.
        written: what the engine wrote behind each.
        wanted: what the framework wrote behind each.
    """
    rows: list[list[tuple[str, str]]] = []
    for seed, text, other in zip(seeds, written, wanted, strict=True):
        marked = [(char, "black") for char in seed]
        marked += [(char, COLOURS["fp32"] if char == same else WRONG) for char, same in zip(text, other, strict=True)]
        rows += [marked[first : first + WIDTH] for first in range(0, len(marked), WIDTH)]
        rows.append([])
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 0.2 * len(rows) + 0.2))
        axes = figure.add_axes((0.01, 0.0, 0.98, 1.0))
        axes.set(xlim=(0, WIDTH), ylim=(len(rows), -0.5))
        axes.set_axis_off()
        for line, row in enumerate(rows):
            for place, (char, colour) in enumerate(row):
                shown = BREAK if char == "\n" else char
                axes.text(place + 0.5, line + 0.5, shown, color=colour, family="monospace", fontsize=8, ha="center")
        save_figure(figure, path)
