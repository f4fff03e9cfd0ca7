"""Export a trained Faster R-CNN to Caffe: the authors' test.prototxt, the same in TensorRT's form, and the weights.

python scripts/export_faster_rcnn.py --model results/faster_rcnn/model/network.pt --out-dir results/faster_rcnn/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digit_scenes import SIZE
from trtflow.formats.caffe import convert_faster_rcnn_prototxt, without_weights, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.families.faster_rcnn.network import load_faster_rcnn
from trtflow.families.faster_rcnn.caffe_export import to_caffe
from trtflow.families.common.input_size import write_input_size

STOCK, PROTOTXT, CAFFEMODEL = NAMES = ("test.prototxt", "model.prototxt", "model.caffemodel")


def main() -> None:
    """Read the command line and write the files."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint")
    arguments.add_argument("--shape", type=int, nargs=2, default=[SIZE, SIZE], help="height and width of pictures")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    net = to_caffe(load_faster_rcnn(options.model))
    stock = without_weights(net)
    write_prototxt(stock, options.out_dir / STOCK)
    write_prototxt(convert_faster_rcnn_prototxt(stock, *options.shape), options.out_dir / PROTOTXT)
    write_caffemodel(net, options.out_dir / CAFFEMODEL)
    write_input_size(options.out_dir, *options.shape)
    write_checksums(options.out_dir, NAMES)


if __name__ == "__main__":
    run(main)
