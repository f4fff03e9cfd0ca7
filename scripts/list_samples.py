"""Print the samples: chapter of the guide, what they need, how they stand, title.

python scripts/list_samples.py config/samples/*.yaml --results-dir results
"""

from pathlib import Path

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run
from trtflow.reporting.terminal import needs_of, show, status_of

HEADING = ("sample", "chapter", "status", "needs", "title")
LAST = 99  # samples of the user's own have no chapter


def main() -> None:
    """Read the command line and print one line a sample."""
    arguments = parser(__doc__)
    arguments.add_argument("samples", nargs="+", type=Path, help="config/samples/*.yaml")
    arguments.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of <sample>_report.json")
    options = arguments.parse_args()

    samples = [yaml.safe_load(path.read_text()) for path in options.samples]
    rows = []
    for sample in sorted(samples, key=lambda sample: sample.get("chapter", LAST)):
        chapter = str(sample["chapter"]) if "chapter" in sample else "your own"
        status = status_of(options.results_dir / f"{sample['name']}_report.json")
        rows.append([sample["name"], chapter, status, needs_of(sample), sample["title"]])
    show(HEADING, rows, HEADING.index("status"))


if __name__ == "__main__":
    run(main)
