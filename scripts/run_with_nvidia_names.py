"""Run a Python script that was written for NVIDIA's graphsurgeon and uff packages, which need TensorFlow 1, as it is.

python scripts/run_with_nvidia_names.py [--plugins FILE.py] model.py --its-own options
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

import _path  # noqa: F401

from trtflow.cli import run
from trtflow.converters.nvidia_names import run_script
from trtflow.formats import UserError
from trtflow.runtime.own_plugins import load_plugin_file


def main() -> None:
    """Run the script that the command line names."""
    arguments = sys.argv[1:]
    while arguments[:1] == ["--plugins"] and len(arguments) > 1:  # before the script, whose options are its own
        load_plugin_file(Path(arguments[1]))
        arguments = arguments[2:]
    if not arguments or arguments[0] == "--plugins":
        raise UserError("which script? Give its path and then its own arguments.")
    run_script(Path(arguments[0]), arguments[1:])


if __name__ == "__main__":
    run(main)
