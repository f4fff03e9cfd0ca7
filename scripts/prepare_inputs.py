"""Preprocess the pictures of a split as a sample's engine takes them, so that running it needs nothing but NumPy.

python scripts/prepare_inputs.py --sample ssd --data results/ssd/data/val.sha256 --export-dir results/ssd/export \\
    --out results/ssd/inputs.npz
python scripts/prepare_inputs.py --sample yolov3_onnx --pictures dog.jpg --export-dir results/yolov3_onnx/export \\
    --out inputs.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.manifest import locate
from trtflow.formats.arrays import write_arrays
from trtflow.samples import ITEMS, array_name, named_inputs
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line, preprocess, and write an array under each input's name, with the items' names."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample, which knows the preprocessing")
    pictures = arguments.add_mutually_exclusive_group(required=True)
    pictures.add_argument("--data", type=Path, help="folder of the data set, or manifest of the split")
    pictures.add_argument("--pictures", type=Path, nargs="+", help="files, in place of a data set")
    arguments.add_argument("--split", default="val", help="pictures of that folder to take")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    if options.pictures:
        images, names = options.pictures, [path.stem for path in options.pictures]
    else:
        images, names = sample.read_images(*locate(options.data, options.split))
    prepared = named_inputs(sample, sample.preprocess(images, options.export_dir))
    arrays = {array_name(name): values for name, values in prepared.items()}
    write_arrays(options.out, {**arrays, ITEMS: np.array(names)})


if __name__ == "__main__":
    run(main)
