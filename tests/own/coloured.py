"""Pictures of one colour each, and models that know colours in pixels from 0 to 255, behind a preparation of theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from PIL import Image
from small_onnx import FLOAT, node, write_model

COLOURS = {"amber": (200, 130, 60), "clay": (150, 100, 80), "lime": (90, 200, 40), "rose": (220, 70, 130)}
SIDE, SPREAD = 16, 18
IMAGENET = ((123.675, 116.28, 103.53), (0.017125, 0.017507, 0.017429))
CAFFE = ((104, 117, 123), (1, 1, 1))
UNIT = ((0, 0, 0), (1 / 255,) * 3)
AROUND = ((127.5,) * 3, (1 / 127.5,) * 3)


def picture(colour, random, side=SIDE):
    """Return pixels around a colour, uint8 [side, side, 3]."""
    shade = np.array(colour) + random.normal(0, SPREAD, 3)
    return (shade + random.normal(0, 8, (side, side, 3))).clip(0, 255).astype(np.uint8)


def write_pictures(names=tuple(COLOURS), count=20, folder="pictures"):
    """Write pictures of the colours, in a folder of the class's name each."""
    random = np.random.default_rng(0)
    for name, colour in zip(names, COLOURS.values(), strict=False):
        Path(folder, name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(picture(colour, random)).save(f"{folder}/{name}/{number}.png")


def undone(preparation, colour="rgb", shape=(1, 3, 1, 1)):
    """Return nodes that make pixels of the input x, and what they store; colours are in the input's order."""
    mean, scale = (np.array(values, np.float32).reshape(shape) for values in preparation)
    nodes = [node("Div", "x scale", "centred"), node("Add", "centred mean", "pixels")]
    order = np.array([0, 1, 2] if colour == "rgb" else [2, 1, 0])
    axis = shape.index(3)
    nodes.append(node("Gather", "pixels order", "rgb", axis=axis))
    return nodes, {"mean": mean, "scale": scale, "order": order}


def write_classifier(preparation, colour="rgb", classes=tuple(COLOURS), last=False, batch="N", dtype=FLOAT):
    """Write model.onnx, which says the logit of each colour, in the order of `classes`."""
    nodes, stored = undone(preparation, colour, (1, 1, 1, 3) if last else (1, 3, 1, 1))
    centres = np.array([COLOURS[name] for name in classes], np.float32)
    stored |= {"centres": centres[None], "width": np.float32(-1 / 2000), "height": np.float32(8)}
    nodes += [
        node("ReduceMean", "rgb", "means", axes=[1, 2] if last else [2, 3], keepdims=0),
        node("Reshape", "means rows", "each"),
        node("Sub", "each centres", "away"),
        node("Mul", "away away", "squares"),
        node("ReduceMean", "squares", "far", axes=[2], keepdims=0),
        node("Mul", "far width", "near"),
        node("Exp", "near", "bells"),
        node("Mul", "bells height"),
    ]
    stored["rows"] = np.array([-1, 1, 3])
    if dtype != FLOAT:
        nodes[0].input[0] = "values"
        nodes.insert(0, node("Cast", "x", "values", to=FLOAT))
    shape = [SIDE, SIDE, 3] if last else [3, SIDE, SIDE]
    write_model(nodes, {"x": (dtype, shape)}, [len(classes)], **stored)
    if batch != "N":
        model = onnx.load("model.onnx")
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = batch
        onnx.save(model, "model.onnx")


def say(key, text):
    """Write metadata into model.onnx."""
    model = onnx.load("model.onnx")
    helper.set_model_props(model, {key: text})
    onnx.save(model, "model.onnx")
