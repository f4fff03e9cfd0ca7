"""Write a Caffe model, a UFF file or a frozen TensorFlow graph as plain ONNX, INT8 as Q/DQ from a calibration table.

python scripts/migrate.py results/ssd/export/model.caffemodel --table results/ssd/calibration/CalibrationTablessd \\
    --out ssd.onnx
"""

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
