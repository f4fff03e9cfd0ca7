"""What `trtflow init` tells from data that are arrays and tables: shapes, targets, several labels an item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from own_steps import through, written
from PIL import Image

from trtflow.formats import UserError

FLOAT, INT64, UINT8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_model(nodes, inputs, shape, opset=13, **stored):
    """Write model.onnx, whose output is y [N, ...]; inputs are types and shapes behind the batch, by name."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, ["N", *sizes]) for name, (kind, sizes) in inputs.items()],
        [helper.make_tensor_value_info("y", FLOAT, ["N", *shape])],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in stored.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), "model.onnx")


def node(operator, inputs, output="y", **attributes):
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def write_product(rows, columns):
    """Write a model that multiplies x with a matrix, and return that."""
    kernel = RNG.normal(size=(rows, columns)).astype(np.float32)
    write_model([node("MatMul", "x kernel")], {"x": (FLOAT, [rows])}, [columns], kernel=kernel)
    return kernel


def write_table(columns, rows):
    Path("data.csv").write_text("\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows), ""]))


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


def test_several_labels_an_item_are_numbers(capsys):
    kernel = RNG.normal(size=(4, 3)).astype(np.float32)
    nodes = [node("MatMul", "x kernel", "z"), node("Sigmoid", "z")]
    write_model(nodes, {"x": (FLOAT, [4])}, [3], kernel=kernel)
    x = 20 * RNG.normal(size=(40, 4)).astype(np.float32)
    np.savez("data.npz", x=x, labels=(x @ kernel > 0).astype(np.int64))
    told, _ = written("model.onnx", "--data", "data.npz")
    assert (told["task"], told["outputs"]) == ("regression", {"y": {"target": "labels"}})
    assert "for F1 or precision give a hook with score" in capsys.readouterr().out
    assert through("model")[0]["rmse"] < 0.1


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


@pytest.mark.parametrize("operator", ["QuantizeLinear", "DynamicQuantizeLinear"])
def test_a_model_that_is_quantised_already_is_one_line(operator):
    constants = {"scale": np.float32(0.1), "zero": np.int8(0)}
    nodes = {
        "QuantizeLinear": [node("QuantizeLinear", "x scale zero", "q"), node("DequantizeLinear", "q scale zero")],
        "DynamicQuantizeLinear": [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("DequantizeLinear", "q s z"),
        ],
    }[operator]
    write_model(nodes, {"x": (FLOAT, [3])}, [3], **(constants if operator == "QuantizeLinear" else {}))
    with pytest.raises(
        UserError, match=rf"model.onnx: it is quantised already \({operator}\). Give the model as it was"
    ):
        written("model.onnx")


def test_several_columns_of_lists_stand_side_by_side():
    from trtflow.datasets.own import Items  # noqa: PLC0415 - beside the others

    columns = {"a": np.arange(4.0).reshape(2, 2), "b": np.array([8, 9])}
    found = Items(Path("t.parquet"), ["0", "1"], columns).numbers(["a", "b"], "input 'x'")
    np.testing.assert_array_equal(found, [[0, 1, 8], [2, 3, 9]])
