"""Compare an engine's predictions with those of the framework that the model came from.

python scripts/compare_framework.py --task detection --predictions results/ssd/predictions.fp32.npz \\
    --framework results/ssd/model/predictions.npz --out results/ssd/agreement.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.classification import largest_difference
from trtflow.metrics.detections import LEAST_SCORE, least_matched_iou, max_difference

RESULTS = {"detection": "detections", "classification": "probabilities", "own": "probabilities"}


def main() -> None:
    """Read the command line, compare and write the largest difference, of boxes the worst overlap too."""
    arguments = parser(__doc__)
    arguments.add_argument("--task", choices=list(RESULTS), required=True, help="what is predicted")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of the engine")
    arguments.add_argument("--precision", default="fp32", help="precision of that engine")
    arguments.add_argument("--framework", type=Path, required=True, help="npz file of the framework")
    arguments.add_argument("--threshold", type=float, default=LEAST_SCORE, help="least score of a box of both")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    name = RESULTS[options.task]
    engine, images = read_arrays(options.predictions, name, "images")
    framework, others = read_arrays(options.framework, name, "images")
    if images.tolist() != others.tolist():
        raise FormatError(options.predictions, f"not of the same images as {options.framework}", "Make both again.")
    if options.task == "detection":
        largest = max_difference(engine, framework, options.threshold)
        found = {"agreement": largest, "matched_iou": least_matched_iou(engine, framework)}
    else:
        found = {"agreement": largest_difference(engine, framework)}
    write_json(options.out, {options.precision: found})


if __name__ == "__main__":
    run(main)
