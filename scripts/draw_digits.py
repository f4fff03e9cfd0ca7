"""Draw ten digits with what the engine says of each: as text, as the guide's samples print them, and as a picture.

python scripts/draw_digits.py --predictions results/mnist/predictions.fp32.npz --data results/mnist/data \\
    --out results/mnist/figures/digits.png --text-out results/mnist/figures/digits.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.datasets.digits import first_of_each, read_images, read_labels
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_text
from trtflow.reporting.digits import rendering, write_digits_figure


def main() -> None:
    """Read the command line, print and write the text, draw the picture."""
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of infer.py")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the digits")
    arguments.add_argument("--split", default="val", help="digits that the predictions are of")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    (probabilities,) = read_arrays(options.predictions, "probabilities")
    ten = first_of_each(read_labels(options.data, options.split))
    images, guesses = read_images(options.data, options.split)[0][ten], probabilities[ten]
    text = "\n".join(rendering(image, guess) for image, guess in zip(images, guesses, strict=True))
    print(text)
    write_text(options.text_out, text)
    write_digits_figure(options.out, images, guesses)


if __name__ == "__main__":
    run(main)
