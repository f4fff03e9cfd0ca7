"""The commands of trtflow.

python -m trtflow migrate model.caffemodel --table CalibrationTable
python -m trtflow run SCRIPT.py --its-own options
"""

import os
from argparse import RawDescriptionHelpFormatter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

from trtflow.cli import parser, run
from trtflow.migration.command import add_options, migrate
from trtflow.nvidia import command as nvidia_run


def main() -> None:
    """Read the command line and run the command that it names."""
    arguments = parser(__doc__)
    commands = arguments.add_subparsers(dest="command", required=True)
    add_options(commands.add_parser("migrate", help="write a Caffe, UFF or TensorFlow model as plain ONNX"))
    script = commands.add_parser(
        "run",
        help="run a Python script for TensorRT as it is, on a CPU",
        description=nvidia_run.__doc__,
        formatter_class=RawDescriptionHelpFormatter,
    )
    nvidia_run.add_arguments(script)
    options = arguments.parse_args()
    run(lambda: nvidia_run.main(options) if options.command == "run" else migrate(options))


if __name__ == "__main__":
    main()
