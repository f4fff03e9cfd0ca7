"""Plot the loss of a training.

python scripts/plot_training.py results/ssd/model/training.json --out results/ssd/figures/training.png
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import read_json
from trtflow.reporting.figures import write_training


def main() -> None:
    """Read the command line and plot."""
    arguments = parser(__doc__)
    arguments.add_argument("training", type=Path, help="JSON file of the training script")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    options = arguments.parse_args()
    write_training(options.out, read_json(options.training))


if __name__ == "__main__":
    run(main)
