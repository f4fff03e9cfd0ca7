"""Models of later opsets in the forms that TensorRT 8.6 reads: the same values, and nothing that it misreads."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from trtflow.formats import UserError
from trtflow.reference.record.onnx.brought_down import bring_down

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model_of(nodes, opset, kind=FLOAT, functions=(), **stored):
    """Return a model of x [N, 3, 4, 5] to y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 3, 4, 5])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in stored.items()],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(item.domain, 1) for item in functions)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, functions=list(functions))


def node(operator, inputs="x", outputs="y", **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def branches():
    """Return an If whose one branch reduces, with a Constant of whole numbers in it."""
    there = helper.make_tensor_value_info("out", FLOAT, None)
    axes = node("Constant", "", "axes", value_ints=[2, 3])
    reduced = helper.make_graph([axes, node("ReduceMax", "x axes", "out", keepdims=0)], "r", [], [there])
    other = helper.make_graph(
        [node("ReduceMin", "x two", "some", keepdims=0), node("ReduceMin", "some two", "out", keepdims=0)],
        "o",
        [],
        [there],
    )
    return [node("If", "yes", "y", then_branch=reduced, else_branch=other)]


FUNCTION = helper.make_function(
    "own",
    "Halved",
    ["a"],
    ["b"],
    [node("Constant", "", "half", value_float=0.5), node("Mul", "a half", "b")],
    [helper.make_opsetid("", 18)],
)
CASES = {
    "axes of ReduceMean": model_of([node("ReduceMean", "x axes", keepdims=0)], 18, axes=[2, 3]),
    "axes by a Constant": model_of([node("Constant", "", "axes", value_ints=[-1]), node("ReduceL2", "x axes")], 20),
    "a part of a shape": model_of([node("Shape", start=1, end=3)], 15, INT64),
    "the end of a shape": model_of([node("Shape", start=-2)], 19, INT64),
    "uneven parts": model_of([node("Split", "x", "a b", axis=3, num_outputs=2), node("Concat", "b a", axis=3)], 18),
    "Pad along axes": model_of(
        [node("Pad", "x pads  axes".replace("  ", " none "))], 18, pads=[1, 2], none=np.float32(7), axes=[3]
    ),
    "GELU": model_of([node("Gelu")], 20),
    "within a branch": model_of(branches(), 18, yes=True, two=[2]),
    "a function of the model's own": model_of([node("Halved", domain="own")], 18, functions=[FUNCTION]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_stay_and_misread_forms_go(name):
    model = CASES[name]
    before = model.SerializeToString()
    found = bring_down(model)
    assert model.SerializeToString() == before
    assert max(item.version for item in found.opset_import if not item.domain) <= 17
    assert not found.functions
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    (wanted,), (values,) = (
        onnxruntime.InferenceSession(made.SerializeToString()).run(["y"], {"x": x}) for made in (model, found)
    )
    np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6)
    for made in all_nodes(found.graph):
        assert not made.op_type.startswith("Reduce") or made.op_type == "ReduceSum" or len(made.input) == 1
        assert made.op_type != "Shape" or not made.attribute
        assert made.op_type != "Constant" or made.attribute[0].name in ("value", "value_float")


def all_nodes(graph):
    for made in graph.node:
        yield made
        for item in made.attribute:
            if item.type == item.GRAPH:
                yield from all_nodes(item.g)


def test_what_opset_17_cannot_say_is_told():
    model = model_of(
        [node("Resize", "x none scales", antialias=1, mode="linear")],
        18,
        none=np.float32([]),
        scales=np.float32([1, 1, 0.5, 0.5]),
    )
    with pytest.raises(UserError, match="node 'y' \\(Resize\\): .*antialias"):
        bring_down(model)


def test_an_engine_of_a_model_that_pytorch_writes_today_is_right(tmp_path):
    """TensorRT 8.6 reduces along all axes where these are an input; what is imported has none."""
    from trtflow.converters.model_file import import_model  # noqa: PLC0415 - loads what migrates

    path = tmp_path / "mean.onnx"
    model = CASES["axes of ReduceMean"]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, ["N", 3]))
    onnx.save(model, path)
    taken = import_model(path, tmp_path)
    (made,) = onnx.load(taken.path).graph.node
    assert [item.name for item in made.attribute if list(item.ints) == [2, 3]] == ["axes"]
