"""Compare what several engines say of the same pictures: whether their five likeliest classes are the same.

python scripts/compare_top5.py --reference results/googlenet/predictions.fp32.npz --out results/googlenet/top5.json \\
    fp16=results/googlenet/predictions.fp16.npz

With --precision the engines are not of other precisions, but of other forms of the model in this one.
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.classification import largest_difference, top_k_agreement


def compare(path: Path, reference: np.ndarray, images: np.ndarray, tolerance: float) -> dict[str, float]:
    """Return agreement and largest difference of a file of predictions and others of the same pictures."""
    probabilities, others = read_arrays(path, "probabilities", "images")
    if images.tolist() != others.tolist():
        raise FormatError(path, "not of the same pictures as the reference", "Make both again.")
    return {
        "top5_agreement": top_k_agreement(probabilities, reference, 5, tolerance),
        "difference": largest_difference(probabilities, reference),
    }


def main() -> None:
    """Read the command line, compare and write the metrics by precision."""
    arguments = parser(__doc__)
    arguments.add_argument("--reference", type=Path, required=True, help="npz file of infer.py to compare with")
    arguments.add_argument("--precision", help="precision of all engines; their names go before the metrics'")
    arguments.add_argument("--tolerance", type=float, default=0.001, help="difference of probabilities that is none")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("predictions", nargs="+", metavar="NAME=NPZ", help="engines to compare")
    options = arguments.parse_args()

    reference, images = read_arrays(options.reference, "probabilities", "images")
    named = dict(item.split("=", 1) for item in options.predictions)
    found = {name: compare(Path(path), reference, images, options.tolerance) for name, path in named.items()}
    if options.precision:
        found = {
            options.precision: {
                f"{name}_{metric}": value for name, metrics in found.items() for metric, value in metrics.items()
            }
        }
    write_json(options.out, found)


if __name__ == "__main__":
    run(main)
