"""Export a digit network from PyTorch to what an engine is built from.

python scripts/export_digits.py --format caffe --model results/mnist/model/network.pt --out-dir results/mnist/export
"""

from collections.abc import Callable
from pathlib import Path

import _path  # noqa: F401
from torch import nn

from trtflow.cli import parser, run
from trtflow.formats.arrays import write_arrays
from trtflow.formats.caffe import without_weights, write_binaryproto, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import write_bytes
from trtflow.formats.wts import write_wts
from trtflow.families.digits.exporters import arrays_of, to_caffe, to_onnx, to_wts
from trtflow.families.digits.network import LeNet, ZooNet, load_network


def export_caffe(model: LeNet, folder: Path) -> list[str]:
    """Write model.prototxt and model.caffemodel, and mean.binaryproto where the network subtracts a mean."""
    net = to_caffe(model)
    write_prototxt(without_weights(net), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    return ["model.prototxt", "model.caffemodel", *export_mean(model, folder)]


def export_mean(model: LeNet, folder: Path) -> list[str]:
    """Write the mean picture, where there is one, as Caffe's compute_image_mean does."""
    if not model.mean.any():
        return []
    write_binaryproto(model.mean.numpy()[None], folder / "mean.binaryproto")
    return ["mean.binaryproto"]


def export_wts(model: LeNet, folder: Path) -> list[str]:
    """Write model.wts (version 1), and the mean picture where there is one."""
    write_wts(folder / "model.wts", to_wts(model))
    return ["model.wts", *export_mean(model, folder)]


def export_arrays(model: LeNet, folder: Path) -> list[str]:
    """Write weights.npz by PyTorch's names."""
    write_arrays(folder / "weights.npz", arrays_of(model))
    return ["weights.npz"]


def export_onnx(model: ZooNet, folder: Path) -> list[str]:
    """Write model.onnx."""
    write_bytes(folder / "model.onnx", to_onnx(model).SerializeToString(deterministic=True))
    return ["model.onnx"]


FORMATS: dict[str, tuple[type[nn.Module], Callable[..., list[str]]]] = {
    "caffe": (LeNet, export_caffe),
    "wts": (LeNet, export_wts),
    "arrays": (LeNet, export_arrays),
    "onnx": (ZooNet, export_onnx),
}


def main() -> None:
    """Read the command line, convert and write, with checksums."""
    arguments = parser(__doc__)
    arguments.add_argument("--format", choices=list(FORMATS), required=True, help="what to write")
    arguments.add_argument("--model", type=Path, required=True, help="checkpoint of train_digits.py")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    kind, export = FORMATS[options.format]
    write_checksums(options.out_dir, export(load_network(options.model, kind), options.out_dir))


if __name__ == "__main__":
    run(main)
