"""What `trtflow init` tells from data that are arrays and tables: shapes, targets, several labels an item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from own_steps import through, written
from PIL import Image
from small_onnx import FLOAT, INT64, RNG, UINT8, node, write_model, write_product, write_table

from trtflow.formats import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_columns_behind_those_of_the_input_are_what_is_predicted(capsys):
    kernel = write_product(3, 2)
    x = RNG.normal(size=(40, 3))
    write_table(["a", "b", "c", "price", "rent"], np.concatenate([x, x @ kernel], 1).tolist())
    told, _ = written("model.onnx", "--data", "data.csv")
    assert told["task"] == "regression"
    assert told["inputs"]["x"]["from"] == ["a", "b", "c"]
    assert told["outputs"] == {"y": {"target": ["price", "rent"]}}
    assert "the last 2 columns, price to rent, are taken for what is predicted; check that" in capsys.readouterr().out
    assert through("model")[0]["r2"] > 0.999999


@pytest.mark.parametrize("columns", [["a", "b", "c", "d", "price", "rent"], ["a", "b", "c", "price"]])
def test_columns_that_fit_no_input_are_told(columns):
    write_product(3, 2)
    write_table(columns, RNG.normal(size=(8, len(columns))).tolist())
    message = rf"data.csv: {len(columns)} numbers a row, but input 'x' takes 3. Name what is predicted"
    with pytest.raises(UserError, match=message):
        written("model.onnx", "--data", "data.csv")


def test_open_sizes_are_those_of_the_data(capsys):
    write_model([node("ReduceMean", "x", axes=[1])], {"x": (FLOAT, ["T", 3])}, [1, 3])
    x = RNG.normal(size=(40, 7, 3)).astype(np.float32)
    np.savez("data.npz", x=x, targets=x.mean(1, keepdims=True))
    told, _ = written("model.onnx", "--data", "data.npz")
    assert told["inputs"]["x"]["shape"] == [7, 3]
    assert "nothing is left to fill in" in capsys.readouterr().out
    assert through("model")[0]["r2"] > 0.999999
    Path("config/samples/model.yaml").unlink()
    np.savez("data.npz", x=x[..., :2], targets=x.mean(1, keepdims=True))
    with pytest.raises(UserError, match=r"input 'x' leaves sizes behind the batch open, \[-1, 3\]. Say them: --shape"):
        written("model.onnx", "--data", "data.npz")


def test_a_shape_that_was_given_is_no_guess(capsys):
    write_model([node("ReduceMean", "x", axes=[1])], {"x": (FLOAT, ["T", 3])}, [1, 3])
    told, _ = written("model.onnx", "--shape", "x=7,3")
    assert told["inputs"]["x"]["shape"] == [7, 3]
    assert "x.shape" not in capsys.readouterr().out


def test_labels_that_no_task_scores_are_said():
    table = RNG.normal(size=(9, 3)).astype(np.float32)
    write_model([node("Gather", "table ids")], {"ids": (INT64, [5])}, [5, 3], table=table)
    ids = RNG.integers(0, 9, (40, 5))
    np.savez("data.npz", ids=ids, labels=table[ids].argmax(2))
    told, text = written("model.onnx", "--data", "data.npz")
    assert told["task"] == "none"
    assert "no task scores 'labels' of the data as they are" in text


def test_pixels_of_an_input_of_whole_numbers_stay_as_they_are(capsys):
    nodes = [
        node("Cast", "pixels", "values", to=FLOAT),
        node("ReduceMean", "values", "means", axes=[1, 2]),
        node("Reshape", "means flat"),
    ]
    write_model(nodes, {"pixels": (UINT8, [4, 4, 3])}, [3], flat=np.array([0, -1]))
    for number, name in enumerate(("red", "green", "blue") * 8):
        picture = RNG.integers(0, 99, (4, 4, 3), np.uint8)
        picture[..., number % 3] += 100
        Path(f"pictures/{name}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(f"pictures/{name}/{number}.png")
    told, _ = written("model.onnx", "--data", "pictures")
    assert told["inputs"]["pixels"]["pictures"] == {"colour": "rgb", "mean": 0, "scale": 1, "channels_last": True}
    assert "0 to 1 is a guess" not in capsys.readouterr().out
    told["data"]["classes"] = ["red", "green", "blue"]
    Path("config/samples/model.yaml").write_text(yaml.safe_dump(told))
    assert through("model")[0]["top1"] == 1


def test_several_columns_of_lists_stand_side_by_side():
    from trtflow.datasets.own import Items  # noqa: PLC0415 - beside the others

    columns = {"a": np.arange(4.0).reshape(2, 2), "b": np.array([8, 9])}
    found = Items(Path("t.parquet"), ["0", "1"], columns).numbers(["a", "b"], "input 'x'")
    np.testing.assert_array_equal(found, [[0, 1, 8], [2, 3, 9]])
