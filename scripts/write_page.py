"""Write the page of a sample: gates, pictures, layer times, calibration ranges, provenance.

The page is one file and asks for no other.

python scripts/write_page.py results/ssd_report.json --out results/ssd/index.html
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_text
from trtflow.reporting.page.pages import sample_page
from trtflow.reporting.page.results import read_result


def main() -> None:
    """Read the command line and write the page."""
    arguments = parser(__doc__)
    arguments.add_argument("report", type=Path, help="<run>/<sample>_report.json; the sample's folder lies beside it")
    arguments.add_argument("--index", default="../index.html", help="address of the page of all samples to link to")
    arguments.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = arguments.parse_args()

    write_text(options.out, sample_page(read_result(options.report), options.index))


if __name__ == "__main__":
    run(main)
