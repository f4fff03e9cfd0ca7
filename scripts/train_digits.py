"""Train a digit network in PyTorch, and write what it says of the held-out digits, to compare engines with.

python scripts/train_digits.py --network lenet --pixels paper --mean --scale 0.0125 --data results/mnist/data \\
    --out results/mnist/model/network.pt --predictions results/mnist/model/predictions.npz \\
    --log-out results/mnist/model/training.json
"""

import os
from pathlib import Path

# Before PyTorch is loaded: a thread that waits by spinning takes the cores from all else, its own partner included.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import _path  # noqa: F401
import numpy as np
import torch
from torch.nn import functional

from trtflow.cli import parser, run
from trtflow.datasets.digits import PIXELS, read_images, read_labels
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.families.digits.network import make_network, probabilities, save_network
from trtflow.families.common.schedule import add_schedule_options, schedule_of
from trtflow.families.common.pytorch import minimise, prepare_torch


def main() -> None:
    """Read the command line and the data, train, and write the network, its losses and its predictions."""
    arguments = parser(__doc__)
    arguments.add_argument("--network", choices=["lenet", "zoo"], default="lenet", help="which network")
    arguments.add_argument("--pixels", choices=list(PIXELS), default="unit", help="form of the pictures it takes")
    arguments.add_argument("--mean", action="store_true", help="let the network subtract the mean picture")
    arguments.add_argument("--scale", type=float, default=1.0, help="factor of the network's first layer")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the digits")
    add_schedule_options(arguments, "digits", steps=600, batch_size=32, learning_rate=0.003, threads=1)
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of probabilities to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    form = PIXELS[options.pixels]
    images = form(read_images(options.data, "train")[0])
    labels = torch.from_numpy(read_labels(options.data, "train"))
    prepare_torch(options.seed, options.threads)
    model = make_network(options.network, images, subtract_mean=options.mean, scale=options.scale)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        return functional.cross_entropy(model(torch.from_numpy(images[batch])), labels[batch])

    losses = minimise(model, loss_of, len(images), schedule_of(options))
    held_out, names = read_images(options.data, "val")
    write_json(options.log_out, {"loss": {"training": losses}})
    write_arrays(
        options.predictions, {"probabilities": probabilities(model, form(held_out)), "images": np.array(names)}
    )
    save_network(options.network, model, options.out)


if __name__ == "__main__":
    run(main)
