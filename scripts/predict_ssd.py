"""Run a trained SSD over the images of a split in PyTorch alone, to compare engines with.

python scripts/predict_ssd.py --model results/ssd/model/ssd.pt --data results/ssd/data/val --split val \\
    --out results/ssd/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np
import torch

from trtflow.cli import parser, run
from trtflow.datasets.images import read_sized_image, to_bgr_input
from trtflow.datasets.voc import image_path, read_image_set
from trtflow.formats.arrays import write_arrays
from trtflow.families.ssd.network import SIZE
from trtflow.families.ssd.detection import detect
from trtflow.families.ssd.checkpoint import load_checkpoint
from trtflow.progress import track

BATCH_SIZE = 8


def main() -> None:
    """Read the command line, run all batches and write the detections."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="val", help="images to run")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    model = load_checkpoint(options.model, "vgg16")
    ids = read_image_set(options.data, options.split)
    results = []
    for first in track(range(0, len(ids), BATCH_SIZE), "Predicting"):
        names = ids[first : first + BATCH_SIZE]
        images = [read_sized_image(image_path(options.data, name), SIZE) for name in names]
        results.append(detect(model, torch.from_numpy(to_bgr_input(images))))
    detections, keep_count = (torch.cat(parts).numpy() for parts in zip(*results, strict=True))
    detections[:, :, 0] = np.arange(len(ids))[:, None]  # number in the split, not in the batch
    write_arrays(options.out, {"detections": detections, "keep_count": keep_count, "images": np.array(ids)})


if __name__ == "__main__":
    run(main)
