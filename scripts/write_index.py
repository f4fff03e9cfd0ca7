"""Write the page of all samples: gates, metrics and latency at a glance, with pictures.

The page is one file and asks for no other.

python scripts/write_index.py results/*_report.json --out results/index.html
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_text
from trtflow.reporting.page.pages import index_page
from trtflow.reporting.page.results import in_order, read_result


def main() -> None:
    """Read the command line and write the page; samples have links where their pages lie beside it."""
    arguments = parser(__doc__)
    arguments.add_argument("reports", type=Path, nargs="+", help="<run>/<sample>_report.json")
    arguments.add_argument("--comparison", help="address of a page of two runs to link to")
    arguments.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = arguments.parse_args()

    results = in_order([read_result(path) for path in options.reports])
    linked = {name for name in results if (options.out.parent / name / "index.html").exists()}
    write_text(options.out, index_page(results, linked, options.comparison))


if __name__ == "__main__":
    run(main)
