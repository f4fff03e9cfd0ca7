"""Run a trained YOLOv3 over the images of a split in PyTorch alone, to compare engines with.

python scripts/predict_yolov3.py --cfg results/yolov3_onnx/model/yolov3.cfg \\
    --weights results/yolov3_onnx/model/yolov3.weights --data results/yolov3_onnx/data/val --split val \\
    --out results/yolov3_onnx/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np
import torch

from trtflow.cli import parser, run
from trtflow.datasets.images import read_image, to_unit_input
from trtflow.datasets.voc import image_path, read_image_set
from trtflow.formats.arrays import write_arrays
from trtflow.families.yolov3.network import load
from trtflow.families.yolov3.detection import detect
from trtflow.progress import track

BATCH_SIZE = 8


def main() -> None:
    """Read the command line, run all batches and write the detections."""
    arguments = parser(__doc__)
    arguments.add_argument("--cfg", type=Path, required=True, help="Darknet's network")
    arguments.add_argument("--weights", type=Path, required=True, help="Darknet's weights")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images to run")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    model = load(options.cfg, options.weights)
    size = int(model.sections[0].options["width"])
    ids = read_image_set(options.data, options.split)
    results = []
    for first in track(range(0, len(ids), BATCH_SIZE), "Predicting"):
        images = [read_image(image_path(options.data, name)) for name in ids[first : first + BATCH_SIZE]]
        results.append(detect(model, torch.from_numpy(to_unit_input(images, size))))
    detections = torch.cat(results).numpy()
    detections[:, :, 0] = np.arange(len(ids))[:, None]  # number in the split, not in the batch
    write_arrays(options.out, {"detections": detections, "images": np.array(ids)})


if __name__ == "__main__":
    run(main)
