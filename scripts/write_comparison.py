"""Write a page of two runs, or of two backends, side by side.

The page is one file and asks for no other.

python scripts/write_comparison.py docs/results/cpu docs/results/h200 --names CPU H200 --out comparison.html
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats import UserError
from trtflow.formats.files import write_text
from trtflow.reporting.page.differences import Run
from trtflow.reporting.page.pages import comparison_page
from trtflow.reporting.page.results import read_run


def main() -> None:
    """Read the command line and write the page."""
    arguments = parser(__doc__)
    arguments.add_argument("runs", type=Path, nargs=2, metavar="RUN", help="folder of <sample>_report.json")
    arguments.add_argument("--names", nargs=2, metavar="NAME", help="what the page calls them; their folders' names")
    arguments.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = arguments.parse_args()

    names = options.names or [folder.resolve().name for folder in options.runs]
    if names[0] == names[1]:
        raise UserError(f"both runs are called {names[0]!r}. Give them names with --names.")
    first, second = (Run(name, read_run(folder)) for name, folder in zip(names, options.runs, strict=True))
    write_text(options.out, comparison_page(first, second))


if __name__ == "__main__":
    run(main)
