"""`trtflow init` asks the model: which preparation of pictures and which order of classes its answers fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from coloured import (
    AROUND,
    CAFFE,
    COLOURS,
    IMAGENET,
    SIDE,
    UNIT,
    picture,
    say,
    undone,
    write_classifier,
    write_pictures,
)
from own_steps import through, written
from PIL import Image
from small_onnx import FLOAT, UINT8, node, write_model

from trtflow.families.own.init import trials
from trtflow.families.own.init.orders import told_names
from trtflow.formats import UserError

NAMES = tuple(COLOURS)
OTHER = ("lime", "amber", "rose", "clay")  # an order that no rule gives
USUAL = {"colour": "rgb", "mean": 0, "scale": 0.003921569}
OF_IMAGENET = {"colour": "rgb", "mean": list(IMAGENET[0]), "scale": list(IMAGENET[1])}
QUESTION = "inputs.x.pictures: mean and scale as the model was trained with; 0 to 1 is a guess"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tried(capsys, *options):
    """Return what init wrote of the pictures and of the classes, and what it printed."""
    told, _ = written("model.onnx", "--data", "pictures", *options)
    return told["inputs"]["x"]["pictures"], told["data"].get("classes"), capsys.readouterr().out


@pytest.mark.parametrize(
    ("preparation", "colour", "expected"),
    [
        (UNIT, "rgb", USUAL),
        (UNIT, "bgr", {**USUAL, "colour": "bgr"}),
        (AROUND, "rgb", {"colour": "rgb", "mean": 127.5, "scale": 0.007843137}),
        (IMAGENET, "rgb", OF_IMAGENET),
        (tuple(values[::-1] for values in IMAGENET), "bgr", {k: v[::-1] for k, v in OF_IMAGENET.items()}),
        (((0,) * 3, (1,) * 3), "rgb", {"colour": "rgb", "mean": 0, "scale": 1}),
        (CAFFE, "bgr", {"colour": "bgr", "mean": list(CAFFE[0]), "scale": 1}),
    ],
)
def test_the_preparation_that_scores_best_is_written(preparation, colour, expected, capsys):
    write_pictures()
    write_classifier(preparation, colour)
    pictures, classes, said = tried(capsys)
    assert pictures == expected
    assert classes == list(NAMES)
    assert "found: inputs.x.pictures: " in said
    assert "found: data.classes: in alphabetical order, tried on 64 pictures: 0.9" in said
    assert "nothing is left to fill in" in said
    assert through("model")[0]["top1"] > 0.9


@pytest.mark.parametrize("batch", ["N", 3])
def test_channels_last_and_a_fixed_batch(batch, capsys):
    write_pictures()
    write_classifier(IMAGENET, last=True, batch=batch)
    pictures, _, said = tried(capsys)
    assert pictures == {**OF_IMAGENET, "channels_last": True}
    assert "ImageNet's mean and scale, tried on 64 pictures: top-1 0.9" in said
    assert "(0 to 1: 0." in said


def test_of_whole_numbers_the_order_of_colours_is_tried(capsys):
    write_pictures()
    write_classifier(((0,) * 3, (1,) * 3), "bgr", dtype=UINT8)
    pictures, _, said = tried(capsys)
    assert pictures == {"colour": "bgr", "mean": 0, "scale": 1}
    assert "found: inputs.x.pictures: as they are, in BGR, tried on 64 pictures" in said


def test_pictures_of_other_sizes_and_without_colours(capsys):
    random = np.random.default_rng(0)
    for name, value in (("dark", 30), ("light", 220), ("middle", 90)):
        Path(f"pictures/{name}").mkdir(parents=True)
        for number in range(20):
            pixels = picture((value,) * 3, random, 30 + number)
            Image.fromarray(pixels).save(f"pictures/{name}/{number}.png")
    nodes = [
        node("Sub", "x one", "minus"),
        node("ReduceMean", "minus", "means", axes=[1, 2, 3], keepdims=0),
        node("Reshape", "means rows", "each"),
        node("Sub", "each centres", "away"),
        node("Mul", "away away", "squares"),
        node("Mul", "squares narrow"),
    ]
    centres = np.array([[-30, -220, -90]], np.float32) / 255
    stored = {"one": np.float32(1), "rows": np.array([-1, 1]), "centres": centres, "narrow": np.float32(-60)}
    write_model(nodes, {"x": (FLOAT, [1, SIDE, SIDE])}, [3], **stored)
    pictures, _, said = tried(capsys)
    assert pictures["colour"] == "grey"
    assert "nothing is left to fill in" in said
    assert through("model")[0]["top1"] > 0.9


@pytest.mark.parametrize("preparation", [UNIT, IMAGENET])
def test_the_order_that_the_answers_ask_for(preparation, capsys):
    write_pictures()
    write_classifier(preparation, classes=OTHER)
    pictures, classes, said = tried(capsys)
    assert pictures == (OF_IMAGENET if preparation is IMAGENET else USUAL)
    assert classes == list(OTHER)
    assert "found: data.classes: as its answers ask for, tried on 64 pictures: 0.9" in said
    assert "(in alphabetical order: 0." in said
    assert through("model")[0]["top1"] > 0.9


def test_classes_among_others_that_the_data_lack(capsys):
    write_pictures(NAMES[:3])
    write_classifier(UNIT, classes=("rose", *reversed(NAMES[:3])))
    _, classes, said = tried(capsys)
    assert classes == ["class 0", "lime", "clay", "amber"]
    assert "to fill in: data.classes: the names of 1 of the 4 classes" in said


@pytest.mark.parametrize("first", [0, 1])
def test_one_value_says_one_of_two_classes(first, capsys):
    random = np.random.default_rng(0)
    for name, value in (("dark", 70), ("light", 170)):
        Path(f"pictures/{name}").mkdir(parents=True)
        for number in range(20):
            Image.fromarray(picture((value,) * 3, random)).save(f"pictures/{name}/{number}.png")
    nodes, stored = undone(UNIT)
    nodes += [
        node("ReduceMean", "rgb", "means", axes=[1, 2, 3], keepdims=0),
        node("Sub", "means middle", "away"),
        node("Mul", "away steep", "logit"),
        node("Reshape", "logit rows", "flat"),
        node("Sigmoid", "flat"),
    ]
    stored |= {"middle": np.float32(120), "steep": np.float32(0.1 if first else -0.1), "rows": np.array([-1, 1])}
    write_model(nodes, {"x": (FLOAT, [3, SIDE, SIDE])}, [1], **stored)
    _, classes, said = tried(capsys)
    assert classes == (["dark", "light"] if first else ["light", "dark"]), said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "\n".join(OTHER) + "\n"),
        ("class_indices.json", json.dumps({name: place for place, name in enumerate(OTHER)})),
        ("config.json", json.dumps({"id2label": dict(enumerate(OTHER))})),
        ("data.yaml", f"nc: 4\nnames: {json.dumps(OTHER)}\n"),
    ],
)
def test_a_file_of_names_says_the_order(name, text, capsys):
    write_pictures()
    write_classifier(UNIT, classes=OTHER)
    Path(name).write_text(text)
    _, classes, said = tried(capsys)
    assert classes == list(OTHER)
    source = "a list of names beside the data" if name == "data.yaml" else name
    assert f"found: data.classes: as {source} says, tried on 64 pictures: 0.9" in said


def test_the_model_says_the_order_itself(capsys):
    write_pictures()
    write_classifier(UNIT, classes=OTHER)
    say("names", str(dict(enumerate(OTHER))))
    assert tried(capsys)[1] == list(OTHER)


def test_a_file_of_names_that_the_answers_speak_against(capsys):
    write_pictures()
    write_classifier(UNIT)
    Path("classes.txt").write_text("\n".join(OTHER))
    _, classes, said = tried(capsys)
    assert classes == list(NAMES)
    assert "found: data.classes: in alphabetical order" in said


@pytest.mark.parametrize("text", ["", "{", "[1, [2]]", "a\nb", "{}", '{"names": 3}', "\x00", "[" * 9000])
def test_files_that_are_no_names_are_passed_over(text):
    for name in ("classes.txt", "labels.json"):
        Path(name).write_text(text)
    found = [names for _, names in told_names(Path("m.pb"), [Path()])]
    assert all(names and len(names) < 3 and all(isinstance(name, str) for name in names) for names in found)


def test_numbers_sort_by_their_size(capsys):
    random = np.random.default_rng(0)
    centres = random.uniform(30, 225, (12, 3))
    for place, colour in enumerate(centres):
        Path(f"pictures/{place}").mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.tile(colour + random.normal(0, 3, 3), (SIDE, SIDE, 1)).astype(np.uint8)).save(
                f"pictures/{place}/{number}.png"
            )
    nodes, stored = undone(UNIT)
    nodes += [
        node("ReduceMean", "rgb", "means", axes=[2, 3], keepdims=0),
        node("MatMul", "means kernel", "products"),
        node("Add", "products bias"),
    ]
    kernel = (2 * centres.T / 50).astype(np.float32)
    bias = (-np.square(centres).sum(1) / 50).astype(np.float32)
    write_model(nodes, {"x": (FLOAT, [3, SIDE, SIDE])}, [12], **stored, kernel=kernel, bias=bias)
    _, classes, said = tried(capsys)
    assert classes == [str(place) for place in range(12)]
    assert "found: data.classes: in the order of their numbers, tried on 64 pictures:" in said


def write_chance():
    """Write a model whose answers mean nothing."""
    kernel = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    nodes = [node("ReduceMean", "x", "means", axes=[2, 3], keepdims=0), node("MatMul", "means kernel", "y")]
    write_model(nodes, {"x": (FLOAT, [3, SIDE, SIDE])}, [4], kernel=kernel)


def test_a_model_of_chance_keeps_the_guess(capsys):
    write_chance()
    random = np.random.default_rng(1)
    for name in NAMES:
        Path(f"pictures/{name}").mkdir(parents=True)
        for number in range(20):
            Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(f"pictures/{name}/{number}.png")
    pictures, classes, said = tried(capsys)
    assert (pictures, classes) == (USUAL, list(NAMES))
    assert f"to fill in: {QUESTION}. Tried on 64 pictures, none of 7 usual ways is better than chance: top-1 0." in said
    assert "data.classes: in alphabetical order; check that the model numbers them so. Tried on 64 " in said


def test_it_can_be_left_out(capsys):
    write_pictures()
    write_classifier(IMAGENET)
    pictures, _, said = tried(capsys, "--no-try")
    assert pictures == USUAL
    assert f"to fill in: {QUESTION}\n" in said
    assert "found" not in said


@pytest.mark.parametrize("error", [UserError("it is odd. "), RuntimeError("line\nline"), MemoryError(), KeyError("x")])
def test_what_fails_leaves_the_guess(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr(trials._Trials, "_open", fail)
    write_pictures()
    write_classifier(IMAGENET)
    pictures, _, said = tried(capsys)
    assert pictures == USUAL
    assert f"to fill in: {QUESTION}\n" in said
    assert "found: nothing, as that failed: " in said


def test_a_slow_model_is_not_asked(monkeypatch, capsys):
    monkeypatch.setattr("trtflow.families.own.init.bench.PATIENCE_S", 0)
    write_pictures()
    write_classifier(IMAGENET)
    pictures, _, said = tried(capsys)
    assert pictures == USUAL
    assert "found: nothing: the model takes " in said


def test_classes_of_a_table(capsys):
    random = np.random.default_rng(0)
    x = random.normal(size=(90, 4)).astype(np.float32)
    kernel = random.normal(size=(4, 3)).astype(np.float32) * 4
    write_model([node("MatMul", "x kernel")], {"x": (FLOAT, [4])}, [3], kernel=kernel)
    names = np.array(["pear", "apple", "fig"])
    rows = [
        ",".join([*map(repr, map(float, row)), name])
        for row, name in zip(x, names[(x @ kernel).argmax(1)], strict=True)
    ]
    Path("data.csv").write_text("\n".join(["a,b,c,d,species", *rows]))
    told, _ = written("model.onnx", "--data", "data.csv")
    assert told["data"]["classes"] == names.tolist()
    assert "found: data.classes: as its answers ask for, tried on 64 items: 1.00 are right" in capsys.readouterr().out


def write_told(columns, numbers_of):
    """Write 60 pictures of chance colours, and a table of what is told of each."""
    random, rows = np.random.default_rng(0), []
    Path("pictures").mkdir()
    for number in range(60):
        pixels = picture(random.uniform(40, 210, 3), random)
        Image.fromarray(pixels).save(f"pictures/{number}.png")
        rows.append(",".join([f"{number}.png", *map(str, numbers_of(pixels))]))
    Path("pictures/data.csv").write_text("\n".join([f"image,{columns}", *rows]))


def test_numbers_that_pictures_have(capsys):
    write_told("red", lambda pixels: [float(pixels[..., 0].mean())])
    nodes, stored = undone(IMAGENET)
    nodes += [node("ReduceMean", "rgb", "means", axes=[2, 3], keepdims=0), node("Gather", "means red", axis=1)]
    write_model(nodes, {"x": (FLOAT, [3, SIDE, SIDE])}, [1], **stored, red=np.array([0]))
    told, _ = written("model.onnx", "--data", "pictures/data.csv")
    assert told["task"] == "regression"
    assert told["inputs"]["x"]["pictures"] == OF_IMAGENET
    assert "ImageNet's mean and scale, tried on 60 pictures: R² 1.00 (0 to 1: 0.0" in capsys.readouterr().out


def test_several_labels_a_picture(capsys):
    write_told("red,green,blue", lambda pixels: (pixels.mean((0, 1)) > 125).astype(int))
    nodes, stored = undone(CAFFE, "bgr")
    nodes += [
        node("ReduceMean", "rgb", "means", axes=[2, 3], keepdims=0),
        node("Sub", "means middle", "away"),
        node("Sigmoid", "away"),
    ]
    write_model(nodes, {"x": (FLOAT, [3, SIDE, SIDE])}, [3], **stored, middle=np.float32(125))
    told, _ = written("model.onnx", "--data", "pictures/data.csv")
    assert told["task"] == "multilabel"
    assert told["inputs"]["x"]["pictures"]["colour"] == "bgr"
    said = capsys.readouterr().out
    assert "Caffe's mean, tried on 60 pictures: mAP 1.00 (0 to 1: 0." in said
    assert "found: data.classes: in the order of the columns, tried on 60 pictures: mAP 1.00" in said


def write_scenes(kind, height=32):
    """Write pictures of two squares on grey, with boxes of VOC or with masks."""
    random = np.random.default_rng(0)
    for folder in ("data/images", "data/Annotations" if kind == "boxes" else "data/masks"):
        Path(folder).mkdir(parents=True)
    for number in range(24):
        pixels, mask = np.full((height, 32, 3), 114, np.uint8), np.zeros((height, 32), np.uint8)
        cells = random.choice(height // 2, 2, replace=False)
        objects = []
        for label, cell in enumerate(cells):
            top, left = 8 * (cell // 4), 8 * (cell % 4)
            pixels[top : top + 8, left : left + 8] = picture(tuple(COLOURS.values())[2 * label], random, 8)
            mask[top : top + 8, left : left + 8] = label + 1
            box = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{left + 8}</xmax><ymax>{top + 8}</ymax>"
            objects.append(f"<object><name>{NAMES[2 * label]}</name><bndbox>{box}</bndbox></object>")
        Image.fromarray(pixels).save(f"data/images/{number}.png")
        if kind == "masks":
            Image.fromarray(mask).save(f"data/masks/{number}.png")
        else:
            size = f"<size><width>32</width><height>{height}</height><depth>3</depth></size>"
            text = f"<annotation><filename>{number}.png</filename>{size}{''.join(objects)}</annotation>"
            Path(f"data/Annotations/{number}.xml").write_text(text)


def nearness(pixels, labels, width):
    """Return nodes that say how near pixels [N, 3, h, w] are to colours, by the mean square, and what they store."""
    centres = [COLOURS[NAMES[label]] if label is not None else (114,) * 3 for label in labels]
    stored = {
        "centres": np.array(centres, np.float32).reshape(1, len(labels), 3, 1, 1),
        "width": np.float32(-1 / width),
    }
    nodes = [
        node("Unsqueeze", f"{pixels} one", "each"),
        node("Sub", "each centres", "away"),
        node("Mul", "away away", "squares"),
        node("ReduceMean", "squares", "far", axes=[2], keepdims=0),
        node("Mul", "far width", "near"),
        node("Exp", "near", "bells"),
    ]
    return nodes, {**stored, "one": np.array([1])}


def test_masks_of_pictures(capsys):
    write_scenes("masks")
    nodes, stored = undone(IMAGENET)
    near, more = nearness("rgb", [None, 0, 2], 1500)
    write_model([*nodes, *near, node("Identity", "bells")], {"x": (FLOAT, [3, 32, 32])}, [3, 32, 32], **stored, **more)
    told, _ = written("model.onnx", "--data", "data")
    assert told["task"] == "segmentation"
    assert told["inputs"]["x"]["pictures"] == {**OF_IMAGENET, "resize": "stretch"}
    assert "ImageNet's mean and scale, tried on 24 pictures: mIoU 1.00 (0 to 1: 0.3" in capsys.readouterr().out


def write_detector(labels):
    """Write a model that says of each of 16 cells how near it is to a colour of a class."""
    nodes, stored = undone(IMAGENET)
    near, more = nearness("cells", labels, 300)
    nodes += [
        node("AveragePool", "rgb", "cells", kernel_shape=[8, 8], strides=[8, 8]),
        *near,
        node("Reshape", "bells flat", "scores"),
        node("ReduceSum", "scores axis", "any", keepdims=1),
        node("Mul", "any none", "zeros"),
        node("Add", "zeros places", "boxes"),
        node("Concat", "boxes scores", "table", axis=1),
        node("Identity", "table"),
    ]
    corners = np.array([(8 * (cell % 4) + 4, 8 * (cell // 4) + 4, 8, 8) for cell in range(16)], np.float32)
    stored |= {"places": corners.T[None], "axis": np.array([1]), "none": np.float32(0), "flat": np.array([0, 2, 16])}
    write_model(nodes, {"x": (FLOAT, [3, 32, 32])}, [6, 16], **stored, **more)


@pytest.mark.parametrize(("labels", "named"), [([0, 2], True), ([2, 0], True), ([2, 0], False)])
def test_boxes_on_pictures(labels, named, capsys):
    write_scenes("boxes")
    write_detector(labels)
    if named:
        say("names", str({place: NAMES[label] for place, label in enumerate(labels)}))
    told, _ = written("model.onnx", "--data", "data")
    assert told["task"] == "detection"
    said = capsys.readouterr().out
    assert told["inputs"]["x"]["pictures"] == {**OF_IMAGENET, "resize": "letterbox"}, said
    assert told["data"]["classes"] == [NAMES[label] for label in labels]
    assert "ImageNet's mean and scale, tried on 24 pictures: mAP 1.00 (0 to 1: 0.0" in said
    assert "to fill in: inputs.x.pictures.resize: letterbox is usual" in said


def test_how_pictures_get_into_the_input(capsys):
    write_scenes("boxes", height=24)
    write_detector([0, 2])
    told, _ = written("model.onnx", "--data", "data")
    assert told["inputs"]["x"]["pictures"] == {**OF_IMAGENET, "resize": "corner"}
    assert (
        "found: inputs.x.pictures.resize: corner, tried on 24 pictures: mAP 1.00 (letterbox: 0."
        in capsys.readouterr().out
    )
