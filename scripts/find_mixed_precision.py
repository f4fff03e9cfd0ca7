"""Find the layers that must not be INT8 for an engine to keep its accuracy, as few as will do.

python scripts/find_mixed_precision.py --sample int8_api --export-dir results/int8_api/export \\
    --ranges results/int8_api/calibration/ranges.txt --batch-dir results/int8_api/calibration/batches --batches 10 \\
    --limit 0.01 --backend-file results/backend.json --out results/int8_api/calibration/kept_layers.txt
"""

from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import _path  # noqa: F401
import numpy as np

from trtflow.calibration.mixed_precision import Loss, smallest_set
from trtflow.cli import parser
from trtflow.formats import UserError
from trtflow.formats.batch_file import Batch, read_batch
from trtflow.formats.checksums import verify_checksums
from trtflow.formats.files import write_text
from trtflow.metrics.classification import top_k
from trtflow.runtime.backend import open_backend
from trtflow.runtime.build import Settings, build_plan
from trtflow.runtime.entry import engine_of
from trtflow.runtime.launch import run_on_backend
from trtflow.runtime.session import Session
from trtflow.samples import definition
from trtflow.samples import load as load_sample


class Trial:
    """Builds engines of one network and runs the same pictures through each."""

    def __init__(self, trt: ModuleType, sample: Any, export: Path, ranges: Path, batches: list[Batch]) -> None:
        self.trt, self.sample, self.export, self.ranges, self.batches = trt, sample, export, ranges, batches
        self.labels = np.concatenate([batch.labels for batch in batches if batch.labels is not None]).astype(np.int64)
        self.layers: list[str] = []
        self.exact = self.probabilities("fp32")
        self.top1 = top_k(self.exact, self.labels, 1)

    def probabilities(self, precision: str, kept: Collection[str] = ()) -> np.ndarray:
        """Return what an engine says of all pictures, float32 [N, classes]."""
        ranges = self.ranges if precision == "int8" else None
        define_network = definition(self.sample, self.export, precision, ranges, kept)

        def define(trt: ModuleType, network: Any) -> None:
            define_network(trt, network)
            layers = [network.get_layer(index) for index in range(network.num_layers)]
            kinds = (trt.LayerType.CONVOLUTION, trt.LayerType.FULLY_CONNECTED)
            self.layers = [layer.name for layer in layers if layer.type in kinds]

        plan = build_plan(
            self.trt,
            define,
            precision,
            max(len(batch.images) for batch in self.batches),
            explicit_batch=getattr(self.sample, "EXPLICIT_BATCH", False),
            configure=self.sample.configure_builder if ranges else None,
            settings=Settings(optimization_level=0),  # these engines are run once
        )
        with Session(self.trt, engine_of(self.trt, plan)) as session:
            outputs = [session.run({self.sample.INPUT: batch.images}) for batch in self.batches]
        return np.concatenate([self.sample.postprocess(output)["probabilities"] for output in outputs])

    def loss_of(self, kept: Collection[str]) -> Loss:
        """Return what INT8 loses where some layers are not in it."""
        found = self.probabilities("int8", kept)
        return Loss(self.top1 - top_k(found, self.labels, 1), float(np.abs(found - self.exact).mean()))


def main() -> None:
    """Read the command line, search, and write the names of the layers, one a line."""
    arguments = parser(__doc__)
    arguments.add_argument("--sample", required=True, help="name of the sample")
    arguments.add_argument("--export-dir", type=Path, required=True, help="folder of the exported model")
    arguments.add_argument("--ranges", type=Path, required=True, help="dynamic ranges")
    arguments.add_argument("--batch-dir", type=Path, required=True, help="folder of batch0, batch1, ... with labels")
    arguments.add_argument("--batches", type=int, required=True, help="number of batch files to use")
    arguments.add_argument("--limit", type=float, default=0.01, help="largest drop of top-1 on them")
    arguments.add_argument("--backend-file", type=Path, required=True, help="results/backend.json")
    arguments.add_argument("--out", type=Path, required=True, help="list of layers to write")
    options = arguments.parse_args()

    verify_checksums(options.export_dir)
    trt, _ = open_backend(options.backend_file)
    batches = [read_batch(options.batch_dir / f"batch{index}") for index in range(options.batches)]
    if any(batch.labels is None for batch in batches):
        raise UserError(
            f"{options.batch_dir}: the batch files have no labels. Write them with a data set that has some."
        )
    trial = Trial(trt, load_sample(options.sample), options.export_dir, options.ranges, batches)
    kept = smallest_set(trial.layers, trial.loss_of, options.limit)
    print(f"{len(kept)} of {len(trial.layers)} layers are kept in float32{': ' if kept else ''}{', '.join(kept)}")
    write_text(options.out, "".join(f"{name}\n" for name in kept))


if __name__ == "__main__":
    run_on_backend(main)
