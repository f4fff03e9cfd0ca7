"""Write skeletons of the guide's networks at their original sizes: all but the weights, which are drawn where they run.

python scripts/export_sizes.py --out-dir results/sizes

Each network goes through the exporters of its sample with random weights; then its weights are cut out, which leaves
some hundred kilobytes. For INT8 the largest value of every tensor on a seeded picture stands beside them, found by the
reference runtime. Step 1 of the comparison; scripts/bench_sizes.py is step 2 and needs no PyTorch.
"""

import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import _path  # noqa: F401
import numpy as np
import onnx
from _sizes import NETWORKS, RANGES, Network, random_pictures
from onnx import numpy_helper

from trtflow.calibration.ranges import record_ranges
from trtflow.cli import parser, run, run_command
from trtflow.formats.caffe import blob_to_array, read_caffemodel
from trtflow.formats.checksums import NAME as CHECKSUMS
from trtflow.formats.dynamic_ranges import write_ranges
from trtflow.formats.files import copy_file
from trtflow.formats.skeleton import FLOAT, SUFFIX, cut, fill, write_skeleton
from trtflow.formats.uff import read_uff
from trtflow.runtime.backend import load
from trtflow.samples import definition
from trtflow.samples import load as load_sample

SCRIPTS = Path(__file__).resolve().parent


def export(network: Network, folder: Path, width: float) -> Path:
    """Run the exporters of a network; return the folder that engines are built from."""
    for command in network.export:
        words = shlex.split(command.format(width=width, dir=folder, root=SCRIPTS.parent))
        run_command([sys.executable, SCRIPTS / words[0], *words[1:]])
    return folder / "export"


def caffe_arrays(path: Path) -> Iterator[np.ndarray]:
    """Yield the blobs of a caffemodel."""
    for layer in read_caffemodel(path).layer:
        yield from map(blob_to_array, layer.blobs)


def onnx_arrays(path: Path) -> Iterator[np.ndarray]:
    """Yield the float32 initializers of an ONNX model."""
    arrays = map(numpy_helper.to_array, onnx.load(path).graph.initializer)
    yield from (array for array in arrays if array.dtype == np.float32)


def uff_arrays(path: Path) -> Iterator[np.ndarray]:
    """Yield the constants of a UFF graph, flat; those of whole numbers are too small to matter."""
    for data in read_uff(path).referenced_data.values():
        if len(data.blob) % FLOAT.itemsize == 0:
            yield np.frombuffer(data.blob, FLOAT)


ARRAYS = {".caffemodel": caffe_arrays, ".onnx": onnx_arrays, ".uff": uff_arrays}


def write_skeletons(exported: Path, out: Path, seed: int) -> None:
    """Write every file of an exported model, models as skeletons; fill the models in `exported` as a run will."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(exported.iterdir()):
        if path.suffix in ARRAYS:
            skeleton = cut(path.read_bytes(), ARRAYS[path.suffix](path))
            write_skeleton(out / f"{path.name}{SUFFIX}", skeleton)
            path.write_bytes(fill(skeleton, seed))
        elif path.name != CHECKSUMS:
            copy_file(path, out / path.name)


def ranges_of(network: Network, exported: Path, seed: int) -> dict[str, float]:
    """Return the largest absolute value of each tensor on one seeded picture, as the network's weights are in a run."""
    sample = load_sample(network.sample)
    picture = random_pictures(network, 1, seed)
    explicit = getattr(sample, "EXPLICIT_BATCH", False)
    define = definition(sample, exported, "fp32")
    feeds = getattr(sample, "feeds", None)
    return record_ranges(load("reference"), define, [picture], 1, explicit_batch=explicit, feeds=feeds)


def main() -> None:
    """Read the command line; export, cut and record, network by network."""
    arguments = parser(__doc__)
    arguments.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS), help="which")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels; 1 is the original")
    arguments.add_argument("--seed", type=int, default=0, help="of weights and picture")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write, one folder a network in it")
    options = arguments.parse_args()

    for name in options.networks:
        network, out = NETWORKS[name], options.out_dir / name
        with tempfile.TemporaryDirectory() as folder:
            exported = export(network, Path(folder), options.width)
            write_skeletons(exported, out, options.seed)
            write_ranges(out / RANGES, ranges_of(network, exported, options.seed))
        print(f"{name}: {sum(path.stat().st_size for path in out.iterdir()) / 1e6:.1f} MB in {out}", flush=True)


if __name__ == "__main__":
    run(main)
