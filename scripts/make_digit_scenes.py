"""Draw scenes of handwritten digits with exact boxes, in Pascal VOC's layout.

python scripts/make_digit_scenes.py --split val --count 200 --out results/ssd/data/val
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digit_scenes import SIZE, SPLITS, write_split


def main() -> None:
    """Read the command line and write the split."""
    arguments = parser(__doc__)
    arguments.add_argument("--split", choices=SPLITS, required=True, help="which digits to draw from")
    arguments.add_argument("--count", type=int, required=True, help="number of scenes")
    arguments.add_argument("--seed", type=int, default=0, help="of all random choices")
    arguments.add_argument("--shape", type=int, nargs=2, default=[SIZE, SIZE], help="height and width, pixels")
    arguments.add_argument("--out", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()
    write_split(options.out, options.split, options.count, options.seed, tuple(options.shape))


if __name__ == "__main__":
    run(main)
