"""Which of a hundred movies a user watches next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trtflow.datasets.ratings import read_choices
from trtflow.families.ncf.layers import read_sizes
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.files import read_json, write_json, write_text
from trtflow.job import Job
from trtflow.metrics.classification import largest_difference
from trtflow.metrics.finite import finite_rows
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.runtime.backend import read_backend
from trtflow.runtime.session import Session
from trtflow.samples import load as load_sample
from trtflow.tasks.files import by_precision, write_metrics, write_scores
from trtflow.tasks.measurement import measure, profile
from trtflow.tasks.serving import identical_share, measured

__all__ = ["compare", "draw", "infer", "measure", "profile", "score", "serve"]

BATCH = 32  # users a run where no largest batch is given


def infer(job: Job) -> None:
    """Ask for all users which movies they would like best, and write the answers."""
    users, choices = read_choices(job.input("choices"), **read_sizes(job.input("export").parent))
    sample = load_sample(job.sample)
    with Session.load(job.input("plan"), read_backend(job.input("backend"))) as session:
        answers = sample.recommend(session, users, choices, job.setting("max_batch_size", BATCH))
    write_arrays(job.output("predictions"), {"users": users, "choices": choices, **answers})


def serve(job: Job) -> None:
    """Ask from one process, from several, and from several under MPS; write the last answers, and each measurement."""
    users, choices = read_choices(job.input("choices"), **read_sizes(job.input("export").parent))
    rows, answers = [], []
    for row, answer in measured(job, users, choices):
        answers.append(answer)
        rows.append({**row, "identical": identical_share(answer, answers[0])})
        print(rows[-1], flush=True)
    # those of the largest number of processes
    last = answers[len(job.setting("serving.processes")) - 1]
    write_arrays(job.output("predictions"), {"users": users, "choices": choices, **last})
    write_json(job.output("serving"), rows)


K = 10


def score(job: Job) -> None:
    """Write hit ratio and NDCG; the share of first users whose best movie is the published one; and measurements."""
    predictions, published = job.input("predictions"), job.setting("published")
    probabilities, choices, best = read_arrays(predictions, "probabilities", "choices", "best")
    places, answers = ranks(probabilities, choices), {"probabilities": probabilities}
    metrics = {f"hr{K}": hit_ratio(places, K), f"ndcg{K}": ndcg(places, K)}
    if published:
        if len(published) > len(best):
            fault = f"{len(best)} users, but {len(published)} best movies are known"
            raise FormatError(predictions, fault, "Ask for more users.")
        known = finite_rows(probabilities[: len(published)])
        metrics["published_share"] = float(np.mean((best[: len(published), 0] == published) & known))
    if not job.files("serving"):
        write_scores(job, {"metrics": metrics}, answers)
        return
    serving = read_json(job.input("serving"))
    alike = [row for row in serving if row["batch_size"] == serving[0]["batch_size"]]  # others may take other kernels
    metrics["identical_share"] = min(row["identical"] for row in alike)
    metrics["workers_lost"] = sum(row["workers_lost"] for row in serving)
    write_scores(job, {"metrics": metrics, "serving": serving}, answers)


def compare(job: Job) -> None:
    """Write for each precision how its answers differ."""
    named, framework = by_precision(job.inputs["predictions"]), job.input("framework")
    write_metrics(job.output("agreement"), {name: _compare(path, framework) for name, path in named.items()})


def _compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the share of users with the same best movie, and the largest difference of a probability."""
    users, choices, ours, best = read_arrays(predictions, "users", "choices", "probabilities", "best")
    others, theirs_to_choose, theirs = read_arrays(framework, "users", "choices", "probabilities")
    if users.tolist() != others.tolist() or choices.tolist() != theirs_to_choose.tolist():
        raise FormatError(predictions, f"not of the same users and movies as {framework}", "Make both again.")
    wanted = choices[np.arange(len(choices)), theirs.argmax(axis=1)]
    known = finite_rows(ours) & finite_rows(theirs)
    return {
        "top_item_agreement": float(np.mean((best[:, 0] == wanted) & known)),
        "probability_difference": largest_difference(ours, theirs),
    }


SHOWN = 50  # users of the short text, which goes into the report


def draw(job: Job) -> None:
    """Write the answers as the guide's sample prints them, of all users and of the first, and plot how good."""
    from trtflow.reporting.recommendations import rendering, write_ranking  # noqa: PLC0415 - matplotlib: drawing alone

    predictions = job.input("predictions")
    users, *answers = read_arrays(predictions, "users", "choices", "best", "best_probabilities")
    texts = rendering(users, *answers)
    write_text(job.output("all"), "".join(texts))
    write_text(job.output("text"), "".join(texts[:SHOWN]))
    write_ranking(job.output("picture"), *read_arrays(predictions, "probabilities", "choices"))
