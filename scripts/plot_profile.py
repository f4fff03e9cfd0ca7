"""Plot the costliest layers of one engine or of several.

python scripts/plot_profile.py --out results/ssd/figures/profile.png \\
    results/ssd/profile.fp32.json results/ssd/profile.int8.json
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import read_json, write_text
from trtflow.reporting.figures import profile_table, write_profile


def main() -> None:
    """Read the command line and plot."""
    arguments = parser(__doc__)
    arguments.add_argument("profiles", type=Path, nargs="+", help="JSON files of profile.py")
    arguments.add_argument("--count", type=int, default=20, help="number of layers")
    arguments.add_argument("--table-out", type=Path, help="text file for the times of all layers")
    arguments.add_argument("--out", type=Path, required=True, help="PNG file to write")
    options = arguments.parse_args()
    profiles = [read_json(path) for path in options.profiles]
    write_profile(options.out, profiles, options.count)
    if options.table_out:
        write_text(options.table_out, profile_table(profiles))


if __name__ == "__main__":
    run(main)
