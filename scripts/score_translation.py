"""Score translations by BLEU, and greedy ones beside those of the beam search.

python scripts/score_translation.py --translations results/nmt/translations.fp32.txt \\
    --greedy results/nmt/greedy.fp32.txt --references results/nmt/data/val.en --out results/nmt/metrics.fp32.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences
from trtflow.formats.files import write_json
from trtflow.metrics.bleu import bleu_scores


def main() -> None:
    """Read the command line, score and write the metrics."""
    arguments = parser(__doc__)
    arguments.add_argument("--translations", type=Path, required=True, help="text file of translate.py")
    arguments.add_argument("--greedy", type=Path, required=True, help="the same, its greedy file")
    arguments.add_argument("--references", type=Path, required=True, help="right translations")
    arguments.add_argument("--max-inference-samples", type=int, default=-1, help="sentences; negative: all")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    references = [join(line) for line in read_sentences(options.references, options.max_inference_samples)]
    beam, greedy = (
        bleu_scores(path.read_text(encoding="utf-8").splitlines(), references)
        for path in (options.translations, options.greedy)
    )
    score = beam.pop("bleu")
    metrics = {"bleu": score, "greedy_bleu": greedy["bleu"], "beam_gain": score - greedy["bleu"]}
    write_json(options.out, {"metrics": metrics, "details": beam})


if __name__ == "__main__":
    run(main)
