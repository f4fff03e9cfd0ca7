"""Compare the BLEU of engines with that of TensorFlow's own translations.

python scripts/compare_translation.py --framework results/nmt/model/translations.txt \\
    --references results/nmt/data/val.en --out results/nmt/agreement.json fp32=results/nmt/translations.fp32.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences
from trtflow.formats.files import write_json
from trtflow.metrics.bleu import bleu_scores


def main() -> None:
    """Read the command line, compare and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--framework", type=Path, help="text file of predict_nmt.py; without it nothing is compared")
    arguments.add_argument("--references", type=Path, required=True, help="right translations")
    arguments.add_argument("--max-inference-samples", type=int, default=-1, help="sentences; negative: all")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("translations", nargs="+", metavar="PRECISION=FILE", help="text files of translate.py")
    options = arguments.parse_args()

    if options.framework is None:
        write_json(options.out, {})
        return
    references = [join(line) for line in read_sentences(options.references, options.max_inference_samples)]
    theirs = options.framework.read_text(encoding="utf-8").splitlines()
    wanted = bleu_scores(theirs, references)["bleu"]
    found = {}
    for item in options.translations:
        name, path = item.split("=", 1)
        ours = Path(path).read_text(encoding="utf-8").splitlines()
        difference = abs(bleu_scores(ours, references)["bleu"] - wanted)
        same = sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(theirs)
        found[name] = {"bleu_difference": difference, "sentences_agreement": same}
    write_json(options.out, found)


if __name__ == "__main__":
    run(main)
