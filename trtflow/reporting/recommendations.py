"""What a recommender answered, as the guide's sample prints it, and how good that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.metrics.ranking import hit_ratio, ranks
from trtflow.reporting.canvas import Figure, rc_context
from trtflow.reporting.figures import COLOURS, GREY, STYLE, save_figure

LAST = 30  # rank to which the curve goes
BINS = 25


def rendering(users: np.ndarray, choices: np.ndarray, best: np.ndarray, probabilities: np.ndarray) -> list[str]:
    """Return for each user the text of movielens_ratings.txt, the file that comes with the guide's sample.

    Args:
        users: [users].
        choices: movies, [users, 100].
        best, probabilities: the ten best movies and their probabilities, [users, 10] both.
    """
    texts = []
    for user, movies, top, values in zip(users, choices.tolist(), best, probabilities, strict=True):
        lines = [f"user : {user}", f"items : {movies}", f"predicted_max_rating_item : {top[0]}"]
        lines += [f"predicted_max_rating_prob : [{values[0]:.8f}]", f"Top {len(top)} Ratings:"]
        lines += [f"{movie} : {value:.8f}" for movie, value in zip(top, values, strict=True)]
        texts.append("\n".join([*lines, "#" * 80, ""]))
    return texts


def write_ranking(path: Path, probabilities: np.ndarray, choices: np.ndarray) -> None:
    """Plot how often the held-out movie is among the first k, and the probabilities it and the others get.

    Args:
        path: PNG to write.
        probabilities: float [users, choices].
        choices: movies, [users, choices], the held-out one last.
    """
    count, places = probabilities.shape[1], ranks(probabilities, choices)
    first = range(1, LAST + 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.5), layout="constrained")
        curve, bars = figure.subplots(1, 2)
        curve.plot(first, [hit_ratio(places, k) for k in first], color=COLOURS["fp32"], label="engine")
        curve.plot(first, [k / count for k in first], color=GREY, linestyle="--", label="by chance")
        curve.set(ylim=(0, 1), xlabel="k", title=f"held-out movie is among the first k of {count}")
        curve.legend(loc="lower right")
        edges = np.linspace(0, 1, BINS + 1)
        groups = {"held-out movie": (probabilities[:, -1], COLOURS["fp32"]), "others": (probabilities[:, :-1], GREY)}
        for name, (values, colour) in groups.items():
            shares = np.histogram(values, edges)[0] / values.size
            bars.stairs(shares, edges, color=colour, fill=True, alpha=0.6, label=name)
        bars.set(xlabel="probability", ylabel="share", title="probabilities")
        bars.legend()
        save_figure(figure, path)
