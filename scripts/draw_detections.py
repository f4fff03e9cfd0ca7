"""Draw detections on their pictures: as PPM with red boxes, as PNG with labels, and one sheet of them all.

python scripts/draw_detections.py --predictions results/ssd/predictions.fp32.npz --data results/ssd/data/val \\
    --split val --count 8 --threshold 0.6 --out-dir results/ssd/figures/fp32
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.images import read_image
from trtflow.datasets.objects import CLASSES
from trtflow.datasets.voc import image_path, read_predictions
from trtflow.formats.netpbm import write_ppm
from trtflow.reporting.boxes import (
    VISUAL_THRESHOLD,
    contact_sheet,
    draw_boxes,
    draw_labelled_boxes,
    visible,
    write_png,
)


def main() -> None:
    """Read the command line, draw and write the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images that the predictions are of")
    arguments.add_argument("--count", type=int, default=8, help="number of pictures, from the first")
    arguments.add_argument("--objects", choices=list(CLASSES), default="digits", help="what the detector looks for")
    arguments.add_argument("--threshold", type=float, default=VISUAL_THRESHOLD, help="least score of a box")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder for <id>.ppm, <id>.png, contact.png")
    options = arguments.parse_args()

    classes = CLASSES[options.objects]
    detections, truths = read_predictions(options.predictions, options.data, options.split, classes)
    labelled: list[np.ndarray] = []
    for truth, rows in zip(truths[: options.count], detections, strict=False):
        image_id = truth.image_id
        image = read_image(image_path(options.data, image_id))
        found = visible(rows, options.threshold)
        write_ppm(options.out_dir / f"{image_id}.ppm", draw_boxes(image, found[:, 3:]))
        labelled.append(draw_labelled_boxes(image, found, classes, truth.normalised_boxes()))
        write_png(options.out_dir / f"{image_id}.png", labelled[-1])
    write_png(options.out_dir / "contact.png", contact_sheet(labelled))


if __name__ == "__main__":
    run(main)
