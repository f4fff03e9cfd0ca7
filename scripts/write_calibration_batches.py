"""Write INT8 batch files (guide §8.6) from the calibration pictures of a data set.

python scripts/write_calibration_batches.py --sample ssd --data results/ssd/data/calibration \\
    --out-dir results/ssd/calibration/batches
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.voc import image_path, read_image_set
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line and write batch0, batch1, ... in the order of the image set."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows the preprocessing")
    arguments.add_argument("--data", type=Path, required=True, help="data set in VOC's layout")
    arguments.add_argument("--split", default="calibration", help="pictures to take")
    arguments.add_argument("--batch-size", type=int, default=1, help="pictures a file")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    paths = [image_path(options.data, image_id) for image_id in read_image_set(options.data, options.split)]
    if options.batch_size < 1 or len(paths) % options.batch_size:
        raise UserError(f"{len(paths)} pictures in {options.data} do not fill batches of {options.batch_size}.")
    for index, first in enumerate(range(0, len(paths), options.batch_size)):
        images = sample.preprocess(paths[first : first + options.batch_size])
        write_batch(options.out_dir / f"batch{index}", Batch(images))


if __name__ == "__main__":
    run(main)
