"""Turn py-faster-rcnn's test.prototxt into the form that TensorRT takes, for pictures of one size.

python scripts/convert_faster_rcnn_prototxt.py --shape 375 500 test.prototxt model.prototxt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.caffe import convert_faster_rcnn_prototxt, read_prototxt, write_prototxt
from trtflow.formats.caffe.faster_rcnn import HEIGHT, WIDTH


def main() -> None:
    """Read the command line and convert."""
    arguments = parser(__doc__)
    arguments.add_argument("source", type=Path, help="test.prototxt as the authors of Faster R-CNN write it")
    arguments.add_argument("target", type=Path, help="prototxt to write")
    arguments.add_argument(
        "--shape", type=int, nargs=2, default=[HEIGHT, WIDTH], help="height and width of pictures, pixels"
    )
    options = arguments.parse_args()
    write_prototxt(convert_faster_rcnn_prototxt(read_prototxt(options.source), *options.shape), options.target)


if __name__ == "__main__":
    run(main)
