"""Train a narrow YOLOv3 in PyTorch on a data set in Pascal VOC's layout, and keep it as Darknet does.

python scripts/train_yolov3.py --data results/yolov3_onnx/data/train --cfg-out results/yolov3_onnx/model/yolov3.cfg \\
    --weights-out results/yolov3_onnx/model/yolov3.weights --log-out results/yolov3_onnx/model/training.json
"""

import os
from pathlib import Path

# Before PyTorch is loaded: a thread that waits by spinning takes the cores from all else, its own partner included.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets import digit_scenes
from trtflow.datasets.images import read_sized_image, to_unit_input
from trtflow.datasets.voc import image_path, read_split
from trtflow.formats.files import write_json
from trtflow.families.common.schedule import add_pretraining_options, add_schedule_options, pretraining_of, schedule_of
from trtflow.families.common.pytorch import prepare_torch
from trtflow.families.yolov3.network import Darknet, save, yolov3_sections
from trtflow.families.yolov3.training import pretrain, train


def main() -> None:
    """Read the command line and the data, train, and write the model and its losses."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True, help="data set")
    arguments.add_argument("--split", default="train", help="images to train on")
    arguments.add_argument("--width", type=float, default=0.125, help="factor on all channels; 1 is the original")
    arguments.add_argument("--size", type=int, default=128, help="pixels of a side of the input, a multiple of 32")
    add_pretraining_options(arguments)
    add_schedule_options(arguments, "images", steps=800, batch_size=16, learning_rate=0.003, threads=2)
    arguments.add_argument("--cfg-out", type=Path, required=True, help="network to write")
    arguments.add_argument("--weights-out", type=Path, required=True, help="weights to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    classes = digit_scenes.CLASSES
    annotations = read_split(options.data, options.split, classes)
    paths = [image_path(options.data, item.image_id) for item in annotations]
    images = np.stack([read_sized_image(path, digit_scenes.SIZE) for path in paths])
    prepare_torch(options.seed, options.threads)
    class_count = len(classes) - 1  # YOLO has no background
    model = Darknet(yolov3_sections(options.width, class_count, options.size), options.cfg_out)
    losses = {
        "pretraining": pretrain(model, images, annotations, class_count, pretraining_of(options)),
        "training": train(model, to_unit_input(list(images), options.size), annotations, schedule_of(options)),
    }
    write_json(options.log_out, {"loss": losses})
    save(model, options.cfg_out, options.weights_out, options.steps * options.batch_size)


if __name__ == "__main__":
    run(main)
