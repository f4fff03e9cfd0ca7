"""Turn the deploy.prototxt of the SSD authors into the form that TensorRT takes.

python scripts/convert_ssd_prototxt.py results/ssd/export/deploy.prototxt results/ssd/export/model.prototxt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.caffe import convert_ssd_prototxt, read_prototxt, write_prototxt


def main() -> None:
    """Read the command line and convert."""
    arguments = parser(__doc__)
    arguments.add_argument("source", type=Path, help="deploy.prototxt as the authors of SSD write it")
    arguments.add_argument("target", type=Path, help="prototxt to write")
    options = arguments.parse_args()
    write_prototxt(convert_ssd_prototxt(read_prototxt(options.source)), options.target)


if __name__ == "__main__":
    run(main)
