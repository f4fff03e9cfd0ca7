"""Print the samples: chapter of the guide, what they need, how they stand, title.

A sample is its file, for data: mini, or what the workflow makes of it, as JSON.

python scripts/list_samples.py config/samples/*.yaml --results-dir results
"""

import json
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run
from trtflow.reporting.terminal import needs_of, show, status_of

HEADING = ("sample", "chapter", "status", "needs", "title")
LAST = 99  # samples of the user's own have no chapter


def read_sample(text: str) -> dict[str, Any]:
    """Return a sample by its file, or by its content."""
    return dict(json.loads(text) if text.startswith("{") else yaml.safe_load(Path(text).read_text()))


def main() -> None:
    """Read the command line and print one line a sample."""
    arguments = parser(__doc__)
    arguments.add_argument("samples", nargs="+", type=read_sample, help="config/samples/*.yaml, or JSON")
    arguments.add_argument("--data", choices=("mini", "full"), default="mini", help="data set whose needs are told")
    arguments.add_argument("--results-dir", type=Path, default=Path("results"), help="folder of <sample>_report.json")
    options = arguments.parse_args()

    rows = []
    for sample in sorted(options.samples, key=lambda sample: sample.get("chapter", LAST)):
        chapter = str(sample["chapter"]) if "chapter" in sample else "your own"
        status = status_of(options.results_dir / f"{sample['name']}_report.json")
        rows.append([sample["name"], chapter, status, needs_of(sample, options.data), sample["title"]])
    show(HEADING, rows, HEADING.index("status"))


if __name__ == "__main__":
    run(main)
