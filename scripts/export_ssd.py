"""Export a trained SSD to Caffe: the authors' deploy.prototxt, the same in TensorRT's form, and the weights.

python scripts/export_ssd.py --model results/ssd/model/ssd.pt --out-dir results/ssd/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.caffe import convert_ssd_prototxt, without_weights, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.families.ssd.caffe_export import export
from trtflow.families.ssd.checkpoint import load_checkpoint

STOCK, PROTOTXT, CAFFEMODEL = NAMES = ("deploy.prototxt", "model.prototxt", "model.caffemodel")


def main() -> None:
    """Read the command line and write the files."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    net = export(load_checkpoint(options.model, "vgg16"))
    stock = without_weights(net)
    write_prototxt(stock, options.out_dir / STOCK)
    write_prototxt(convert_ssd_prototxt(stock), options.out_dir / PROTOTXT)
    write_caffemodel(net, options.out_dir / CAFFEMODEL)
    write_checksums(options.out_dir, NAMES)


if __name__ == "__main__":
    run(main)
