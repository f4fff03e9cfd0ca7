"""What the words of a translation looked at, and BLEU, as pictures and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import COLOURS, STYLE, save_figure


def rendering(sources: Sequence[str], translations: Sequence[str], references: Sequence[str]) -> str:
    """Return three lines a sentence: as it was, as it was translated, and as it should have been if that differs."""
    lines = []
    for source, translation, reference in zip(sources, translations, references, strict=True):
        lines += [f"de  {source}", f"en  {translation}"]
        lines += [f"    not as in {reference}"] if translation != reference else []
    return "\n".join([*lines, ""])


def write_translation_figure(
    path: Path, weights: np.ndarray, source: Sequence[str], target: Sequence[str], details: Mapping[str, Any]
) -> None:
    """Draw the attention of one sentence, and the scores of each precision.

    Args:
        path: PNG to write.
        weights: float [target words, source words].
        source, target: the words.
        details: for each precision `bleu` and `precisions`, of one to four words, 0 to 100.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 9), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=[3, 1])
        above.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        above.set_xticks(range(len(source)), source, rotation=60, ha="right")
        above.set_yticks(range(len(target)), target)
        above.grid(visible=False)
        above.set_title("Attention: what each word of the translation looked at")
        names = ["BLEU", *(f"{count} words" if count > 1 else "1 word" for count in range(1, 5))]
        width = 0.8 / len(details)
        for place, (precision, scores) in enumerate(details.items()):
            values = [scores["bleu"], *scores["precisions"]]
            lefts = np.arange(len(values)) + (place - (len(details) - 1) / 2) * width
            bars = below.bar(lefts, values, width, label=precision, color=COLOURS[precision])
            below.bar_label(bars, fmt="%.1f", padding=1)
        below.set_xticks(range(len(names)), names)
        below.set_ylim(0, 115)
        below.legend(loc="upper right", ncols=len(details), borderaxespad=0)
        below.set_title("BLEU and its precisions")
        save_figure(figure, path)
