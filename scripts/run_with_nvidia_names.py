"""Run a Python script that was written for NVIDIA's packages as it is: `trtflow run` from a checkout.

python scripts/run_with_nvidia_names.py [--plugins FILE.py] model.py --its-own options
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.nvidia.command import add_arguments, main

if __name__ == "__main__":
    arguments = parser(__doc__)
    add_arguments(arguments)
    run(lambda: main(arguments.parse_args()))
