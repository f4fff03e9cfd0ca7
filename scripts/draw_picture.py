"""Draw what an engine found on one picture: as PPM with red boxes, as PNG with labels; print class, score and box.

python scripts/draw_picture.py --picture dog.jpg --predictions results/yolov3_onnx/dog/predictions.npz \\
    --objects coco --threshold 0.6 --out dog_bboxes.ppm --labelled-out dog_bboxes.png
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.images import read_image
from trtflow.datasets.objects import CLASSES
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.netpbm import write_ppm
from trtflow.reporting.boxes import VISUAL_THRESHOLD, draw_boxes, draw_labelled_boxes, visible, write_png


def main() -> None:
    """Read the command line, print what was found, draw and write both pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--picture", type=Path, required=True, help="picture, of any size")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--objects", choices=list(CLASSES), default="digits", help="what the detector looks for")
    arguments.add_argument("--threshold", type=float, default=VISUAL_THRESHOLD, help="least score of a box")
    arguments.add_argument("--out", type=Path, required=True, help="PPM file to write")
    arguments.add_argument("--labelled-out", type=Path, required=True, help="PNG file to write")
    options = arguments.parse_args()

    classes, image = CLASSES[options.objects], read_image(options.picture)
    detections, images = read_arrays(options.predictions, "detections", "images")
    if images.tolist() != [options.picture.stem]:
        raise FormatError(options.predictions, f"not of {options.picture} alone", "Run infer.py on it.")
    found = visible(detections[0], options.threshold)
    height, width = image.shape[:2]
    for row in found:
        corners = " ".join(f"{value:.1f}" for value in row[3:] * np.array([width, height, width, height]))
        print(f"{classes[int(row[1])]} {row[2]:.4f} {corners}")
    write_ppm(options.out, draw_boxes(image, found[:, 3:]))
    write_png(options.labelled_out, draw_labelled_boxes(image, found, classes))


if __name__ == "__main__":
    run(main)
