"""Write INT8 batch files (guide §8.6.2) from the calibration pictures of a data set.

python scripts/write_calibration_batches.py --sample ssd --data results/ssd/data/calibration \\
    --export-dir results/ssd/export --out-dir results/ssd/calibration/batches
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.manifest import locate
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line and write batch0, batch1, ... in the order of the data set."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows the preprocessing")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the data set, or manifest of the split")
    arguments.add_argument("--split", default="calibration", help="pictures of that folder to take")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--batch-size", type=int, default=1, help="pictures a file")
    arguments.add_argument(
        "--files", type=int, help="number of files, in place of --batch-size; the last has what is left"
    )
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    place = locate(options.data, options.split)
    images, _ = sample.read_images(*place)
    labels = sample.read_labels(*place) if hasattr(sample, "read_labels") else None
    size = options.batch_size if options.files is None else -(-len(images) // options.files)
    if size < 1 or (options.files is None and len(images) % size):
        raise UserError(f"{len(images)} pictures in {options.data} do not fill batches of {size}.")
    for index, first in enumerate(range(0, len(images), size)):
        rows = slice(first, first + size)
        pictures = sample.preprocess(images[rows], options.export_dir)  # same mean, same size for all (steps 1 and 2)
        if hasattr(sample, "pack"):
            pictures = sample.pack(pictures)
        batch = Batch(pictures, None if labels is None else labels[rows])
        write_batch(options.out_dir / f"batch{index}", batch)


if __name__ == "__main__":
    run(main)
