"""Draw which class an engine takes for which, and write the five likeliest classes of each item as text.

python scripts/draw_own.py --sample mine --predictions results/mine/predictions.int8.npz --data mine/val \\
    --out results/mine/figures/confusion.png --text-out results/mine/figures/top5.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.pictures import top5_text, write_confusion_figure
from trtflow.samples import load as load_sample

LISTED = 100


def main() -> None:
    """Read the command line, write the text, draw the figure."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="held-out data with their labels")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    sample = load_sample(options.sample)
    probabilities, names = read_arrays(options.predictions, "probabilities", "images")
    labels, listed = sample.read_truth(options.data), slice(LISTED)
    write_text(options.text_out, top5_text(names[listed], probabilities[listed], labels[listed], sample.classes))
    write_confusion_figure(options.out, probabilities, labels, sample.classes)


if __name__ == "__main__":
    run(main)
