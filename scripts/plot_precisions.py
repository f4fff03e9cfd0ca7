"""Plot quality, latency and size of a sample's engines side by side.

python scripts/plot_precisions.py --results-dir results/ssd --precisions fp32 fp16 int8 --metric map \\
    --out results/ssd/figures/precisions.png
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.reporting.figures import write_precisions
from trtflow.reporting.report import read_precision


def main() -> None:
    """Read the command line, collect the numbers and plot them."""
    arguments = parser(__doc__)
    arguments.add_argument("--results-dir", type=Path, required=True, help="folder of metrics, latency and engines")
    arguments.add_argument(
        "--precisions", nargs="+", required=True, help="precisions to plot; latency relates to the first"
    )
    arguments.add_argument("--metric", required=True, help="which metric to plot")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    options = arguments.parse_args()

    found = {precision: read_precision(options.results_dir, precision) for precision in options.precisions}
    write_precisions(options.out, found, options.metric)


if __name__ == "__main__":
    run(main)
