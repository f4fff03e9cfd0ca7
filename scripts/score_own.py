"""Score the predictions of a sample of the user's own: top-1, top-5, and the recall of each class.

python scripts/score_own.py --sample mine --predictions results/mine/predictions.int8.npz --data mine/val \\
    --out results/mine/metrics.int8.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.classification import classification_scores
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="held-out data with their labels")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    (probabilities,) = read_arrays(options.predictions, "probabilities")
    write_json(options.out, classification_scores(probabilities, sample.read_truth(options.data), sample.classes))


if __name__ == "__main__":
    run(main)
