"""GoogLeNet and ResNet-50 as lists of layers, with the names of their authors' Caffe models.

One list serves for training, for every export and for the tests. Szegedy et al., Going deeper with convolutions
(arXiv:1409.4842), as BVLC's bvlc_googlenet has it; He et al., Deep residual learning (arXiv:1512.03385), as its
authors' ResNet-50-deploy.prototxt has it. `width` scales the channels of every layer; 1.0 is the original.
"""

from __future__ import annotations

from dataclasses import dataclass

from trtflow.formats import UserError

REDUCTION = 32  # factor between the sides of the input and of the last maps
LEAST_SIZE = 64  # pixels; of less, windows of 3 do not fit the maps that GoogLeNet pools last
INCEPTIONS = {  # channels of 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
STAGES = {2: (64, 3), 3: (128, 4), 4: (256, 6), 5: (512, 3)}  # channels within a block, and blocks
EXPANSION = 4  # channels behind a block, as a multiple of those within


@dataclass(frozen=True)
class Layer:
    """A layer.

    Attributes:
        name: as in the authors' prototxt.
        kind: convolution, norm, relu, max, average, lrn, concat, sum, dropout, dense or softmax.
        bottoms: names of the blobs it reads.
        top: name of the blob it writes, which may be one it reads.
        channels: of what it writes; 0 where that follows from its inputs.
        kernel, stride, pad: of its window.
    """

    name: str
    kind: str
    bottoms: tuple[str, ...]
    top: str
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    pad: int = 0


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _convolution(
    name: str, relu: str, bottom: str, channels: int, kernel: int, stride: int = 1, pad: int = 0
) -> list[Layer]:
    """Return a convolution of GoogLeNet and the ReLU behind it."""
    return [
        Layer(name, "convolution", (bottom,), name, channels, kernel, stride, pad),
        Layer(relu, "relu", (name,), name),
    ]


def _inception(number: str, bottom: str, width: float) -> list[Layer]:
    """Return an inception module, in the order of bvlc_googlenet."""
    at = f"inception_{number}"
    one, three_reduce, three, five_reduce, five, project = (_scaled(count, width) for count in INCEPTIONS[number])
    return [
        *_convolution(f"{at}/1x1", f"{at}/relu_1x1", bottom, one, 1),
        *_convolution(f"{at}/3x3_reduce", f"{at}/relu_3x3_reduce", bottom, three_reduce, 1),
        *_convolution(f"{at}/3x3", f"{at}/relu_3x3", f"{at}/3x3_reduce", three, 3, pad=1),
        *_convolution(f"{at}/5x5_reduce", f"{at}/relu_5x5_reduce", bottom, five_reduce, 1),
        *_convolution(f"{at}/5x5", f"{at}/relu_5x5", f"{at}/5x5_reduce", five, 5, pad=2),
        Layer(f"{at}/pool", "max", (bottom,), f"{at}/pool", 0, 3, 1, 1),
        *_convolution(f"{at}/pool_proj", f"{at}/relu_pool_proj", f"{at}/pool", project, 1),
        Layer(
            f"{at}/output",
            "concat",
            tuple(f"{at}/{part}" for part in ("1x1", "3x3", "5x5", "pool_proj")),
            f"{at}/output",
        ),
    ]


def googlenet(class_count: int, width: float, size: int) -> list[Layer]:
    """Return GoogLeNet for square inputs of `size` pixels; `data` is the input's blob."""
    layers = [
        *_convolution("conv1/7x7_s2", "conv1/relu_7x7", "data", _scaled(64, width), 7, 2, 3),
        Layer("pool1/3x3_s2", "max", ("conv1/7x7_s2",), "pool1/3x3_s2", 0, 3, 2),
        Layer("pool1/norm1", "lrn", ("pool1/3x3_s2",), "pool1/norm1"),
        *_convolution("conv2/3x3_reduce", "conv2/relu_3x3_reduce", "pool1/norm1", _scaled(64, width), 1),
        *_convolution("conv2/3x3", "conv2/relu_3x3", "conv2/3x3_reduce", _scaled(192, width), 3, pad=1),
        Layer("conv2/norm2", "lrn", ("conv2/3x3",), "conv2/norm2"),
        Layer("pool2/3x3_s2", "max", ("conv2/norm2",), "pool2/3x3_s2", 0, 3, 2),
    ]
    for number in INCEPTIONS:
        layers += _inception(number, layers[-1].top, width)
        if number in ("3b", "4e"):
            pool = f"pool{int(number[0])}/3x3_s2"
            layers.append(Layer(pool, "max", (layers[-1].top,), pool, 0, 3, 2))
    return [
        *layers,
        Layer("pool5/7x7_s1", "average", (layers[-1].top,), "pool5/7x7_s1", 0, size // REDUCTION),
        Layer("pool5/drop_7x7_s1", "dropout", ("pool5/7x7_s1",), "pool5/7x7_s1"),
        Layer("loss3/classifier", "dense", ("pool5/7x7_s1",), "loss3/classifier", class_count),
        Layer("prob", "softmax", ("loss3/classifier",), "prob"),
    ]


def _normalised(name: str, norm: str, bottom: str, channels: int, kernel: int, stride: int, pad: int) -> list[Layer]:
    """Return a convolution of ResNet-50 and its normalisation."""
    return [
        Layer(name, "convolution", (bottom,), name, channels, kernel, stride, pad),
        Layer(norm, "norm", (name,), name, channels),
    ]


def _block(stage: int, letter: str, bottom: str, channels: int, stride: int) -> list[Layer]:
    """Return a bottleneck block; the first of a stage, which changes channels, has a branch in place of a shortcut."""
    at, wide = f"{stage}{letter}", channels * EXPANSION
    shapes = {"2a": (channels, 1, stride, 0), "2b": (channels, 3, 1, 1), "2c": (wide, 1, 1, 0)}
    layers, shortcut, value = [], bottom, bottom
    if letter == "a":
        shortcut = f"res{at}_branch1"
        layers += _normalised(shortcut, f"bn{at}_branch1", bottom, wide, 1, stride, 0)
    for part, shape in shapes.items():
        name = f"res{at}_branch{part}"
        layers += _normalised(name, f"bn{at}_branch{part}", value, *shape)
        if part != "2c":
            layers.append(Layer(f"{name}_relu", "relu", (name,), name))
        value = name
    return [
        *layers,
        Layer(f"res{at}", "sum", (shortcut, value), f"res{at}"),
        Layer(f"res{at}_relu", "relu", (f"res{at}",), f"res{at}"),
    ]


def resnet50(class_count: int, width: float, size: int) -> list[Layer]:
    """Return ResNet-50 for square inputs of `size` pixels; `data` is the input's blob."""
    layers = [
        *_normalised("conv1", "bn_conv1", "data", _scaled(64, width), 7, 2, 3),
        Layer("conv1_relu", "relu", ("conv1",), "conv1"),
        Layer("pool1", "max", ("conv1",), "pool1", 0, 3, 2),
    ]
    for stage, (channels, blocks) in STAGES.items():
        for index in range(blocks):
            stride = 2 if stage > 2 and index == 0 else 1
            layers += _block(stage, "abcdef"[index], layers[-1].top, _scaled(channels, width), stride)
    return [
        *layers,
        Layer("pool5", "average", (layers[-1].top,), "pool5", 0, size // REDUCTION),
        Layer("fc1000", "dense", ("pool5",), "fc1000", class_count),
        Layer("prob", "softmax", ("fc1000",), "prob"),
    ]


NETWORKS = {"googlenet": googlenet, "resnet50": resnet50}


def layers_of(network: str, class_count: int, width: float, size: int) -> list[Layer]:
    """Return the layers of a network.

    Raises:
        UserError: the input's side is no multiple of 32, or too small for the windows of the last layers.
    """
    if size < LEAST_SIZE or size % REDUCTION:
        takes = f"multiples of {REDUCTION} from {LEAST_SIZE} on"
        raise UserError(f"an input of {size} pixels: {network} takes {takes}. Set model.size to one.")
    return NETWORKS[network](class_count, width, size)
