"""Make the text of a character model: train.txt, val.txt (its end), and the number of each character.

python scripts/make_text.py --train 450000 --val 5000 --out-dir results/char_rnn/data \\
    --vocabulary results/char_rnn/export/vocab.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.characters import number_characters, read_vocabulary, topics_text, write_splits, write_vocabulary


def main() -> None:
    """Read the command line, write both texts and the vocabulary."""
    arguments = parser(__doc__)
    arguments.add_argument("--text", type=Path, help="text to split; otherwise that of Python's interactive help")
    arguments.add_argument("--known-vocabulary", type=Path, help="numbers to keep; otherwise they are dealt out")
    arguments.add_argument("--train", type=int, help="characters to train on; otherwise all but those of val")
    arguments.add_argument("--val", type=int, required=True, help="characters to score on, from the end")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder of the texts to write")
    arguments.add_argument("--vocabulary", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    text = options.text.read_text(encoding="utf-8") if options.text else topics_text()
    text = write_splits(options.out_dir, text, options.train, options.val)
    known = read_vocabulary(options.known_vocabulary) if options.known_vocabulary else number_characters(text)
    write_vocabulary(options.vocabulary, known)


if __name__ == "__main__":
    run(main)
