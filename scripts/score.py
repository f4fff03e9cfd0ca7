"""Score an engine's predictions: VOC and COCO mAP of a detector, top-1 and top-5 of a classifier.

python scripts/score.py --task detection --predictions results/ssd/predictions.int8.npz \\
    --data results/ssd/data/val --split val --out results/ssd/metrics.int8.json
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets import digit_pictures, digits
from trtflow.datasets.objects import CLASSES as OBJECT_CLASSES
from trtflow.datasets.voc import read_predictions
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.classification import classification_scores, largest_difference
from trtflow.metrics.scores import detection_scores

LABELS = {"digits": digits.read_labels, "pictures": digit_pictures.read_labels}
CLASSES: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "digits": lambda data: digits.CLASSES,
    "pictures": digit_pictures.read_classes,
}


def score_detector(predictions: Path, data: Path, split: str, classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of boxes."""
    detections, truths = read_predictions(predictions, data, split, classes)
    return detection_scores(detections, truths, classes)


def score_classifier(predictions: Path, data: Path, split: str, batch: int, seed: int, data_set: str) -> dict[str, Any]:
    """Return the scores of probabilities, with those of a random batch where one is wanted."""
    (probabilities,) = read_arrays(predictions, "probabilities")
    labels, classes = LABELS[data_set](data, split), CLASSES[data_set](data)
    if len(probabilities) != len(labels):
        fault = f"{len(probabilities)} predictions, but {data} has {len(labels)} digits in {split}"
        raise FormatError(predictions, fault, "Run infer.py again.")
    rows = np.random.default_rng(seed).choice(len(labels), batch, replace=False) if batch else None
    scores = classification_scores(probabilities, labels, classes, rows)
    with np.load(predictions) as file:
        if "forms" in file:  # the same network in several forms of layers
            forms = file["forms"]
            scores["metrics"]["forms_difference"] = max(
                largest_difference(forms[:, 0], forms[:, place]) for place in range(forms.shape[1])
            )
    return scores


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--task", choices=["detection", "classification"], required=True, help="what is scored")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the data set")
    arguments.add_argument("--split", default="val", help="images that the predictions are of")
    arguments.add_argument("--data-set", choices=list(LABELS), default="digits", help="form of a classifier's data")
    arguments.add_argument(
        "--objects", choices=list(OBJECT_CLASSES), default="digits", help="what a detector looks for"
    )
    arguments.add_argument("--random-batch", type=int, default=0, help="digits of a batch to score on its own")
    arguments.add_argument("--seed", type=int, default=0, help="of that batch")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    place = (options.predictions, options.data, options.split)
    if options.task == "detection":
        scores = score_detector(*place, OBJECT_CLASSES[options.objects])
    else:
        scores = score_classifier(*place, options.random_batch, options.seed, options.data_set)
    write_json(options.out, scores)


if __name__ == "__main__":
    run(main)
