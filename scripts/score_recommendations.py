"""Score the answers of a recommender's engine: how high it ranks the movie that each user watched next.

python scripts/score_recommendations.py --predictions results/movielens/predictions.fp32.npz \\
    --out results/movielens/metrics.fp32.json
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.ranking import hit_ratio, ndcg, ranks
from trtflow.reporting.report import read_json

K = 10


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of recommend.py or serve.py")
    arguments.add_argument("--published", type=int, nargs="*", default=[], help="best movies of the first users")
    arguments.add_argument("--serving", type=Path, help="JSON file of serve.py, whose measurements belong to it")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    probabilities, choices, best = read_arrays(options.predictions, "probabilities", "choices", "best")
    places = ranks(probabilities, choices)
    metrics = {f"hr{K}": hit_ratio(places, K), f"ndcg{K}": ndcg(places, K)}
    if options.published:
        if len(options.published) > len(best):
            fault = f"{len(best)} users, but {len(options.published)} best movies are known"
            raise FormatError(options.predictions, fault, "Ask for more users.")
        metrics["published_share"] = float(np.mean(best[: len(options.published), 0] == options.published))
    if options.serving is None:
        write_json(options.out, {"metrics": metrics})
        return
    serving = read_json(options.serving)
    alike = [row for row in serving if row["batch_size"] == serving[0]["batch_size"]]  # others may take other kernels
    metrics["identical_share"] = min(row["identical"] for row in alike)
    metrics["workers_lost"] = sum(row["workers_lost"] for row in serving)
    write_json(options.out, {"metrics": metrics, "serving": serving})


if __name__ == "__main__":
    run(main)
