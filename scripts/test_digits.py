"""Run a trained digit network over a split in PyTorch, batch by batch, as `caffe test` does, and print its accuracy.

With TENSORRT_INT8_BATCH_DIRECTORY set, every batch is written there on its way into the network (guide §8.6.1):

TENSORRT_INT8_BATCH_DIRECTORY=results/int8/calibration/batches python scripts/test_digits.py \\
    --model results/int8/model/network.pt --pixels unit --data results/int8/data --split calibration --batch-size 10
"""

from collections.abc import Iterator
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digits import PIXELS, read_images, read_labels
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch
from trtflow.metrics.classification import top_k
from trtflow.families.digits.capture import captured
from trtflow.families.digits.network import load_network, probabilities


def batches(data: Path, split: str, pixels: str, size: int) -> Iterator[Batch]:
    """Yield the digits of a split as the network takes them; every batch is full."""
    images, labels = PIXELS[pixels](read_images(data, split)[0]), read_labels(data, split)
    if size < 1 or len(images) % size:
        raise UserError(f"{len(images)} digits of {data} do not fill batches of {size}.")
    for first in range(0, len(images), size):
        yield Batch(images[first : first + size], labels[first : first + size])


def main() -> None:
    """Read the command line, run all batches and print the share of right answers."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint of train_digits.py")
    arguments.add_argument("--pixels", choices=list(PIXELS), default="unit", help="form of the pictures it takes")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the digits")
    arguments.add_argument("--split", default="val", help="digits to run")
    arguments.add_argument("--batch-size", type=int, default=10, help="digits of a batch")
    options = arguments.parse_args()

    model = load_network(options.model)
    shares = []
    for batch in captured(batches(options.data, options.split, options.pixels, options.batch_size)):
        assert batch.labels is not None
        shares.append(top_k(probabilities(model, batch.images), batch.labels, 1))
    print(f"accuracy: {sum(shares) / len(shares):.4f}")


if __name__ == "__main__":
    run(main)
