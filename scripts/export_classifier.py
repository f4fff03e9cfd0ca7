"""Export GoogLeNet or ResNet-50 from PyTorch to what engines are built from.

python scripts/export_classifier.py --model results/googlenet/model/network.pt --format caffe \\
    --out-dir results/googlenet/export

The original size with random weights, to build and time it:

python scripts/export_classifier.py --network resnet50 --seed 0 --format caffe onnx --out-dir resnet50
"""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import _path  # noqa: F401
import torch

from trtflow.cli import parser, run
from trtflow.datasets.images import FORMS as PIXELS
from trtflow.formats import UserError
from trtflow.formats.caffe import without_weights, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import write_bytes
from trtflow.models import input_size
from trtflow.families.classifiers.exporters import arrays_of, to_caffe, to_onnx
from trtflow.families.classifiers.layers import NETWORKS
from trtflow.families.classifiers.network import Classifier, load_classifier, randomise


def export_caffe(model: Classifier, folder: Path) -> list[str]:
    """Write model.prototxt and model.caffemodel."""
    net = to_caffe(model)
    write_prototxt(without_weights(net), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    return ["model.prototxt", "model.caffemodel"]


def export_onnx(model: Classifier, folder: Path) -> list[str]:
    """Write model.onnx."""
    write_bytes(folder / "model.onnx", to_onnx(model).SerializeToString(deterministic=True))
    return ["model.onnx"]


def export_tensorflow(model: Classifier, folder: Path) -> list[str]:
    """Write frozen.pb, which convert_to_uff.py makes UFF of."""
    # TensorFlow takes seconds to load
    from trtflow.families.classifiers.graph import to_graph  # noqa: PLC0415

    graph = to_graph(model.layers, arrays_of(model), model.settings["size"])
    write_bytes(folder / "frozen.pb", graph.SerializeToString(deterministic=True))
    return ["frozen.pb"]


FORMATS: dict[str, Callable[[Classifier, Path], list[str]]] = {
    "caffe": export_caffe,
    "onnx": export_onnx,
    "tensorflow": export_tensorflow,
}


def model_of(options: Namespace) -> Classifier:
    """Return the trained network, or one with random weights."""
    if options.model is not None:
        return load_classifier(options.model)
    if options.network is None:
        raise UserError("there is nothing to export. Give --model, or --network for random weights.")
    torch.manual_seed(options.seed)
    model = Classifier(options.network, options.classes, options.width, options.size).eval()
    randomise(model, options.seed)
    return model


def main() -> None:
    """Read the command line, convert and write, with checksums."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", type=Path, help="checkpoint of train_classifier.py")
    arguments.add_argument("--network", choices=list(NETWORKS), help="network with random weights instead")
    arguments.add_argument("--width", type=float, default=1.0, help="of that one: factor on the channels")
    arguments.add_argument("--size", type=int, default=224, help="of that one: side of the input, pixels")
    arguments.add_argument("--classes", type=int, default=1000, help="of that one: number of classes")
    arguments.add_argument("--seed", type=int, default=0, help="of its weights")
    arguments.add_argument(
        "--pixels", choices=list(PIXELS), help="form of the pictures, where the sample takes several"
    )
    arguments.add_argument("--format", choices=list(FORMATS), nargs="+", required=True, help="what to write")
    arguments.add_argument("--out-dir", type=Path, required=True, help="folder to write")
    options = arguments.parse_args()

    model = model_of(options)
    if model.settings["network"] == "googlenet" and options.format != ["caffe"]:
        raise UserError(
            "GoogLeNet is exported to Caffe only, as sampleGoogleNet reads it. Leave the other formats out."
        )
    files = [name for form in options.format for name in FORMATS[form](model, options.out_dir)]
    if options.format != ["tensorflow"]:  # a graph is a step on the way to UFF, not what engines are built from
        input_size.write_input_size(options.out_dir, model.settings["size"], pixels=options.pixels)
        write_checksums(options.out_dir, [*files, input_size.NAME])


if __name__ == "__main__":
    run(main)
