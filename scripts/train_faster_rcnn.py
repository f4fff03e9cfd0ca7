"""Train Faster R-CNN on VGG-16 in PyTorch on a data set in Pascal VOC's layout.

python scripts/train_faster_rcnn.py --data results/faster_rcnn/data/train --out results/faster_rcnn/model/network.pt \\
    --log-out results/faster_rcnn/model/training.json
"""

import os
from pathlib import Path

# Before PyTorch is loaded: a thread that waits by spinning takes the cores from all else, its own partner included.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.images import read_sized_image
from trtflow.datasets.voc import image_path, read_split
from trtflow.formats.files import write_json
from trtflow.families.faster_rcnn.network import FasterRCNN, save_faster_rcnn
from trtflow.families.faster_rcnn.training import train
from trtflow.families.common.schedule import add_pretraining_options, add_schedule_options, pretraining_of, schedule_of
from trtflow.families.common.multibox import pretrain
from trtflow.families.common.pytorch import prepare_torch


def main() -> None:
    """Read the command line and the data, train, and write the model and its losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True, help="data set")
    arguments.add_argument("--split", default="train", help="images to train on, all of one size")
    arguments.add_argument("--width", type=float, default=0.125, help="factor on all channels; 1 is the original")
    arguments.add_argument(
        "--anchor-scales", type=float, nargs="+", default=[4, 8, 16], help="sides of anchors over 16 pixels"
    )
    add_pretraining_options(arguments)
    add_schedule_options(arguments, "images", steps=200, batch_size=8, learning_rate=0.0015, threads=2)
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    annotations = read_split(options.data, options.split, CLASSES)
    size = annotations[0].size
    images = np.stack([read_sized_image(image_path(options.data, item.image_id), *size) for item in annotations])
    prepare_torch(options.seed, options.threads)
    model = FasterRCNN(len(CLASSES), options.width, options.anchor_scales)
    losses = {
        "pretraining": pretrain(model, images, annotations, pretraining_of(options)),
        "training": train(model, images, annotations, schedule_of(options)),
    }
    write_json(options.log_out, {"loss": losses})
    save_faster_rcnn(model, options.out)


if __name__ == "__main__":
    run(main)
