"""The commands of trtflow.

python -m trtflow migrate model.caffemodel --table CalibrationTable
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

from trtflow.cli import parser, run
from trtflow.migration.command import add_options, migrate


def main() -> None:
    """Read the command line and run the command that it names."""
    arguments = parser(__doc__)
    commands = arguments.add_subparsers(dest="command", required=True)
    add_options(commands.add_parser("migrate", help="write a Caffe, UFF or TensorFlow model as plain ONNX"))
    options = arguments.parse_args()
    run(lambda: migrate(options))


if __name__ == "__main__":
    main()
