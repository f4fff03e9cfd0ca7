"""Write the weights of a TensorFlow checkpoint as .wts2, as NVIDIA's dumpTFWts.py does (guide §7.2.2).

python scripts/dump_tf_weights.py -m results/mlp/model/network -o results/mlp/export/model.wts2
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.converters.checkpoint import read_checkpoint
from trtflow.formats.wts import write_wts2


def main() -> None:
    """Read the command line and the checkpoint, and write its weights."""
    arguments = parser(__doc__)
    arguments.add_argument("-m", "--model", type=Path, required=True, help="prefix of the checkpoint's files")
    arguments.add_argument("-o", "--output", type=Path, required=True, help=".wts2 file to write")
    arguments.add_argument("--keep-optimizer", action="store_true", help="keep what only a training needs")
    options = arguments.parse_args()

    blobs = read_checkpoint(options.model, options.keep_optimizer)
    write_wts2(options.output, blobs)
    print("\n".join(f"{name} {array.shape}" for name, array in blobs.items()))


if __name__ == "__main__":
    run(main)
