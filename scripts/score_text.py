"""Score what the engine of a character model foresaw and wrote.

python scripts/score_text.py --predictions results/char_rnn/predictions.fp32.npz \\
    --vocabulary results/char_rnn/export/vocab.json --out results/char_rnn/metrics.fp32.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.characters import decode, read_vocabulary
from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.perplexity import perplexity


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of generate.py")
    arguments.add_argument("--vocabulary", type=Path, required=True, help="JSON file of make_text.py")
    arguments.add_argument("--published", nargs="*", default=[], help="what is known to follow each seed")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    chances, generated = read_arrays(options.predictions, "log_probabilities", "generated")
    metrics = {"perplexity": perplexity(chances)}
    if options.published:
        vocabulary = read_vocabulary(options.vocabulary)
        texts = [decode(row, vocabulary) for row in generated]
        if len(texts) != len(options.published):
            raise UserError(f"{len(options.published)} published texts for {len(texts)} seeds: give one for each.")
        same = sum(found == wanted for found, wanted in zip(texts, options.published, strict=True))
        metrics["published_share"] = same / len(texts)
    write_json(options.out, {"metrics": metrics})


if __name__ == "__main__":
    run(main)
