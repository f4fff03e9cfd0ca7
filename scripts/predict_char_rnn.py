"""Run the character model in TensorFlow alone: what it foresees and what it writes, to compare engines with.

python scripts/predict_char_rnn.py --checkpoint results/char_rnn/model/network \\
    --vocabulary results/char_rnn/export/vocab.json --text results/char_rnn/data/val.txt --seeds "The " --length 100 \\
    --out results/char_rnn/model/predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.characters import encode, read_vocabulary
from trtflow.formats.arrays import write_arrays
from trtflow.families.char_rnn.network import generate, load_checkpoint, score
from trtflow.families.keras_digits.network import prepare_tensorflow


def main() -> None:
    """Read the command line, the network and the text; score, write on from each seed, and write both."""
    arguments = parser(__doc__)
    arguments.add_argument("--checkpoint", type=Path, required=True, help="prefix of the checkpoint's files")
    arguments.add_argument("--vocabulary", type=Path, required=True, help="JSON file of make_text.py")
    arguments.add_argument("--text", type=Path, required=True, help="text to score")
    arguments.add_argument("--seeds", nargs="+", required=True, help="beginnings to write on from")
    arguments.add_argument("--length", type=int, default=100, help="characters to write behind each")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    prepare_tensorflow(seed=0, threads=1)
    vocabulary = read_vocabulary(options.vocabulary)
    text = encode(options.text.read_text(encoding="utf-8"), vocabulary, options.text)
    seeds = [encode(seed, vocabulary, f"seed {seed!r}") for seed in options.seeds]
    weights = load_checkpoint(options.checkpoint, len(vocabulary))
    generated = np.stack([generate(weights, seed.tolist(), options.length) for seed in seeds])
    write_arrays(options.out, {"log_probabilities": score(weights, text), "generated": generated})


if __name__ == "__main__":
    run(main)
