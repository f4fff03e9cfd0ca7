"""The networks of the guide, at original sizes and narrow as the workflow has them, and options of what times them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np

from trtflow.runtime.build import PRECISIONS

RANGES = "ranges.txt"
SETTINGS = ("backend", "precisions", "batch_sizes", "seconds")


@dataclass(frozen=True)
class Network:
    """A network to build and time.

    Attributes:
        sample: whose code defines it.
        family: whose random weights it has (trtflow/families).
        source: form that engines are built from: caffe, onnx, uff, or darknet, which becomes ONNX.
        classes: as many as published networks have.
        shape: height and width of the input, in pixels.
        title: name for people.
        network: which of the family's.
        stock: what a prototxt as its authors write it is called.
        preprocessor: file of config/preprocessors that its graph needs on the way to UFF.
        width: factor on the channels; 1 is the original.
    """

    sample: str
    family: str
    source: str
    classes: int
    shape: tuple[int, int]
    title: str
    network: str | None = None
    stock: str = "stock.prototxt"
    preprocessor: str | None = None
    width: float = 1.0


NETWORKS = {
    "googlenet": Network(
        "googlenet", "classifiers", "caffe", 1000, (224, 224), "GoogLeNet 224, Caffe", network="googlenet"
    ),
    "resnet50": Network(
        *("introductory_parser_samples", "classifiers", "onnx", 1000, (224, 224), "ResNet-50 224, ONNX"),
        network="resnet50",
    ),
    "tf_ssd": Network(
        *("tf_ssd", "ssd_inception", "uff", 91, (300, 300), "SSD InceptionV2 300, UFF"),
        preprocessor="ssd_inception_v2.py",
    ),
    "ssd": Network("ssd", "ssd", "caffe", 21, (300, 300), "SSD VGG-16 300, Caffe", stock="deploy.prototxt"),
    "yolov3": Network("yolov3_onnx", "yolov3", "darknet", 80, (608, 608), "YOLOv3 608, ONNX"),
    "faster_rcnn": Network(
        *("faster_rcnn", "faster_rcnn", "caffe", 21, (375, 500), "Faster R-CNN VGG-16 375 x 500, Caffe"),
        stock="test.prototxt",
    ),
    # last, for it is the ONNX one again: what time runs out for is missed least here
    "resnet50_caffe": Network(
        *("introductory_parser_samples.caffe", "classifiers", "caffe", 1000, (224, 224), "ResNet-50 224, Caffe"),
        network="resnet50",
    ),
}


def _narrow(name: str, width: float, side: int) -> Network:
    title = NETWORKS[name].title.partition(",")[0].rpartition(" ")[0]  # without its size and source
    return replace(NETWORKS[name], width=width, shape=(side, side), title=f"{title}, {width:g} wide, {side}")


# width and pixels of `data: mini`, as config/samples and families have them
NARROW = {
    "resnet50_narrow": _narrow("resnet50", 0.25, 96),
    "googlenet_narrow": _narrow("googlenet", 0.25, 64),
    "tf_ssd_narrow": _narrow("tf_ssd", 0.25, 300),
    "ssd_narrow": _narrow("ssd", 0.125, 300),
    "yolov3_narrow": _narrow("yolov3", 0.125, 128),
}
ALL = NETWORKS | NARROW


def random_pictures(network: Network, count: int, seed: int) -> np.ndarray:
    """Return pictures of noise for a network's input, float32 [count, 3, H, W] from -1 to 1; one seed, one result."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3, *network.shape)).astype(np.float32)


def add_measure_options(arguments: argparse.ArgumentParser) -> None:
    """Add what each side of the comparison is told."""
    arguments.add_argument("--backend", default="reference", help="tensorrt on a GPU, or reference")
    arguments.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS), help="to build")
    arguments.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 128], help="images a query")
    arguments.add_argument("--seconds", type=float, default=2.0, help="of each measurement")


def repeated(options: argparse.Namespace, names: tuple[str, ...] = SETTINGS) -> list[str]:
    """Return options of a command line as another command takes them."""
    words = []
    for name in names:
        value = getattr(options, name)
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += map(str, value if isinstance(value, list) else [value])
    return words
