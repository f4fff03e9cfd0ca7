"""Take pictures and annotations of a split from one of Pascal VOC 2007's tars, in one size.

python scripts/make_voc.py --archive results/downloads/voc/VOCtest_06-Nov-2007.tar --split val --count 1000 \\
    --shape 300 300 --out results/ssd/data/val
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.objects import CLASSES
from trtflow.datasets.voc2007 import CLASSES as OF_VOC
from trtflow.datasets.voc2007 import PARTS, write_voc2007

NETWORKS = [name for name, classes in CLASSES.items() if set(OF_VOC) <= set(classes)]  # that know VOC's objects


def main() -> None:
    """Read the command line and write the split."""
    arguments = parser(__doc__)
    arguments.add_argument(
        "--archive", type=Path, required=True, help="tar of trainval for calibration, of test for val"
    )
    arguments.add_argument("--split", choices=list(PARTS), required=True, help="what to write")
    arguments.add_argument("--count", type=int, required=True, help="number of pictures")
    arguments.add_argument("--seed", type=int, default=0, help="of the choice among all pictures")
    arguments.add_argument("--shape", type=int, nargs=2, required=True, help="height and width of all, pixels")
    arguments.add_argument("--keep-ratio", action="store_true", help="fit into that frame instead of stretching")
    arguments.add_argument("--objects", choices=NETWORKS, default="voc", help="what the network looks for")
    arguments.add_argument("--out", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()
    place = (options.out, options.archive, options.split, options.count, options.seed)
    classes = CLASSES[options.objects]
    write_voc2007(*place, tuple(options.shape), keep_ratio=options.keep_ratio, classes=classes)


if __name__ == "__main__":
    run(main)
