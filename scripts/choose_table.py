"""Take, of several calibration tables, the one whose INT8 engine agrees most with float32, on what calibrates.

python scripts/choose_table.py results/mine/calibration/entropy2/CalibrationTablemine \\
    results/mine/calibration/minmax/CalibrationTablemine --sample mine --export-dir results/mine/export \\
    --batch-dir results/mine/calibration/batches --metric snr_db --backend-file results/backend.json \\
    --out results/mine/calibration/CalibrationTablemine
"""

from pathlib import Path

import _path  # noqa: F401

from trtflow.calibration.calibrators import algorithm_of
from trtflow.calibration.streams import find_batches
from trtflow.cli import parser
from trtflow.formats import UserError
from trtflow.formats.batch_file import read_batch
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_bytes
from trtflow.runtime.backend import open_backend
from trtflow.runtime.launch import run_on_backend
from trtflow.tasks.own import agreement_of
from trtflow.trials import Trial


def main() -> None:
    """Read the command line, try each table, say how far each agrees, and keep the best; of equals the first."""
    arguments = parser(__doc__)
    arguments.add_argument("tables", type=Path, nargs="+", help="calibration tables")
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ...")
    arguments.add_argument("--batches", type=int, help="number of batch files to use; all by default")
    arguments.add_argument("--metric", default="snr_db", help="agreement with float32 that decides")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="where the chosen table goes")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt, _ = open_backend(options.backend_file)
    batches = [read_batch(path) for path in find_batches(options.batch_dir, options.batches)]
    trial = Trial(trt, options.sample, options.export_dir, batches)
    found = {table: agreement_by(trial, table, options.metric) for table in options.tables}
    chosen = max(found, key=lambda table: found[table])  # the first of equals
    for table, agreement in found.items():
        print(f"{algorithm_of(table)}: {options.metric} {agreement:.6g}{', taken' if table == chosen else ''}")
    write_bytes(options.out, chosen.read_bytes())


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
