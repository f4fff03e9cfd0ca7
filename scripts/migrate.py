"""Write a Caffe model, a UFF file or a frozen TensorFlow graph as plain ONNX, INT8 as Q/DQ from a calibration table.

python scripts/migrate.py results/ssd/export/model.caffemodel --table results/ssd/calibration/CalibrationTablessd \\
    --out ssd.onnx
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.migration.command import add_options, migrate


def main() -> None:
    """Read the command line and migrate."""
    arguments = parser(__doc__)
    add_options(arguments)
    migrate(arguments.parse_args())


if __name__ == "__main__":
    run(main)
