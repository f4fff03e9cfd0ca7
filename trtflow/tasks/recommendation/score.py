"""How high a recommender ranks the movie that each user watched next."""

from __future__ import annotations

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.job import Job
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.reporting.report import read_json

K = 10


def score(job: Job) -> None:
    """Write hit ratio and NDCG; the share of first users whose best movie is the published one; and measurements."""
    predictions, published = job.input("predictions"), job.setting("published")
    probabilities, choices, best = read_arrays(predictions, "probabilities", "choices", "best")
    places = ranks(probabilities, choices)
    metrics = {f"hr{K}": hit_ratio(places, K), f"ndcg{K}": ndcg(places, K)}
    if published:
        if len(published) > len(best):
            fault = f"{len(best)} users, but {len(published)} best movies are known"
            raise FormatError(predictions, fault, "Ask for more users.")
        metrics["published_share"] = float(np.mean(best[: len(published), 0] == published))
    if not job.files("serving"):
        write_json(job.output("metrics"), {"metrics": metrics})
        return
    serving = read_json(job.input("serving"))
    alike = [row for row in serving if row["batch_size"] == serving[0]["batch_size"]]  # others may take other kernels
    metrics["identical_share"] = min(row["identical"] for row in alike)
    metrics["workers_lost"] = sum(row["workers_lost"] for row in serving)
    write_json(job.output("metrics"), {"metrics": metrics, "serving": serving})
