"""Draw the first held-out pictures with what an engine says of each, and write the five likeliest classes as text.

python scripts/draw_pictures.py --predictions results/googlenet/predictions.fp16.npz --data results/googlenet/data \\
    --out results/googlenet/figures/pictures.png --text-out results/googlenet/figures/top5.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digit_pictures import read_classes, read_images, read_labels
from trtflow.datasets.images import read_image
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.pictures import top5_text, write_pictures_figure


def main() -> None:
    """Read the command line, print and write the text, draw the pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the pictures")
    arguments.add_argument("--split", default="val", help="pictures that the predictions are of")
    arguments.add_argument("--count", type=int, default=24, help="pictures to draw, at most")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    (probabilities,) = read_arrays(options.predictions, "probabilities")
    paths, names = read_images(options.data, options.split)
    labels = read_labels(options.data, options.split)
    classes = read_classes(options.data)
    shown = slice(options.count)
    text = top5_text(names[shown], probabilities[shown], labels[shown], classes)
    print(text, end="")
    write_text(options.text_out, text)
    images = [read_image(path) for path in paths[shown]]
    write_pictures_figure(options.out, images, probabilities[shown], labels[shown], classes)


if __name__ == "__main__":
    run(main)
