"""Compare what engines of a character model foresaw and wrote with what TensorFlow did.

python scripts/compare_text.py --framework results/char_rnn/model/predictions.npz \\
    --out results/char_rnn/agreement.json fp32=results/char_rnn/predictions.fp32.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.files import write_json
from trtflow.metrics.perplexity import perplexity


def compare(predictions: Path, framework: Path) -> dict[str, float]:
    """Return the relative difference of the perplexities, and the share of generated characters that are the same."""
    names = ("log_probabilities", "generated")
    (ours, written), (theirs, wanted) = (read_arrays(path, *names) for path in (predictions, framework))
    if ours.shape != theirs.shape or written.shape != wanted.shape:
        raise FormatError(predictions, f"not of the same text and seeds as {framework}", "Make both again.")
    return {
        "perplexity_difference": abs(perplexity(ours) / perplexity(theirs) - 1),
        "generated_agreement": float(np.mean(written == wanted)),
    }


def main() -> None:
    """Read the command line, compare and write."""
    arguments = parser(__doc__)
    arguments.add_argument("--framework", type=Path, required=True, help="npz file of predict_char_rnn.py")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments.add_argument("predictions", nargs="+", metavar="PRECISION=FILE", help="npz files of generate.py")
    options = arguments.parse_args()

    files = dict(item.split("=", 1) for item in options.predictions)
    write_json(options.out, {name: compare(Path(path), options.framework) for name, path in files.items()})


if __name__ == "__main__":
    run(main)
