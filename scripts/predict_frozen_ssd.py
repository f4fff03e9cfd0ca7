"""Run a frozen TensorFlow detector over the images of a split in TensorFlow alone, to compare engines with.

python scripts/predict_frozen_ssd.py --graph results/tf_ssd/model/frozen.pb --data results/tf_ssd/data/val \\
    --split val --out results/tf_ssd/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.images import read_image
from trtflow.datasets.voc import image_path, read_image_set
from trtflow.formats.arrays import write_arrays
from trtflow.families.ssd_inception.frozen_detector import FrozenDetector
from trtflow.progress import track


def main() -> None:
    """Read the command line, run picture by picture and write the detections."""
    arguments = parser(__doc__)
    arguments.add_argument("--graph", type=Path, required=True, help="frozen graph")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images to run")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    ids = read_image_set(options.data, options.split)
    detector = FrozenDetector(options.graph)
    found = [detector.detect(read_image(image_path(options.data, name))) for name in track(ids, "Predicting")]
    detections = np.stack(found)
    detections[:, :, 0] = np.arange(len(ids))[:, None]
    write_arrays(options.out, {"detections": detections, "images": np.array(ids)})


if __name__ == "__main__":
    run(main)
