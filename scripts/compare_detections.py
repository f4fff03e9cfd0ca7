"""Compare detections of engines with those of the framework: boxes, scores, and VOC's mean average precision of both.

python scripts/compare_detections.py --framework results/uff_ssd/model/predictions.npz \\
    --data results/uff_ssd/data/val --split val \\
    --threshold 0.5 --out results/uff_ssd/agreement.json fp32=results/uff_ssd/predictions.fp32.npz
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.objects import CLASSES
from trtflow.datasets.voc import read_predictions
from trtflow.formats.files import write_json
from trtflow.metrics.detections import LEAST_SCORE, least_matched_iou, max_difference
from trtflow.metrics.scores import detection_scores


def main() -> None:
    """Read the command line, compare and write what differs by precision."""
    arguments = parser(__doc__)
    arguments.add_argument("predictions", nargs="+", metavar="PRECISION=PATH", help="npz files of infer.py")
    arguments.add_argument("--framework", type=Path, required=True, help="npz file of the framework")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images that the predictions are of")
    arguments.add_argument("--objects", choices=list(CLASSES), default="digits", help="what the detector looks for")
    arguments.add_argument("--threshold", type=float, default=0.5, help="least score of a box whose partner is sought")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    classes = CLASSES[options.objects]
    expected, truths = read_predictions(options.framework, options.data, options.split, classes)
    framework_map = detection_scores(expected, truths, classes)["metrics"]["map"]
    found = {}
    for precision, _, path in (item.partition("=") for item in options.predictions):
        detections, _ = read_predictions(Path(path), options.data, options.split, classes)
        engine_map = detection_scores(detections, truths, classes)["metrics"]["map"]
        found[precision] = {
            "agreement": max_difference(detections, expected, LEAST_SCORE),
            "matched_iou": least_matched_iou(detections, expected, options.threshold),
            "framework_map": framework_map,
            "framework_map_drop": abs(engine_map - framework_map),
        }
    write_json(options.out, found)


if __name__ == "__main__":
    run(main)
