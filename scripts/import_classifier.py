"""Take ResNet-50's published Caffe weights into PyTorch, and say what it makes of the pictures to score.

python scripts/import_classifier.py --caffemodel ResNet-50-model.caffemodel --classes 1000 --size 224 --pixels bgr \\
    --data results/introductory_parser_samples/data --out network.pt --predictions predictions.npz
"""

from pathlib import Path

import _path  # noqa: F401
import numpy as np

from trtflow.cli import parser, run
from trtflow.datasets.digit_pictures import read_inputs
from trtflow.datasets.images import FORMS
from trtflow.formats.arrays import write_arrays
from trtflow.families.common.caffe_import import load_resnet50
from trtflow.families.classifiers.network import probabilities, save_classifier


def main() -> None:
    """Read the command line, the weights and the pictures; write the network and its probabilities."""
    arguments = parser(__doc__)
    arguments.add_argument("--caffemodel", type=Path, required=True, help="weights")
    arguments.add_argument("--classes", type=int, default=1000, help="number of classes")
    arguments.add_argument("--width", type=float, default=1.0, help="factor on the channels of every layer")
    arguments.add_argument("--size", type=int, default=224, help="side of the input, pixels")
    arguments.add_argument("--pixels", choices=list(FORMS), required=True, help="form of the pictures it takes")
    arguments.add_argument("--data", type=Path, required=True, help="folder of the pictures")
    arguments.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    arguments.add_argument("--predictions", type=Path, required=True, help="npz file of probabilities to write")
    options = arguments.parse_args()

    model = load_resnet50(options.caffemodel, options.classes, options.width, options.size)
    images, names = read_inputs(options.data, "val", options.pixels, options.size)
    write_arrays(options.predictions, {"probabilities": probabilities(model, images), "images": np.array(names)})
    save_classifier(model, options.out)


if __name__ == "__main__":
    run(main)
