"""Draw what the words of a translation looked at and the BLEU of each precision; write the first translations.

python scripts/draw_translation.py --attention results/nmt/attention.fp32.npz --source results/nmt/data/val.de \\
    --references results/nmt/data/val.en --translations results/nmt/translations.fp32.txt \\
    --out results/nmt/figures/translation.png --text-out results/nmt/figures/translation.txt \\
    fp32=results/nmt/metrics.fp32.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.bpe import join
from trtflow.datasets.translation import read_sentences
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.report import read_json
from trtflow.reporting.translation import rendering, write_translation_figure


def main() -> None:
    """Read the command line, draw the picture, write the text."""
    arguments = parser(__doc__)
    arguments.add_argument("--attention", type=Path, required=True, help="npz file of translate.py")
    arguments.add_argument("--source", type=Path, required=True, help="sentences")
    arguments.add_argument("--references", type=Path, required=True, help="right translations")
    arguments.add_argument("--translations", type=Path, required=True, help="text file of translate.py")
    arguments.add_argument("--count", type=int, default=10, help="translations to write")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    arguments.add_argument("metrics", nargs="+", metavar="PRECISION=FILE", help="JSON files of score_translation.py")
    options = arguments.parse_args()

    weights, source, target = read_arrays(options.attention, "weights", "source", "target")
    details = {}
    for item in options.metrics:
        name, path = item.split("=", 1)
        scores = read_json(Path(path))
        details[name] = {"bleu": scores["metrics"]["bleu"], **scores["details"]}
    write_translation_figure(
        options.out, weights, [str(word) for word in source], [str(word) for word in target], details
    )
    translations = options.translations.read_text(encoding="utf-8").splitlines()[: options.count]
    sources, references = (
        [join(line) for line in read_sentences(path, len(translations))]
        for path in (options.source, options.references)
    )
    write_text(options.text_out, rendering(sources, translations, references))


if __name__ == "__main__":
    run(main)
