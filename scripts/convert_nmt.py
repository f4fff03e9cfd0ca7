"""Write the seven weight files of sampleNMT from a checkpoint, and what its engines are built for (guide §11.5).

python scripts/convert_nmt.py --checkpoint results/nmt/model/translate.ckpt --beam 5 --max-input-sequence-length 150 \\
    --out-dir results/nmt/export
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no notes on CPU instructions
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.converters.checkpoint import read_checkpoint
from trtflow.converters.nmt_checkpoint import convert
from trtflow.formats.files import write_json


def main() -> None:
    """Read the command line and the checkpoint, and write its weights."""
    arguments = parser(__doc__)
    arguments.add_argument("--checkpoint", type=Path, required=True, help="prefix of the checkpoint's files")
    arguments.add_argument("--beam", type=int, default=5, help="beam width")
    arguments.add_argument("--max-input-sequence-length", type=int, default=150, help="most words of a sentence")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write to")
    options = arguments.parse_args()

    convert(read_checkpoint(options.checkpoint), options.out_dir, options.checkpoint)
    settings = {"beam": options.beam, "max_input_sequence_length": options.max_input_sequence_length}
    write_json(options.out_dir / "inference.json", settings)


if __name__ == "__main__":
    run(main)
