"""Draw coloured pictures of one digit each, with their labels.

python scripts/make_digit_pictures.py --split val --count 500 --size 64 --seed 0 --out-dir results/googlenet/data
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digit_pictures import SPLITS, write_split


def main() -> None:
    """Read the command line and write the pictures of one split."""
    arguments = parser(__doc__)
    arguments.add_argument("--split", choices=SPLITS, required=True, help="which split")
    arguments.add_argument("--count", type=int, required=True, help="number of pictures")
    arguments.add_argument("--size", type=int, default=64, help="side of a picture, pixels")
    arguments.add_argument("--seed", type=int, default=0, help="of the pictures")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()
    write_split(options.out_dir, options.split, options.count, options.size, options.seed)


if __name__ == "__main__":
    run(main)
