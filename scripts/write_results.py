"""Write docs/results.md: all samples on a CPU and on a GPU, side by side, from the reports of two runs.

python scripts/write_results.py --cpu docs/results/cpu --gpu docs/results/h200 --out docs/results.md
python scripts/write_results.py --bench docs/results/bench --page docs/performance.md --out docs/performance.md

The second command draws the tables of docs/performance.md anew, from what `make bench` wrote.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _path  # noqa: F401

from trtflow.cli import parser, run
from trtflow.formats.files import read_json, write_text
from trtflow.reporting.benchmarks import fill_tables, read_benchmarks
from trtflow.reporting.comparison import result_rows, table_rows, to_markdown
from trtflow.reporting.report import read_report

TEXT = """\
# Results

The samples with the reference runtime on a CPU ({cpu}) and with TensorRT on a GPU ({gpu}). The reports are in
`{cpu_dir}` and `{gpu_dir}`; this page is made from them by

    python scripts/write_results.py --cpu {cpu_dir} --gpu {gpu_dir} --out {out}

and they by

    snakemake all --config backend=reference        # CPU
    snakemake all --config backend=tensorrt         # GPU, after `make engine-env`
    pytest tests/gpu                                # on the GPU machine: both runtimes from the same files

Latency is the median of a query with a batch of one: copy to the device, execution and copy back, by CUDA events as
trtexec takes them. Images a second are queries a second, with copies overlapped, times the largest batch; as a CUDA
graph where that is faster. The CPU has two cores and its times say little.

{notes}{results}
## Calibration tables

Tables that TensorRT made on the GPU against those that the reference runtime made on the CPU, from the same batches
(`scripts/compare_tables.py`). Equal means to 2e-6. A tensor that differs is followed by the divergence of the range
that the reference chose, and by how much more the range of TensorRT costs on the reference's histogram.

{tables}"""


def main() -> None:
    """Read the command line and write the page."""
    arguments = parser(__doc__)
    arguments.add_argument("--cpu", type=Path, help="folder of <sample>_report.json of the CPU run")
    arguments.add_argument("--gpu", type=Path, help="the same of the GPU run, tables.<sample>.json, notes.md")
    arguments.add_argument("--bench", type=Path, help="folder of what `make bench` wrote, for the tables of --page")
    arguments.add_argument("--page", type=Path, default=Path("docs/performance.md"), help="page with places for tables")
    arguments.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    options = arguments.parse_args()
    if options.bench:
        write_text(options.out, fill_tables(options.page, read_benchmarks(options.bench)))
        return
    if not (options.cpu and options.gpu):
        arguments.error("--cpu and --gpu, or --bench")

    cpu, gpu = read_reports(options.cpu), read_reports(options.gpu)
    tables = {path.name.split(".")[1]: read_json(path) for path in sorted(options.gpu.glob("tables.*.json"))}
    notes = options.gpu / "notes.md"
    text = TEXT.format(
        cpu=runtime(cpu),
        gpu=runtime(gpu),
        cpu_dir=options.cpu,
        gpu_dir=options.gpu,
        out=options.out,
        results=to_markdown(result_rows(cpu, gpu)),
        notes=f"{notes.read_text()}\n" if notes.exists() else "",
        tables=to_markdown(table_rows(tables)),
    )
    write_text(options.out, text)


def read_reports(folder: Path) -> dict[str, Any]:
    """Return the reports of a folder by sample."""
    paths = sorted(folder.glob("*_report.json"))
    return {report["sample"]: report for report in map(read_report, paths)}


def runtime(reports: Mapping[str, Any]) -> str:
    """Return what the reports were made with."""
    found = {"{name} {version}, {device}".format_map(report["backend"]) for report in reports.values()}
    return "; ".join(sorted(found))


if __name__ == "__main__":
    run(main)
