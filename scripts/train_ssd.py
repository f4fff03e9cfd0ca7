"""Train SSD300, on VGG-16 or InceptionV2, in PyTorch on a data set in Pascal VOC's layout.

python scripts/train_ssd.py --data results/ssd/data/train --out results/ssd/model/ssd.pt \\
    --log-out results/ssd/model/training.json
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
from trtflow.families.common.schedule import add_pretraining_options, add_schedule_options, pretraining_of, schedule_of
from trtflow.families.ssd.network import SIZE
from trtflow.families.ssd.checkpoint import NETWORKS, save_checkpoint
from trtflow.families.common.multibox import pretrain, train
from trtflow.families.common.pytorch import prepare_torch


def main() -> None:
    """Read the command line and the data, train, and write the model and its losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True, help="data set")
    arguments.add_argument("--split", default="train", help="images to train on")
    arguments.add_argument("--network", choices=list(NETWORKS), default="vgg16", help="trunk of the detector")
    arguments.add_argument("--width", type=float, default=0.125, help="factor on all channels; 1 is the original")
    add_pretraining_options(arguments)
    add_schedule_options(arguments, "images", steps=320, batch_size=8, learning_rate=0.003, threads=2)
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    annotations = read_split(options.data, options.split, CLASSES)
    images = np.stack([read_sized_image(image_path(options.data, item.image_id), SIZE) for item in annotations])
    prepare_torch(options.seed, options.threads)
    model = NETWORKS[options.network](len(CLASSES), options.width)
    losses = {
        "pretraining": pretrain(model, images, annotations, pretraining_of(options)),
        "training": train(model, images, annotations, schedule_of(options)),
    }
    write_json(options.log_out, {"loss": losses})
    save_checkpoint(model, options.out)


if __name__ == "__main__":
    run(main)
