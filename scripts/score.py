"""Score a detector's predictions: VOC and COCO mAP.

python scripts/score.py --sample ssd --predictions results/ssd/predictions.int8.npz \\
    --data results/ssd/data/val --split val --out results/ssd/metrics.int8.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.voc import read_predictions
from trtflow.formats.files import write_json
from trtflow.metrics.scores import detection_scores


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", choices=["ssd"], required=True, help="name of the sample")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images that the predictions are of")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    detections, truths = read_predictions(options.predictions, options.data, options.split, CLASSES)
    write_json(options.out, detection_scores(detections, truths, CLASSES))


if __name__ == "__main__":
    run(main)
