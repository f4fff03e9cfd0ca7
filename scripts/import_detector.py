"""Take a detector's published Caffe model: into PyTorch, and with its prototxt in TensorRT's form.

python scripts/import_detector.py --network vgg16 --deploy deploy.prototxt --caffemodel weights.caffemodel \\
    --objects voc --out results/ssd/model/ssd.pt --export-dir results/ssd/export
python scripts/import_detector.py --network faster_rcnn --deploy test.prototxt --caffemodel weights.caffemodel \\
    --objects voc --shape 375 500 --out results/faster_rcnn/model/network.pt --export-dir results/faster_rcnn/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.objects import CLASSES
from trtflow.formats.caffe import (
    convert_faster_rcnn_prototxt,
    convert_ssd_prototxt,
    read_prototxt,
    without_weights,
    write_prototxt,
)
from trtflow.formats.caffe.faster_rcnn import SCALES
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import copy_file
from trtflow.families.common.caffe_import import load_faster_rcnn, load_ssd
from trtflow.families.faster_rcnn.network import save_faster_rcnn
from trtflow.families.common.input_size import write_input_size
from trtflow.families.ssd.network import SIZE
from trtflow.families.ssd.checkpoint import save_checkpoint

PROTOTXT, CAFFEMODEL = "model.prototxt", "model.caffemodel"
STOCK = {"vgg16": "deploy.prototxt", "faster_rcnn": "test.prototxt"}


def main() -> None:
    """Read the command line, and write the checkpoint and what engines are built from."""
    arguments = parser(__doc__)
    arguments.add_argument("--network", choices=list(STOCK), required=True, help="SSD on VGG-16, or Faster R-CNN")
    arguments.add_argument("--deploy", type=Path, required=True, help="prototxt as the authors write it")
    arguments.add_argument("--caffemodel", type=Path, required=True, help="weights")
    arguments.add_argument("--objects", choices=list(CLASSES), required=True, help="what it looks for")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels")
    arguments.add_argument("--shape", type=int, nargs=2, default=[SIZE, SIZE], help="height and width of pictures")
    arguments.add_argument("--anchor-scales", type=float, nargs="+", default=SCALES, help="of faster_rcnn's anchors")
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    stock, classes, folder = read_prototxt(options.deploy), len(CLASSES[options.objects]), options.export_dir
    if options.network == "vgg16":
        net = convert_ssd_prototxt(stock)
        save_checkpoint(load_ssd(options.caffemodel, classes, options.width), options.out)
    else:
        net = convert_faster_rcnn_prototxt(stock, *options.shape)
        model = load_faster_rcnn(options.caffemodel, classes, options.width, tuple(options.anchor_scales))
        save_faster_rcnn(model, options.out)
        write_input_size(folder, *options.shape)
    names = (STOCK[options.network], PROTOTXT, CAFFEMODEL)
    write_prototxt(without_weights(stock), folder / names[0])
    write_prototxt(net, folder / PROTOTXT)
    copy_file(options.caffemodel, folder / CAFFEMODEL)
    write_checksums(folder, names)


if __name__ == "__main__":
    run(main)
