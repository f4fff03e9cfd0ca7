"""Write the numbers of a report as CSV; the page for people is that of scripts/write_page.py.

python scripts/write_tables.py results/ssd_report.json \\
    --precisions results/ssd/tables/precisions.csv --gates results/ssd/tables/gates.csv
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import write_text
from trtflow.reporting.report import read_report
from trtflow.reporting.tables import gate_rows, precision_rows, to_csv


def main() -> None:
    """Read the command line and write the tables."""
    arguments = parser(__doc__)
    arguments.add_argument("report", type=Path, help="report of a sample")
    arguments.add_argument("--precisions", type=Path, required=True, help="CSV file of the precisions to write")
    arguments.add_argument("--gates", type=Path, required=True, help="CSV file of the gates to write")
    options = arguments.parse_args()

    report = read_report(options.report)
    write_text(options.precisions, to_csv(precision_rows(report)))
    write_text(options.gates, to_csv(gate_rows(report)))


if __name__ == "__main__":
    run(main)
