"""Train GoogLeNet or ResNet-50 in PyTorch, and write what it says of the held-out pictures, to compare engines with.

python scripts/train_classifier.py --network googlenet --width 0.25 --size 64 --pixels bgr \\
    --data results/googlenet/data --out results/googlenet/model/network.pt \\
    --predictions results/googlenet/model/predictions.npz --log-out results/googlenet/model/training.json
"""

import os
from pathlib import Path

# Before PyTorch is loaded: a thread that waits by spinning takes the cores from all else, its own partner included.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.digit_pictures import CLASSES, read_inputs, read_labels
from trtflow.datasets.images import FORMS
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.families.classifiers.layers import NETWORKS
from trtflow.families.classifiers.network import Classifier, probabilities, save_classifier, train
from trtflow.families.common.schedule import add_schedule_options, schedule_of
from trtflow.families.common.pytorch import prepare_torch


def main() -> None:
    """Read the command line and the data, train, and write the network, its losses and its predictions."""
    arguments = parser(__doc__)
    arguments.add_argument("--network", choices=list(NETWORKS), required=True, help="which network")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels of every layer")
    arguments.add_argument("--size", type=int, default=224, help="side of the input, pixels")
    arguments.add_argument("--pixels", choices=list(FORMS), required=True, help="form of the pictures it takes")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the pictures")
    add_schedule_options(arguments, "pictures", steps=600, batch_size=32, learning_rate=0.003, threads=2)
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of probabilities to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    prepare_torch(options.seed, options.threads)
    model = Classifier(options.network, len(CLASSES), options.width, options.size)
    images, _ = read_inputs(options.data, "train", options.pixels, options.size)
    losses = train(model, images, read_labels(options.data, "train"), schedule_of(options))
    held_out, names = read_inputs(options.data, "val", options.pixels, options.size)
    write_json(options.log_out, {"loss": {"training": losses}})
    write_arrays(options.predictions, {"probabilities": probabilities(model, held_out), "images": np.array(names)})
    save_classifier(model, options.out)


if __name__ == "__main__":
    run(main)
