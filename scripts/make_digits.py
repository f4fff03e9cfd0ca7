"""Make the digits of a MNIST sample, or deal out MNIST's own.

They are train.npz, calibration.npz and val.npz, and ten held-out ones as 0.pgm to 9.pgm.

python scripts/make_digits.py --train 1197 --calibration 100 --val 500 --seed 0 --out-dir results/mnist/data
python scripts/make_digits.py --train 59000 --calibration 1000 --val 10000 --out-dir results/mnist/data \\
    --images train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz \\
    --val-images t10k-images-idx3-ubyte.gz --val-labels t10k-labels-idx1-ubyte.gz
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digits import SPLITS, read_mnist, write_digits, write_mnist
from trtflow.formats import UserError


def main() -> None:
    """Read the command line and write the digits."""
    arguments = parser(__doc__)
    for split in SPLITS:
        arguments.add_argument(f"--{split}", type=int, required=True, help=f"digits of {split}")
    arguments.add_argument("--seed", type=int, default=0, help="of the order in which digits are dealt out")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    arguments.add_argument("--images", type=Path, help="MNIST's pictures to train on, in place of digits that are made")
    arguments.add_argument("--labels", type=Path, help="their labels")
    arguments.add_argument("--val-images", type=Path, help="MNIST's pictures to score")
    arguments.add_argument("--val-labels", type=Path, help="their labels")
    options = arguments.parse_args()

    counts = {split: getattr(options, split) for split in SPLITS}
    published = (options.images, options.labels, options.val_images, options.val_labels)
    if not any(published):
        write_digits(options.out_dir, counts, options.seed)
    elif not all(published):
        raise UserError("--images, --labels, --val-images and --val-labels go together. Give all four, or none.")
    else:
        train, val = read_mnist(*published[:2]), read_mnist(*published[2:])
        write_mnist(options.out_dir, train, val, counts, options.seed)


if __name__ == "__main__":
    run(main)
