"""Show the gates of reports; fail, naming each, if one failed.

python scripts/check_reports.py results/*_report.json
"""

import sys
from pathlib import Path

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.reporting.report import read_report
from trtflow.reporting.terminal import GATES, gate_lines, sample_lines, show

SCREEN = 30  # lines: of more gates a closing table shows how many passed, and those that failed


def main() -> None:
    """Read the command line, show all gates, exit with 1 if one failed."""
    arguments = parser(__doc__)
    arguments.add_argument("reports", type=Path, nargs="+", help="reports of samples")
    arguments.add_argument(
        "--closing", action="store_true", help="show what fits on a screen, and do not fail: for the end of a run"
    )
    options = arguments.parse_args()

    reports = [read_report(path) for path in options.reports]
    gates = gate_lines(reports)
    show(GATES, sample_lines(reports) if options.closing and len(gates) > SCREEN else gates)
    for report in reports:
        for way in report.get("ways_out", []):
            print(f"{report['sample']}: {way}")
    if options.closing:
        return
    failed = [row for row in gates if row[-1] == "failed"]
    for sample, gate, value, op, limit, _ in failed:
        print(f"failed: {sample}: {gate} is {value}, which is not {op} {limit}", file=sys.stderr)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
