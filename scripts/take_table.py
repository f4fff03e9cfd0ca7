"""Take a calibration table that is there already, or a file of dynamic ranges, in place of a calibration; or the best.

python scripts/take_table.py CalibrationTable.old --algorithm entropy2 --backend-file results/backend.json --foreign \\
    --out results/ssd/calibration/CalibrationTablessd

Of several the one whose INT8 engine agrees most with float32, on what calibrates:

python scripts/take_table.py results/mine/calibration/entropy2/CalibrationTablemine \\
    results/mine/calibration/minmax/CalibrationTablemine --sample mine --export-dir results/mine/export \\
    --batch-dir results/mine/calibration/batches --metric snr_db --backend-file results/backend.json \\
    --out results/mine/calibration/CalibrationTablemine
"""

import argparse
from pathlib import Path

import _path  # noqa: F401

from trtflow.calibration.calibrators import ALGORITHMS, BASES, algorithm_of
from trtflow.calibration.tables import take_table
from trtflow.cli import parser
from trtflow.formats import UserError
from trtflow.formats.calibration_table import CalibrationTable, read_table, table_version, write_table
from trtflow.runtime.backend import read_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.tasks.own import agreement_of
from trtflow.trials import Trial, trial_of


def main() -> None:
    """Read the command line; write the table that the engine's builder gets."""
    arguments = parser(__doc__)
    text = "calibration tables, or dynamic ranges as sampleINT8API reads them"
    arguments.add_argument("tables", type=Path, nargs="+", help=text)
    arguments.add_argument("--algorithm", choices=ALGORITHMS, help="of one table: algorithm that is to have made it")
    arguments.add_argument("--foreign", action="store_true", help="take one of another version or algorithm as it is")
    arguments.add_argument("--sample", help="of several tables: name of the sample")
    arguments.add_argument("--export-dir", type=Path, help="of several tables: folder of the exported model")
    arguments.add_argument("--batch-dir", type=Path, help="of several tables: folder of batch0, batch1, ...")
    arguments.add_argument("--batches", type=int, help="number of batch files to use; all by default")
    arguments.add_argument("--metric", default="snr_db", help="agreement with float32 that decides")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="calibration table to write")
    options = arguments.parse_args()
    needed = ("sample", "export_dir", "batch_dir") if len(options.tables) > 1 else ("algorithm",)
    if lacking := [f"--{key.replace('_', '-')}" for key in needed if getattr(options, key) is None]:
        arguments.error(f"{len(options.tables)} tables need {', '.join(lacking)}")
    write_table(options.out, best_table(options) if len(options.tables) > 1 else the_table(options))


def the_table(options: argparse.Namespace) -> CalibrationTable:
    """Return the one table as this version of TensorRT can have it."""
    version = table_version(read_backend(options.backend_file)["version"])
    _, name = BASES[options.algorithm]
    return take_table(options.tables[0], version, name, foreign=options.foreign)


def best_table(options: argparse.Namespace) -> CalibrationTable:
    """Return the table whose engine agrees most with float32, of equals the first; say how far each does."""
    trial = trial_of(options)
    found = {table: agreement_by(trial, table, options.metric) for table in options.tables}
    best = max(found, key=lambda table: found[table])
    for table, agreement in found.items():
        print(f"{algorithm_of(table)}: {options.metric} {agreement:.6g}{', taken' if table == best else ''}")
    return read_table(best)


def agreement_by(trial: Trial, table: Path, metric: str) -> float:
    """Return how far INT8 with a table agrees with float32.

    Raises:
        UserError: the sample's task has no such agreement.
    """
    found = agreement_of(trial.int8(table), trial.exact)
    if metric not in found:
        raise UserError(f"--metric: {metric!r} is no agreement of this task. Known: {', '.join(found)}.")
    return found[metric]


if __name__ == "__main__":
    run_on_backend(main)
