"""Make German sentences and their English translations: numbers, dates and times, tokenised and cut by BPE.

python scripts/make_translation.py --train 20000 --val 500 --merges 150 --seed 0 --out-dir results/nmt/data \\
    --vocabulary-dir results/nmt/export
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.translation import write_pairs


def main() -> None:
    """Read the command line, make the sentences and the vocabularies, and write them."""
    arguments = parser(__doc__)
    arguments.add_argument("--train", type=int, default=20000, help="sentences to train on")
    arguments.add_argument("--val", type=int, default=500, help="sentences to score on")
    arguments.add_argument("--merges", type=int, default=150, help="merges of byte-pair encoding, for each language")
    arguments.add_argument("--seed", type=int, default=0, help="of all sentences")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder for train.de, train.en, val.de, val.en")
    arguments.add_argument("--vocabulary-dir", type=Path, required=True, help="folder for vocab.de and vocab.en")
    options = arguments.parse_args()
    splits = {"train": options.train, "val": options.val}
    write_pairs(options.out_dir, options.vocabulary_dir, options.merges, options.seed, **splits)


if __name__ == "__main__":
    run(main)
