"""Show the gates of reports; fail, naming each, if one failed.

python scripts/check_reports.py results/*_report.json
"""

import sys
from pathlib import Path

import _path  # noqa: F401
from rich.console import Console
from rich.table import Table

from trtflow.cli import parser, run
from trtflow.reporting.report import read_report
from trtflow.reporting.tables import formatted, gate_rows

HEADING = ("sample", "gate", "value", "", "limit", "result")
COLOURS = {"passed": "green", "failed": "bold red"}


def show(rows: list[list[str]]) -> None:
    """Print a table: in colour on a terminal, as plain columns elsewhere."""
    if sys.stdout.isatty():
        table = Table(*HEADING)
        for row in rows:
            table.add_row(*row, style=COLOURS[row[-1]])
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(HEADING, *rows, strict=True)]
    for row in [list(HEADING), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> None:
    """Read the command line, show all gates, exit with 1 if one failed."""
    arguments = parser(__doc__)
    arguments.add_argument("reports", type=Path, nargs="+", help="reports of samples")
    options = arguments.parse_args()

    reports = [read_report(path) for path in options.reports]
    rows = [[report["sample"], *map(formatted, row)] for report in reports for row in gate_rows(report)[1:]]
    show(rows)
    failed = [row for row in rows if row[-1] == "failed"]
    for sample, gate, value, op, limit, _ in failed:
        print(f"failed: {sample}: {gate} is {value}, which is not {op} {limit}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
