"""Write the report of a sample from its results. A gate that fails is in the report; it does not stop it.

python scripts/write_report.py --sample ssd --sample-config config/samples/ssd.yaml --data mini \\
    --backend-file results/backend.json --precisions fp32 fp16 int8 --results-dir results/ssd \\
    --figures results/ssd/figures/precisions.png --inputs model=results/ssd/export/model.caffemodel \\
    --out results/ssd_report.json
"""

from pathlib import Path

import _path  # noqa: F401
import yaml

from trtflow.cli import parser, run
from trtflow.formats.files import write_json
from trtflow.reporting.report import make_report, read_precision
from trtflow.runtime.backend import read_backend
from trtflow.workflow.configuration import SafeLoader


def named_paths(items: list[str]) -> dict[str, Path]:
    """Return the paths of NAME=PATH arguments by name."""
    return {name: Path(path) for name, _, path in (item.partition("=") for item in items)}


def main() -> None:
    """Read the command line, collect the results and write the report."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--sample-config", type=Path, required=True, help="its configuration, YAML or JSON")
    arguments.add_argument("--data", choices=["mini", "full"], default="mini", help="which data the results are of")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--precisions", nargs="+", required=True, help="precisions that were built")
    arguments.add_argument("--results-dir", type=Path, required=True, help="folder of metrics, latency and engines")
    arguments.add_argument("--figures", type=Path, nargs="*", default=[], help="pictures to name")
    arguments.add_argument("--texts", nargs="*", default=[], metavar="NAME=PATH", help="text files to put in")
    arguments.add_argument("--inputs", nargs="*", default=[], metavar="NAME=PATH", help="files to checksum")
    arguments.add_argument("--repository", type=Path, default=Path(), help="folder of the workflow, for its commit")
    arguments.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = arguments.parse_args()

    targets = options.results_dir / "targets.json"
    report = make_report(
        sample=options.sample,
        config=yaml.load(options.sample_config.read_text(), Loader=SafeLoader),
        data=options.data,
        backend=read_backend(options.backend_file),
        precisions={precision: read_precision(options.results_dir, precision) for precision in options.precisions},
        inputs=named_paths(options.inputs),
        figures=options.figures,
        texts=named_paths(options.texts),
        targets=targets if targets.exists() else None,
        repository=options.repository,
    )
    write_json(options.out, report)


if __name__ == "__main__":
    run(main)
