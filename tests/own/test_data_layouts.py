"""`trtflow init` and the layouts that people have data sets in, beside those of tests/own/test_init_places.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from own_steps import through, written
from PIL import Image
from places import CLASSES, Table8, export, write_pictures
from small_onnx import FLOAT, RNG, node, write_model

from trtflow.formats import FormatError

NAMES = ["ants", "bees", "wasps"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_colours(*places):
    """Write pictures whose strongest channel is their class, in a folder each, and a model that sees it."""
    for place in places:
        for number in range(9):
            pixels = RNG.integers(0, 60, (4, 4, 3), np.uint8)
            pixels[..., number % 3] += 120
            path = Path(place, NAMES[number % 3], f"{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    write_model([node("ReduceMean", "image", axes=[2, 3], keepdims=0)], {"image": (FLOAT, [3, 4, 4])}, [3])


@pytest.mark.parametrize("name", ["val", "validation", "test"])
def test_a_folder_of_classes_a_split(name):
    write_colours("set/train", f"set/{name}")
    told, _ = written("model.onnx", "--data", "set")
    assert (told["data"]["val"], told["data"]["calibration"]) == (f"set/{name}", "set/train")
    assert (told["task"], told["data"]["classes"]) == ("classification", NAMES)
    assert through("model")[0]["top1"] == 1


def test_a_folder_of_classes_alone_is_all_scored():
    write_colours("set")
    assert written("model.onnx", "--data", "set")[0]["data"]["val"] == "set"


@pytest.mark.parametrize("path", ["squares", "../datasets/squares", None])
def test_the_yaml_file_of_a_yolo_data_set(folder, path):
    place = Path("work/squares") if path != "../datasets/squares" else Path("datasets/squares")
    write_pictures(Path("made"), 6)
    for kind, name in (("pictures", "images"), ("labels", "labels")):
        shutil.copytree(f"made/{kind}", place / name / "val")
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
    told = f"path: {path}\ntrain: images/train\nval: images/val\nnames:\n{names}"
    file = Path("work/squares.yaml") if path else place / "data.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(told if path else told.partition("\n")[2])
    export(Table8(), Path("table8.onnx"), ["output0"])
    told, _ = written("table8.onnx", "--data", file)
    assert (told["task"], told["data"]["classes"]) == ("detection", list(CLASSES))
    assert told["data"]["val"] == str(place / "images/val")
    assert through("table8")[0]["map"] > 0.99


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val: nowhere\nnames: [a, b]\n", r"d.yaml: it names 'nowhere', which is not in \."),
        ("names: [a, b]\n", r"d.yaml: not the YAML file of a data set"),
        ("- a\n", r"d.yaml: not the YAML file of a data set"),
        ("a: [\n", r"d.yaml: not the YAML file of a data set"),
    ],
)
def test_a_yaml_file_that_is_none(text, message):
    write_colours("set")
    Path("d.yaml").write_text(text)
    with pytest.raises(FormatError, match=message):
        written("model.onnx", "--data", "d.yaml")


def write_rows(*names, width=3):
    """Write a model of rows, and rows and what they should be as arrays of these names, of which the last have five."""
    kernel = RNG.normal(size=(4, width)).astype(np.float32)
    write_model([node("MatMul", "rows kernel")], {"rows": (FLOAT, [4])}, [width], kernel=kernel)
    x = RNG.normal(size=(24, 4)).astype(np.float32)
    arrays = dict(zip(names[:2], (x, (x @ kernel).argmax(1)), strict=True))
    np.savez("data.npz", **arrays, **dict.fromkeys(names[2:], x[:5]))


@pytest.mark.parametrize("names", [("x_test", "y_test", "x_train", "y_train"), ("X_val", "labels_val", "X_train")])
def test_arrays_that_were_trained_with_are_left_out(names):
    write_rows(*names)
    told, _ = written("model.onnx", "--data", "data.npz")
    assert (told["task"], told["inputs"]["rows"]["from"]) == ("classification", names[0])
    assert through("model")[0]["top1"] == 1


def test_the_only_array_of_an_inputs_shape_is_what_it_takes():
    write_rows("X", "y")
    told, _ = written("model.onnx", "--data", "data.npz")
    assert (told["inputs"]["rows"], told["task"]) == ({"from": "X"}, "classification")


def test_embeddings_have_no_classes():
    write_colours("set")
    nodes = [
        node("ReduceMean", "image", "means", axes=[2, 3], keepdims=0),
        node("MatMul", "means kernel", "wide"),
        node("LpNormalization", "wide", axis=1, p=2),
    ]
    kernel = RNG.normal(size=(3, 16)).astype(np.float32)
    write_model(nodes, {"image": (FLOAT, [3, 4, 4])}, [16], kernel=kernel)
    told, text = written("model.onnx", "--data", "set")
    assert told["task"] == "none"
    assert "rows of 'y' are of length 1, as embeddings are" in text


@pytest.mark.parametrize(("keys", "task"), [({}, "detection"), ({"keypoints": ["nose"]}, "none")])
def test_cocos_own_folders(keys, task):
    write_pictures(Path("made"), 6)
    shutil.copytree("made/pictures", "coco/val2017")
    content = json.loads(Path("made/labels.json").read_text())
    content["categories"] = [{**category, **keys} for category in content["categories"]]
    Path("coco/annotations").mkdir()
    Path("coco/annotations/instances_val2017.json").write_text(json.dumps(content))
    export(Table8(), Path("table8.onnx"), ["output0"])
    told, _ = written("table8.onnx", "--data", "coco")
    assert (told["task"], told["data"]["val"]) == (task, "coco/val2017" if task == "detection" else "coco")
