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
        export: commands that write it with random weights, `{width}` its width and `{dir}` a folder to work in; what
            the engine is built from is in `{dir}/export` then.
        shape: height and width of the input, in pixels.
        title: name for people.
    """

    sample: str
    export: tuple[str, ...]
    shape: tuple[int, int]
    title: str


def _classifier(network: str, form: str) -> tuple[str, ...]:
    return (
        f"export_classifier.py --network {network} --width {{width}} --seed 0 --format {form} --out-dir {{dir}}/export",
    )


NETWORKS = {
    "googlenet": Network("googlenet", _classifier("googlenet", "caffe"), (224, 224), "GoogLeNet 224, Caffe"),
    "resnet50": Network(
        "introductory_parser_samples", _classifier("resnet50", "onnx"), (224, 224), "ResNet-50 224, ONNX"
    ),
    "tf_ssd": Network(
        "tf_ssd",
        (
            "draw_detector.py --network inception_v2 --classes 91 --width {width} --out {dir}/ssd.pt",
            "freeze_ssd.py --model {dir}/ssd.pt --out {dir}/frozen.pb",
            "convert_to_uff.py {dir}/frozen.pb -q -O NMS -p {root}/config/preprocessors/ssd_inception_v2.py "
            "-o {dir}/export/model.uff",
        ),
        (300, 300),
        "SSD InceptionV2 300, UFF",
    ),
    "ssd": Network(
        "ssd",
        (
            "draw_detector.py --network vgg16 --classes 21 --width {width} --out {dir}/ssd.pt",
            "export_ssd.py --model {dir}/ssd.pt --out-dir {dir}/export",
        ),
        (300, 300),
        "SSD VGG-16 300, Caffe",
    ),
    "yolov3": Network(
        "yolov3_onnx",
        (
            "draw_detector.py --network yolov3 --classes 80 --width {width} --out {dir}/yolov3.weights",
            "convert_darknet.py --cfg {dir}/yolov3.cfg --weights {dir}/yolov3.weights --out-dir {dir}/export",
        ),
        (608, 608),
        "YOLOv3 608, ONNX",
    ),
    "faster_rcnn": Network(
        "faster_rcnn",
        (
            "draw_detector.py --network faster_rcnn --classes 21 --width {width} --out {dir}/network.pt",
            "export_faster_rcnn.py --model {dir}/network.pt --shape 375 500 --out-dir {dir}/export",
        ),
        (375, 500),
        "Faster R-CNN VGG-16 375 x 500, Caffe",
    ),
    # last, for it is the ONNX one again: what time runs out for is missed least here
    "resnet50_caffe": Network(
        "introductory_parser_samples.caffe", _classifier("resnet50", "caffe"), (224, 224), "ResNet-50 224, Caffe"
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
