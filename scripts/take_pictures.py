"""Take pictures of ImageNet's validation set to calibrate with and to score.

python scripts/take_pictures.py --archive ILSVRC2012_img_val.tar --labels val.txt --words synset_words.txt \\
    --val 500 --calibration 100 --size 224 --out-dir results/googlenet/data
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.imagenet import SCALED, write_pictures
from trtflow.formats import UserError


def main() -> None:
    """Read the command line and write the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--archive", type=Path, required=True, help="ILSVRC2012_img_val.tar")
    arguments.add_argument("--labels", type=Path, required=True, help="val.txt of caffe_ilsvrc12.tar.gz")
    arguments.add_argument("--words", type=Path, required=True, help="synset_words.txt of caffe_ilsvrc12.tar.gz")
    arguments.add_argument("--val", type=int, required=True, help="pictures to score")
    arguments.add_argument("--calibration", type=int, required=True, help="pictures to calibrate with, none of val")
    arguments.add_argument("--size", type=int, default=224, help="side of a picture, pixels")
    arguments.add_argument("--seed", type=int, default=0, help="of the order in which pictures are dealt out")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    if not 0 < options.size <= SCALED:
        raise UserError(f"--size {options.size} is not 1 to {SCALED}.")
    counts = {"val": options.val, "calibration": options.calibration}
    sources = (options.archive, options.labels, options.words)
    write_pictures(options.out_dir, *sources, counts, options.size, options.seed)


if __name__ == "__main__":
    run(main)
