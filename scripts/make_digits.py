"""Make the digits of a MNIST sample: train.npz, calibration.npz, val.npz, and ten held-out ones as 0.pgm to 9.pgm.

python scripts/make_digits.py --train 1197 --calibration 100 --val 500 --seed 0 --out-dir results/mnist/data
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digits import SPLITS, write_digits


def main() -> None:
    """Read the command line and write the digits."""
    arguments = parser(__doc__)
    for split in SPLITS:
        arguments.add_argument(f"--{split}", type=int, required=True, help=f"digits of {split}")
    arguments.add_argument("--seed", type=int, default=0, help="of the order in which digits are dealt out")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()
    write_digits(options.out_dir, {split: getattr(options, split) for split in SPLITS}, options.seed)


if __name__ == "__main__":
    run(main)
