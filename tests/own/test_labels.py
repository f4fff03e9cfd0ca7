"""Labels in the forms that people have them: what `trtflow init` takes them for, and the scores."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from own_steps import done, job_of, through, written
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score
from small_onnx import FLOAT, RNG, node, write_model, write_table

from trtflow.formats import UserError
from trtflow.formats.arrays import read_arrays
from trtflow.samples import load

NAMES = ["boat", "car", "dog"]
COUNT = 24


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_rows(end="Sigmoid", width=3):
    """Write a model of rows of four numbers with an end such as a sigmoid, rows, and the logits before it."""
    kernel = RNG.normal(size=(4, width)).astype(np.float32)
    ends = [node("Identity", "z")] if end is None else [node(end, "z")]
    write_model([node("MatMul", "x kernel", "z"), *ends], {"x": (FLOAT, [4])}, [width], kernel=kernel)
    x = RNG.normal(size=(COUNT, 4)).astype(np.float32)
    return x, x @ kernel


def write_lines(heading, rows):
    Path("data.csv").write_text("\n".join([",".join(heading), *(",".join(map(str, row)) for row in rows), ""]))


def listed(logits, separator):
    return [separator.join(np.array(NAMES)[row > 0]) for row in logits]


def by_arrays(x, logits):
    np.savez("data.npz", x=x, labels=(logits > 0).astype(np.float32))
    return "data.npz", "labels", None


def by_columns(x, logits):
    rows = np.concatenate([x, logits > 0], 1).tolist()
    write_table([*"abcd", *NAMES], [[*row[:4], *map(int, row[4:])] for row in rows])
    return "data.csv", NAMES, NAMES


def by_lists(separator, column="tags"):
    def write(x, logits):
        fields = [f'"{text}"' for text in listed(logits, separator)]
        write_lines([*"abcd", column], [[*row, text] for row, text in zip(x.tolist(), fields, strict=True)])
        return "data.csv", column, NAMES

    return write


FORMS = {
    "array": by_arrays,
    "columns": by_columns,
    "spaces": by_lists(" "),
    "bars": by_lists("|", "labels"),
    "commas": by_lists(", ", "Finding Labels"),
}


@pytest.mark.parametrize("form", FORMS)
def test_several_labels_an_item(form, capsys):
    x, logits = write_rows()
    data, column, names = FORMS[form](x, logits)
    told, text = written("model.onnx", "--data", data)
    assert told["task"] == "multilabel"
    assert told["outputs"]["y"].get("target", "labels") == column
    assert "logits" not in told["outputs"]["y"]
    if names is None:
        assert "data.classes: the names of all 3 classes" in capsys.readouterr().out
    else:
        assert told["data"]["classes"] == names
    assert "int8_map_drop" in text
    metrics, agreement = through("model")
    assert (metrics["map"], metrics["f1_micro"], metrics["f1_macro"]) == (1, 1, 1)
    assert agreement["label_agreement"] == 1
    done(job_of("model", "draw"))
    assert Path("results/model/figures/labels.png").read_bytes().startswith(b"\x89PNG")
    assert "right " in Path("results/model/figures/labels.txt").read_text()


def test_scores_of_logits_are_those_of_scikit_learn():
    x, logits = write_rows(end=None)
    truth = logits + RNG.normal(size=logits.shape) > 0
    np.savez("data.npz", x=x, labels=truth)
    told, _ = written("model.onnx", "--data", "data.npz")
    assert told["outputs"]["y"]["logits"] is True
    told["outputs"]["y"]["threshold"] = 0.7
    Path("config/samples/model.yaml").write_text(yaml.safe_dump(told))
    metrics, _ = through("model")
    (items,) = read_arrays("results/model/predictions.fp32.npz", "images")
    rows = items.astype(int)
    scores, truth = 1 / (1 + np.exp(-logits[rows])), truth[rows]
    assert metrics["map"] == pytest.approx(average_precision_score(truth, scores), abs=1e-6)
    assert metrics["f1_micro"] == pytest.approx(f1_score(truth, scores > 0.7, average="micro"))


def test_lists_of_a_parquet_file_are_labels():
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow  # noqa: PLC0415 - of who has such files

    x, logits = write_rows()
    lists = [np.array(NAMES)[row > 0].tolist() for row in logits]
    parquet.write_table(pyarrow.table({"x": x.tolist(), "objects": lists}), "data.parquet")
    told, _ = written("model.onnx", "--data", "data.parquet")
    assert (told["task"], told["data"]["classes"]) == ("multilabel", NAMES)
    assert through("model")[0]["f1_macro"] == 1


def test_a_class_an_item_as_columns_of_0_and_1_is_a_classification():
    x, logits = write_rows(end=None)
    marks = (np.eye(3)[logits.argmax(1)]).astype(int)
    write_table([*"abcd", *NAMES], [[*row, *mark] for row, mark in zip(x.tolist(), marks.tolist(), strict=True)])
    told, _ = written("model.onnx", "--data", "data.csv")
    assert (told["task"], told["data"]["classes"], told["outputs"]["y"]["target"]) == ("classification", NAMES, NAMES)
    assert through("model")[0]["top1"] == 1


@pytest.mark.parametrize("end", ["Sigmoid", None])
@pytest.mark.parametrize("name", ["labels", "y"])
def test_one_output_for_two_classes(end, name):
    x, logits = write_rows(end, width=1)
    if (end, name) == (None, "y"):
        name = "label"  # a plain number that should be 0 or 1 may be one to predict
    np.savez("data.npz", x=x, **{name: (logits[:, 0] > 0).astype(np.float64)})
    told, _ = written("model.onnx", "--data", "data.npz")
    assert told["task"] == "classification"
    assert told["outputs"]["y"].get("logits", False) is (end is None)
    assert through("model")[0]["top1"] == 1


def test_numbers_of_classes_are_labels_whatever_their_array_is_called():
    x, logits = write_rows("Softmax")
    np.savez("data.npz", x=x, truth=logits.argmax(1))
    told, _ = written("model.onnx", "--data", "data.npz")
    assert (told["task"], told["outputs"]["y"]) == ("classification", {"target": "truth"})
    assert through("model")[0]["top1"] == 1


def test_whole_numbers_that_are_predicted_stay_numbers():
    x, logits = write_rows(end=None, width=1)
    np.savez("data.npz", x=x, y=np.round(logits[:, 0]) + 5)
    assert written("model.onnx", "--data", "data.npz")[0]["task"] == "regression"


def write_pictures(names, folder="train_images"):
    """Write pictures of 4 x 4, of which the first of three channels with the largest mean says the class."""
    Path(folder).mkdir()
    colours = RNG.permutation(np.arange(len(names)) % 3)
    for name, colour in zip(names, colours, strict=True):
        pixels = RNG.integers(0, 60, (4, 4, 3), np.uint8)
        pixels[..., colour] += 120
        Image.fromarray(pixels).save(f"{folder}/{name}.png")
    write_model([node("ReduceMean", "image", axes=[2, 3], keepdims=0)], {"image": (FLOAT, [3, 4, 4])}, [3])
    return colours


@pytest.mark.parametrize(
    ("stems", "heading"),
    [
        ([f"{number:04}" for number in range(COUNT)], ["id", "breed"]),
        ([f"a.{number}.x" for number in range(COUNT)], ["breed", "filename"]),
        ([str(number + 7) for number in range(COUNT)], ["image_id", "label"]),
    ],
)
@pytest.mark.parametrize("place", ["train.csv", "."])
def test_a_table_that_names_pictures(stems, heading, place):
    colours = write_pictures(stems)
    rows = zip(stems, np.array(NAMES)[colours], strict=True)
    rows = [(f"{stem}.png", name) if "filename" in heading else (stem, name) for stem, name in rows]
    write_lines(heading, [row[::-1] if heading[0] == "breed" else row for row in rows])
    Path("data.csv").rename("train.csv")
    told, _ = written("model.onnx", "--data", place)
    assert (told["task"], told["data"]["folder"], told["data"]["val"]) == (
        "classification",
        "train_images",
        "train.csv",
    )
    assert told["data"]["classes"] == NAMES
    assert told["inputs"]["image"]["from"] in ("id", "filename", "image_id")
    assert through("model")[0]["top1"] == 1
    names = load("model").read_images(Path("train.csv"), "val")[0].column(told["inputs"]["image"]["from"], "a test")
    next(Path("train_images").glob(f"{names[3]}*")).unlink()
    with pytest.raises(UserError, match=r"train.csv: row \d+: the picture '.*' is not in train_images. Add it"):
        through("model")


def test_numbers_of_pictures_are_predicted():
    write_pictures([f"{number:04}" for number in range(COUNT)])
    means = [np.asarray(Image.open(f"train_images/{number:04}.png")).mean((0, 1)) / 255 for number in range(COUNT)]
    rows = [(f"{number:04}", *mean.tolist()) for number, mean in enumerate(means)]
    write_lines(["picture", "red", "green", "blue"], rows)
    told, _ = written("model.onnx", "--data", "data.csv")
    assert (told["task"], told["outputs"]["y"]["target"]) == ("regression", ["red", "green", "blue"])
    assert through("model")[0]["r2"] > 0.9999


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["boat|cat"], r"data.csv: the label of row 0 'cat' is no class. The model's 3 classes are boat, car, dog"),
        (["", ""], r"data.csv: no item is of any class"),
        ([1, 2], r"data.csv: labels of shape \(\), but there are 3 classes. Give a column of 0 and 1 for each"),
    ],
)
def test_lists_that_do_not_fit(rows, message):
    x, logits = write_rows()
    by_lists("|")(x, logits)
    told, _ = written("model.onnx", "--data", "data.csv")
    told = {**told, "precisions": ["fp32"], "max_batch_size": 1}
    del told["gates"]
    Path("config/samples/model.yaml").write_text(yaml.safe_dump(told))
    write_lines([*"abcd", "tags"], [(1, 2, 3, 4, text) for text in rows])
    with pytest.raises(UserError, match=message):
        done(job_of("model", "export"))


def test_marks_that_are_neither_0_nor_1():
    x, logits = write_rows()
    by_columns(x, logits)
    told, _ = written("model.onnx", "--data", "data.csv")
    told = {**told, "precisions": ["fp32"], "max_batch_size": 1}
    del told["gates"]
    Path("config/samples/model.yaml").write_text(yaml.safe_dump(told))
    text = Path("data.csv").read_text()
    Path("data.csv").write_text(re.sub(r"[01]$", "7", text, count=1, flags=re.MULTILINE))
    with pytest.raises(UserError, match="data.csv: a label of row 0 is 7, neither 0 nor 1"):
        done(job_of("model", "export"))
    told["task"] = "classification"
    Path("config/samples/model.yaml").write_text(yaml.safe_dump(told))
    Path("data.csv").write_text(re.sub(r"\d,\d,\d$", "1,1,0", text, count=1, flags=re.MULTILINE))
    with pytest.raises(UserError, match=r"data.csv: row 0 is of 2 classes. Give each one class, or set task: multil"):
        done(job_of("model", "export"))
