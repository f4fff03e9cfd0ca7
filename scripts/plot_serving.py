"""Plot queries a second against processes, with and without MPS, and say which to take.

python scripts/plot_serving.py --serving results/movielens_mps/serving.fp32.json \\
    --out results/movielens_mps/figures/serving.png --text-out results/movielens_mps/figures/serving.txt
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import read_json, write_text
from trtflow.reporting.serving import advice, write_serving


def main() -> None:
    """Read the command line, draw the plot and write the advice."""
    arguments = parser(__doc__)
    arguments.add_argument("--serving", type=Path, required=True, help="JSON file of measurements")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    arguments.add_argument("--text-out", type=Path, required=True, help="text file to write")
    options = arguments.parse_args()

    rows = read_json(options.serving)
    write_text(options.text_out, advice(rows))
    write_serving(options.out, rows)


if __name__ == "__main__":
    run(main)
