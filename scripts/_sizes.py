"""The networks of the guide at their original sizes, and the options of what times them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

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
