"""Run the engine of a character model: how it foresees a text, and what it writes.

python scripts/generate.py --sample char_rnn --plan results/char_rnn/engine.fp32.plan \\
    --backend-file results/backend.json --export-dir results/char_rnn/export --text results/char_rnn/data/val.txt \\
    --seeds "The " --length 100 --out results/char_rnn/predictions.fp32.npz
"""

from contextlib import closing
from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser
from trtflow.datasets.characters import decode, encode, read_vocabulary
from trtflow.formats.arrays import write_arrays
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.session import load_engine
from trtflow.samples import load as load_sample


def main() -> None:
    """Read the command line; score the text, write on from each seed, print and write what came of it."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", default="char_rnn", help="name of the sample")
    arguments.add_argument("--plan", type=Path, required=True, help="engine")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder with model.wts2 and vocab.json")
    arguments.add_argument("--text", type=Path, required=True, help="text to score")
    arguments.add_argument("--seeds", nargs="+", required=True, help="beginnings to write on from")
    arguments.add_argument("--length", type=int, default=100, help="characters to write behind each")
    arguments.add_argument("--out", type=Path, required=True, help="npz file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    vocabulary = read_vocabulary(options.export_dir / "vocab.json")
    text = encode(options.text.read_text(encoding="utf-8"), vocabulary, options.text)
    seeds = [encode(seed, vocabulary, f"seed {seed!r}") for seed in options.seeds]
    trt, engine = load_engine(options.plan, read_backend(options.backend_file))
    with closing(sample.make_loop(trt, engine, options.export_dir)) as loop:
        generated = np.array([sample.generate(loop, seed, options.length) for seed in seeds], np.int32)
        chances = sample.score(loop, text)
    for seed, found in zip(options.seeds, generated, strict=True):
        print(f"{seed}|{decode(found, vocabulary)}")
    write_arrays(options.out, {"log_probabilities": chances, "generated": generated})


if __name__ == "__main__":
    run_on_backend(main)
