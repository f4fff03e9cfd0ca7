"""Write skeletons of the guide's networks at their original sizes: all but the weights, which are drawn where they run.

python scripts/export_sizes.py --out-dir results/sizes
python scripts/export_sizes.py --networks googlenet --complete --out-dir sizes    # sizes/googlenet, weights included

Each network goes through the exporters of its family with random weights; then its weights are cut out, which leaves
some hundred kilobytes. For INT8 the largest value of every tensor on a seeded picture stands beside them, found by the
reference runtime. Step 1 of the comparison; scripts/bench_sizes.py is step 2 and needs no PyTorch.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import _path  # noqa: F401
import numpy as np
import onnx
from _sizes import ALL, NETWORKS, RANGES, Network, random_pictures
from onnx import numpy_helper

from trtflow import families
from trtflow.calibration.ranges import record_ranges
from trtflow.cli import parser, run, run_command
from trtflow.formats.caffe import blob_to_array, read_caffemodel
from trtflow.formats.checksums import NAME as CHECKSUMS
from trtflow.formats.dynamic_ranges import write_ranges
from trtflow.formats.files import copy_file
from trtflow.formats.skeleton import FLOAT, SUFFIX, cut, fill, write_skeleton
from trtflow.formats.uff import read_uff
from trtflow.job import Job
from trtflow.runtime.backend import load
from trtflow.samples import definition
from trtflow.samples import load as load_sample

SCRIPTS = Path(__file__).resolve().parent


def export(network: Network, folder: Path, width: float, seed: int) -> Path:
    """Draw a network and write what engines are built from; return its folder, in `folder`."""
    exported = folder / "export"
    files = {name: folder / name for name in ("model.pt", "model.cfg", "model.weights", "frozen.pb")}
    drawn = {"model": files["model.pt"]}
    if network.source == "darknet":
        drawn = {"cfg": files["model.cfg"], "weights": files["model.weights"]}
    step(network, "random_model", width, seed, {}, drawn)
    if network.source == "darknet":
        convert("convert_darknet", "--cfg", drawn["cfg"], "--weights", drawn["weights"], "--out-dir", exported)
    elif network.source == "uff":
        step(network, "freeze", width, seed, drawn, {"frozen": files["frozen.pb"]})
        preprocessor = SCRIPTS.parent / "config/preprocessors" / str(network.preprocessor)
        words = [files["frozen.pb"], "-q", "-O", "NMS", "-p", preprocessor, "-o", exported / "model.uff"]
        exported.mkdir()
        convert("convert_to_uff", *words)
    else:
        outputs = {"exports": exported / "model", "stock": exported / network.stock}
        step(network, "export", width, seed, drawn, outputs)
    return exported


def step(
    network: Network,
    function: str,
    width: float,
    seed: int,
    inputs: Mapping[str, Path],
    outputs: Mapping[str, Path],
) -> None:
    """Do a step of a network's family."""
    size = {} if network.family == "faster_rcnn" else {"size": network.shape[0]}
    model: dict[str, Any] = {"network": network.network, "classes": network.classes, "width": width, "seed": seed}
    settings = {"model": model | size, "source": network.source, "splits": {"shape": list(network.shape)}}
    files = [{name: (path,) for name, path in paths.items()} for paths in (inputs, outputs)]
    job = Job(network.sample, function, function, network.family, "none", "none", settings, *files)
    families.function_of(job)(job)


def convert(script: str, *words: object) -> None:
    """Run a converter.

    Raises:
        UserError: it failed.
    """
    run_command([sys.executable, SCRIPTS / f"{script}.py", *map(str, words)])


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
    arguments.add_argument("--networks", nargs="+", choices=list(ALL), default=list(NETWORKS), help="which")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels that a network has")
    arguments.add_argument("--seed", type=int, default=0, help="of weights and picture")
    arguments.add_argument("--complete", action="store_true", help="write the models with their weights, and no ranges")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write, one folder a network in it")
    options = arguments.parse_args()

    for name in options.networks:
        network, out = ALL[name], options.out_dir / name
        with tempfile.TemporaryDirectory() as folder:
            exported = export(network, Path(folder), options.width * network.width, options.seed)
            if options.complete:
                for path in exported.iterdir():
                    copy_file(path, out / path.name)
            else:
                write_skeletons(exported, out, options.seed)
                write_ranges(out / RANGES, ranges_of(network, exported, options.seed))
        print(f"{name}: {sum(path.stat().st_size for path in out.iterdir()) / 1e6:.1f} MB in {out}", flush=True)


if __name__ == "__main__":
    run(main)
