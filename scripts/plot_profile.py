"""Plot the costliest layers of one engine or of several.

python scripts/plot_profile.py --out results/ssd/figures/profile.png \\
    results/ssd/profile.fp32.json results/ssd/profile.int8.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.reporting.figures import write_profile
from trtflow.reporting.report import read_json


def main() -> None:
    """Read the command line and plot."""
    arguments = parser(__doc__)
    arguments.add_argument("profiles", type=Path, nargs="+", help="JSON files of profile_engine.py")
    arguments.add_argument("--count", type=int, default=20, help="number of layers")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    options = arguments.parse_args()
    write_profile(options.out, [read_json(path) for path in options.profiles], options.count)


if __name__ == "__main__":
    run(main)
