"""Convert a frozen TensorFlow graph to UFF, with the options of NVIDIA's convert-to-uff.

python scripts/convert_to_uff.py results/uff_mnist/model/frozen.pb -O out -o results/uff_mnist/export/model.uff
"""

import _path  # noqa: F401

from trtflow.cli import run
from trtflow.converters.uff.command import main

if __name__ == "__main__":
    run(lambda: main(__doc__))
