"""Convert a frozen TensorFlow graph to UFF, with the options of NVIDIA's convert-to-uff.

python -m trtflow.converters.uff frozen.pb -O out -o model.uff
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # constants computed ahead are the same on every processor

from trtflow.cli import run
from trtflow.converters.uff.command import main as convert


def main() -> None:
    """Run the command, as convert-to-uff does once the package is installed."""
    run(lambda: convert(__doc__ or ""))


if __name__ == "__main__":
    main()
