"""Train a digit network in TensorFlow, and write what it says of the held-out digits, to compare engines with.

python scripts/train_keras_digits.py --network dense --pixels unit --data results/end_to_end_tensorflow_mnist/data \\
    --out results/end_to_end_tensorflow_mnist/model/network.keras \\
    --predictions results/end_to_end_tensorflow_mnist/model/predictions.npz \\
    --log-out results/end_to_end_tensorflow_mnist/model/training.json
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.digits import PIXELS, read_images, read_labels
from trtflow.formats.arrays import write_arrays
from trtflow.formats.files import write_json
from trtflow.families.keras_digits.network import (
    NETWORKS,
    prepare_tensorflow,
    probabilities,
    save_checkpoint,
    save_keras,
    train,
)
from trtflow.families.common.schedule import add_schedule_options, schedule_of


def main() -> None:
    """Read the command line and the data, train, and write the network, its losses and its predictions."""
    arguments = parser(__doc__)
    arguments.add_argument("--network", choices=list(NETWORKS), default="lenet", help="which network")
    arguments.add_argument("--pixels", choices=list(PIXELS), default="unit", help="form of the pictures it takes")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the digits")
    add_schedule_options(arguments, "digits", steps=600, batch_size=32, learning_rate=0.003, threads=1)
    arguments.add_argument("--out", type=Path, required=True, help=".keras file, or prefix of a checkpoint, to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of probabilities to write")
    arguments.add_argument("--log-out", type=Path, required=True, help="JSON file of losses to write")
    options = arguments.parse_args()

    def form(ink: np.ndarray) -> np.ndarray:
        return PIXELS[options.pixels](ink).transpose(0, 2, 3, 1)  # TensorFlow's order

    prepare_tensorflow(options.seed, options.threads)
    model = NETWORKS[options.network]()
    images = form(read_images(options.data, "train")[0])
    losses = train(model, images, read_labels(options.data, "train"), schedule_of(options))
    held_out, names = read_images(options.data, "val")
    write_json(options.log_out, {"loss": {"training": losses}})
    write_arrays(
        options.predictions, {"probabilities": probabilities(model, form(held_out)), "images": np.array(names)}
    )
    (save_keras if options.out.suffix == ".keras" else save_checkpoint)(model, options.out)


if __name__ == "__main__":
    run(main)
