"""Predicted numbers against the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import STYLE, save_figure

COLUMNS, MOST_PANELS = 3, 9
LINE = "#999999"


def write_scatter_figure(path: Path, predicted: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray]) -> None:
    """Draw a panel an output; a point on the diagonal is predicted exactly.

    Args:
        path: PNG to write.
        predicted: numbers [N, ...] by output.
        true: of the same shapes.
    """
    names = list(true)[:MOST_PANELS]
    rows = -(-len(names) // COLUMNS)
    with rc_context(STYLE):
        columns = min(COLUMNS, len(names))
        figure = Figure(figsize=(4.2 * columns, 4 * rows), layout="constrained")
        for axes, name in zip(figure.subplots(rows, columns, squeeze=False).ravel(), names, strict=False):
            wanted, found = true[name].ravel(), predicted[name].ravel()
            axes.scatter(wanted, found, s=12, alpha=0.6, linewidths=0)
            ends = [float(wanted.min()), float(wanted.max())]
            axes.plot(ends, ends, color=LINE, linewidth=1)
            axes.set(xlabel="true", ylabel="predicted", title=name)
        save_figure(figure, path)
