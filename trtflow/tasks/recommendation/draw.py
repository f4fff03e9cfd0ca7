"""The answers of a recommender's engine, for people."""

from __future__ import annotations

from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.job import Job
from trtflow.reporting.recommendations import rendering, write_ranking

SHOWN = 50  # users of the short text, which goes into the report


def draw(job: Job) -> None:
    """Write the answers as the guide's sample prints them, of all users and of the first, and plot how good."""
    predictions = job.input("predictions")
    users, *answers = read_arrays(predictions, "users", "choices", "best", "best_probabilities")
    texts = rendering(users, *answers)
    write_text(job.output("all"), "".join(texts))
    write_text(job.output("text"), "".join(texts[:SHOWN]))
    write_ranking(job.output("picture"), *read_arrays(predictions, "probabilities", "choices"))
