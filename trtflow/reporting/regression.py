"""Predicted against true values, as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

COLUMNS = 3
FEW = 200  # points that are drawn as large as a finger finds them


def write_scatter_figure(path: Path, predicted: np.ndarray, true: np.ndarray, names: Sequence[str]) -> None:
    """Plot the predicted values over the true ones, a panel each; on the line they are equal.

    Args:
        path: PNG to write.
        predicted: float [N, values]; rows of values that are no numbers are left out, and told in the title.
        true: float [N, values].
        names: of the values.
    """
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * columns, 4 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes, name, found, wanted in zip(panels, names, predicted.T, true.T, strict=False):
            numbers = np.isfinite(found)
            both = np.concatenate([found[numbers], wanted])
            ends = [both.min(), both.max()]
            axes.plot(ends, ends, color=GREY, linewidth=1, zorder=1)
            size = 18 if len(found) <= FEW else 6
            axes.scatter(wanted[numbers], found[numbers], s=size, color=COLOURS["fp32"], alpha=0.7, linewidths=0)
            missing = len(found) - int(numbers.sum())
            axes.set_title(f"{name}, {missing} no numbers" if missing else name)
            axes.set(xlabel="true", ylabel="predicted", aspect="equal")
        save_figure(figure, path)
