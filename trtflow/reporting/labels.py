"""Several labels an item: how well each class is told, and what is said of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

MOST = 40  # classes in the figure, those that are told worst
SPOILT = "the scores are no numbers"


def labels_text(names: Sequence[str], said: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> str:
    """Return a line an item: its classes, as far as they are told, what is missed, and what is said wrongly.

    Args:
        names: of the items.
        said: which classes the engine says, bool [N, classes].
        truth: which there are, bool [N, classes].
        classes: their names.
    """
    lines = []
    for name, here, true in zip(names, said, truth, strict=True):
        kinds = {"right": here & true, "missed": true & ~here, "wrong": here & ~true}
        named = {kind: ", ".join(classes[place] for place in np.flatnonzero(of).tolist()) for kind, of in kinds.items()}
        told = [f"{kind} {of}" for kind, of in named.items() if of]
        lines.append(f"{name}: {'; '.join(told) or 'none, rightly'}")
    return "\n".join(lines) + "\n"


def write_labels_figure(path: Path, details: Mapping[str, Mapping[str, float]], shares: Mapping[str, float]) -> None:
    """Draw the average precision of each class as a bar, F1 as a dot, and the share of items that have it as a line.

    Args:
        path: PNG to write.
        details: `average_precision` and `f1` by class; none where scores are no numbers.
        shares: of the items, by class.
    """
    precisions, f1 = details.get("average_precision", {}), details.get("f1", {})
    worst = sorted(precisions, key=lambda name: precisions[name])[:MOST]
    rows = range(len(worst))
    with rc_context(STYLE):
        figure = Figure(figsize=(6, 1.2 + 0.28 * max(len(worst), 4)), layout="constrained")
        axes = figure.subplots()
        axes.barh(rows, [precisions[name] for name in worst], 0.7, color=COLOURS["fp32"], label="average precision")
        axes.plot([f1[name] for name in worst], rows, "o", color=COLOURS["fp16"], label="F1")
        axes.plot([shares[name] for name in worst], rows, "|", color=GREY, ms=12, mew=2, label="share of the items")
        axes.set_yticks(rows, worst)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        left = len(precisions) - len(worst)
        axes.set(xlim=(0, 1.02), title=(f"the {len(worst)} worst of {len(precisions)} classes" if left else "") or None)
        if not worst:
            axes.set_title(SPOILT)
        figure.legend(loc="outside lower center", ncols=3)
        save_figure(figure, path)
