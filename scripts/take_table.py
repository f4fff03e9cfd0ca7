"""Take a calibration table that is there already, or a file of dynamic ranges, in place of a calibration.

python scripts/take_table.py CalibrationTable.old --algorithm entropy2 --backend-file results/backend.json --foreign \\
    --out results/ssd/calibration/CalibrationTablessd
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.calibration.calibrators import ALGORITHMS, BASES
from trtflow.calibration.tables import take_table
from trtflow.cli import parser, run
from trtflow.formats.calibration_table import table_version, write_table
from trtflow.runtime.backend import read_backend


def main() -> None:
    """Read the command line; write the table that the engine's builder gets."""
    arguments = parser(__doc__)
    arguments.add_argument("table", type=Path, help="calibration table, or dynamic ranges as sampleINT8API reads them")
    arguments.add_argument("--algorithm", choices=ALGORITHMS, required=True, help="algorithm that is to have made it")
    arguments.add_argument("--foreign", action="store_true", help="take one of another version or algorithm as it is")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="calibration table to write")
    options = arguments.parse_args()
    version = table_version(read_backend(options.backend_file)["version"])
    _, name = BASES[options.algorithm]
    write_table(options.out, take_table(options.table, version, name, foreign=options.foreign))


if __name__ == "__main__":
    run(main)
