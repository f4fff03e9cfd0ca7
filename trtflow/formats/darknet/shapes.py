"""What each kind of Darknet's layers gives, as (channels, height, width), and which inputs it cannot take."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

Shape = tuple[int, int, int]


def _convolutional(options: dict[str, Any], given: list[Shape]) -> Shape:
    (channels, *sides) = given[0]
    if channels % options["groups"] or options["filters"] % options["groups"]:
        raise ValueError(
            f"{options['groups']} groups do not divide {channels} channels and {options['filters']} filters"
        )
    reach = options["dilation"] * (options["size"] - 1) + 1
    height, width = _windows(sides, 2 * options["pad"] - reach, options)
    plain = _windows(sides, 2 * options["pad"] // options["dilation"] - options["size"], options)
    if (height, width) != plain:  # Darknet reserves memory by the undilated size
        raise ValueError(f"a dilation of {options['dilation']} without padding, which Darknet computes wrongly")
    return options["filters"], height, width


def _windows(sides: list[int], margin: int, options: dict[str, Any]) -> tuple[int, int]:
    height, width = sides
    return (height + margin) // options["stride_y"] + 1, (width + margin) // options["stride_x"] + 1


def _pooling(options: dict[str, Any], given: list[Shape]) -> Shape:
    (channels, *sides) = given[0]
    less = options["padding"] // 2
    if options["padding"] - less >= options["size"]:
        raise ValueError(f"with padding {options['padding']} a window of {options['size']} sees nothing of the map")
    return channels, *_windows(sides, options["padding"] - options["size"], options)


def _connected(options: dict[str, Any], given: list[Shape]) -> Shape:
    return options["output"], 1, 1


def _local(options: dict[str, Any], given: list[Shape]) -> Shape:
    _, *sides = given[0]
    if options["pad"] not in (0, 1) or (options["pad"] and options["size"] != 3):
        raise ValueError("pad is known with a size of 3 alone, where Darknet's two ways of counting agree")
    height, width = ((side + 2 * options["pad"] - options["size"]) // options["stride"] + 1 for side in sides)
    return options["filters"], height, width


def _avgpool(options: dict[str, Any], given: list[Shape]) -> Shape:
    return given[0][0], 1, 1


def _same(options: dict[str, Any], given: list[Shape]) -> Shape:
    return given[0]


def _upsample(options: dict[str, Any], given: list[Shape]) -> Shape:
    channels, height, width = given[0]
    return channels, height * options["stride"], width * options["stride"]


def _reorg(options: dict[str, Any], given: list[Shape]) -> Shape:
    channels, height, width = given[0]
    stride = options["stride"]
    square = stride * stride
    if options["extra"] > 0:
        return prod(given[0]) + options["extra"], 1, 1
    if channels % square:
        raise ValueError(f"{channels} channels are no multiple of its stride times its stride, {square}")
    if options["reverse"]:
        return channels // square, height * stride, width * stride
    return _divided(given[0], stride)


def _reorg3d(options: dict[str, Any], given: list[Shape]) -> Shape:
    return _divided(given[0], options["stride"])


def _divided(shape: Shape, stride: int) -> Shape:
    channels, height, width = shape
    if height % stride or width % stride:
        raise ValueError(f"its stride {stride} does not divide a map of {height}x{width}")
    return channels * stride * stride, height // stride, width // stride


def _crop(options: dict[str, Any], given: list[Shape]) -> Shape:
    channels, height, width = given[0]
    if options["crop_height"] > height or options["crop_width"] > width:
        raise ValueError(f"it cuts {options['crop_height']}x{options['crop_width']} out of a map of {height}x{width}")
    return channels, options["crop_height"], options["crop_width"]


def _shortcut(options: dict[str, Any], given: list[Shape]) -> Shape:
    _, height, width = given[0]
    for shape in given[1:]:
        # a larger map is read at every second or third place, as far as it goes (pjreddie/darknet, shortcut_cpu)
        if shape[1] % height or shape[2] % width or shape[1] // height != shape[2] // width:
            raise ValueError(f"it adds maps of {given[0]} and {shape}, channels, height and width")
    if options["weights_type"] == "none" and options["weights_normalization"] != "none":
        raise ValueError("weights_normalization without a weights_type")
    if options["weights_type"] != "none" and len({shape[1:] for shape in given}) > 1:
        raise ValueError("it adds maps of different sizes by weights")
    return given[0]


def _scale_channels(options: dict[str, Any], given: list[Shape]) -> Shape:
    factor, scaled = given
    wanted = (1, *scaled[1:]) if options["scale_wh"] else (scaled[0], 1, 1)
    if factor != wanted:
        raise ValueError(f"it scales a map of {scaled} by one of {factor}, not of {wanted}")
    return scaled


def _sam(options: dict[str, Any], given: list[Shape]) -> Shape:
    if given[0] != given[1]:
        raise ValueError(f"it multiplies maps of {given[0]} and {given[1]}, channels, height and width")
    return given[0]


def _route(options: dict[str, Any], given: list[Shape]) -> Shape:
    if len({shape[1:] for shape in given}) > 1:
        sides = " and ".join(f"{height}x{width}" for _, height, width in given)
        raise ValueError(f"it joins maps of {sides}. The input's sides must be multiples of the largest stride")
    groups = options["groups"]
    if any(shape[0] % groups for shape in given) or not 0 <= options["group_id"] < groups:
        channels = ", ".join(str(shape[0]) for shape in given)
        raise ValueError(f"group {options['group_id']} of {groups} is no part of {channels} channels")
    return sum(shape[0] // groups for shape in given), given[0][1], given[0][2]


def _softmax(options: dict[str, Any], given: list[Shape]) -> Shape:
    if options["tree"]:
        raise ValueError(f"a tree of classes is not converted: its groups stand in another file, {options['tree']}")
    if prod(given[0]) % options["groups"] or (options["spatial"] and options["groups"] > 1):
        raise ValueError(f"{options['groups']} groups do not divide a map of {given[0]}")
    if options["temperature"] <= 0:
        raise ValueError(f"temperature is {options['temperature']}, not a positive number")
    return given[0]


def _yolo(options: dict[str, Any], given: list[Shape]) -> Shape:
    return _head(options, given, 5, "(5 + classes)")


def _gaussian_yolo(options: dict[str, Any], given: list[Shape]) -> Shape:
    return _head(options, given, 9, "(9 + classes)")


def _region(options: dict[str, Any], given: list[Shape]) -> Shape:
    if options["coords"] != 4:
        raise ValueError(f"coords is {options['coords']}: a box has 4")
    return _head(options, given, 5, "(5 + classes)")


def _head(options: dict[str, Any], given: list[Shape], values: int, formula: str) -> Shape:
    """Check the anchors and channels of a layer that predicts boxes; each anchor that it names must be there."""
    anchors, mask = options["anchors"], options["mask"]
    if not mask or not all(0 <= place < len(anchors) // 2 for place in mask):
        raise ValueError(f"{len(anchors)} numbers in anchors and mask {mask} do not fit num {options['num']}")
    if any(min(anchors[2 * place : 2 * place + 2]) <= 0 for place in mask):
        raise ValueError("anchors have a side that is not positive")
    wanted = len(mask) * (values + options["classes"])
    if given[0][0] != wanted:
        raise ValueError(f"it reads {given[0][0]} channels, but {len(mask)} x {formula} are {wanted}")
    return given[0]


def _detection(options: dict[str, Any], given: list[Shape]) -> Shape:
    wanted = options["side"] ** 2 * ((1 + options["coords"]) * options["num"] + options["classes"])
    if prod(given[0]) != wanted:
        raise ValueError(f"it reads {prod(given[0])} values; side, num, coords and classes make {wanted}")
    return given[0]


SHAPES: dict[str, Callable[[dict[str, Any], list[Shape]], Shape]] = {
    "convolutional": _convolutional,
    "connected": _connected,
    "local": _local,
    "batchnorm": _same,
    "activation": _same,
    "maxpool": _pooling,
    "local_avgpool": _pooling,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "reorg": _reorg,
    "reorg3d": _reorg3d,
    "crop": _crop,
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "softmax": _softmax,
    "dropout": _same,
    "cost": _same,
    "contrastive": _same,
    "empty": _same,
    "yolo": _yolo,
    "Gaussian_yolo": _gaussian_yolo,
    "region": _region,
    "detection": _detection,
}
