"""The UFF parser on graphs made by hand: plugins, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from uff_cases import (
    NC,
    NCHW,
    NHWC,
    PICTURES,
    behind_convolution,
    check,
    convolved,
    first,
    lenet,
    normal,
)
from uff_graphs import FLOAT, INT, UffGraph, parse, run

import trtflow.reference as trt
from trtflow.formats import FormatError
from trtflow.formats.uff import data_of
from trtflow.reference import NetworkError
from trtflow.reference.record.uff_operations import OPERATIONS
from trtflow.runtime.plugins import load_plugins

# plugins


class Recorder(trt.IPluginV2):
    """A plugin that keeps its fields."""

    plugin_type = "Recorder"
    num_outputs = 2

    def get_output_shape(self, index, inputs):
        return inputs[0] if index == 0 else trt.Dims((inputs[0][0], 1, 1))


@pytest.fixture
def recorder():
    """Register the plugin Recorder, and return the fields of those that are made."""
    made = {}

    class Creator(trt.IPluginCreator):
        def create_plugin(self, name, field_collection):
            made[name] = {field.name: field for field in field_collection}
            return super().create_plugin(name, trt.PluginFieldCollection())

    fields = dict.fromkeys(("count", "rate", "text", "flag", "sizes", "rates", "T"), 0)
    creator = Creator(Recorder, {})
    creator.field_names = trt.PluginFieldCollection(trt.PluginField(name) for name in fields)
    registry = trt.get_plugin_registry()
    registry.register_creator(creator)
    yield made
    registry.deregister_creator(creator)


def test_plugin_fields_have_the_types_of_the_nodes_fields(recorder):
    graph = behind_convolution()[0]
    fields = {"count": 3, "rate_u_float": 0.5, "text": "b'VALID'", "flag": True, "sizes": [1, 2], "rates": [0.5, 1.5]}
    graph.node("r", "_Recorder", ["c"], T=FLOAT, not_a_field=1, **fields)
    graph.node("y", "Activation", ["r_1"], func="relu")
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    found = recorder["r"]
    kinds = trt.PluginFieldType
    assert {name: (field.type, field.data.tolist()) for name, field in found.items() if name != "text"} == {
        "count": (kinds.INT32, [3]),
        "rate": (kinds.FLOAT32, [0.5]),
        "flag": (kinds.INT32, [1]),
        "sizes": (kinds.INT32, [1, 2]),
        "rates": (kinds.FLOAT32, [0.5, 1.5]),
        "T": (kinds.INT32, [int(trt.float32)]),
    }
    assert found["text"].type == kinds.CHAR
    assert bytes(found["text"].data) == b"b'VALID'"
    assert [(layer.name, layer.num_outputs) for layer in network][1:] == [("r", 2), ("y", 1)]


def test_plugins_see_channels_first_and_what_follows_knows():
    """As TensorRT's uff_custom_plugin: the clip behind a convolution; behind it a flattening in the graph's order."""
    graph, x, value = behind_convolution()
    graph.node("clip", "_CustomClipPlugin", ["c"], clipMin_u_float=-0.5, clipMax_u_float=0.5)
    matrix = normal(168, 3)
    graph.product("y", graph.node("flat", "Flatten", ["clip"]), matrix)
    load_plugins(trt, ["CustomClipPlugin"])
    check(run(graph, {"x": x})[0], np.clip(value, -0.5, 0.5).reshape(2, -1) @ matrix)
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    assert network[1].get_input(0) is network[0].get_output(0)


def test_bias_behind_a_plugin_that_gives_a_vector(recorder):
    graph = UffGraph()
    graph.input("x", PICTURES)
    graph.node("r", "_Recorder", ["x"])
    graph.const("b", normal(3))
    graph.binary("y", "add", "r_1", "b")
    network = parse(graph, {"x": ((3, 6, 7), NCHW)})
    assert network.get_output(0).shape == (3, 1, 1)


# bad input


def graph_with(define, shape=PICTURES):
    graph = UffGraph()
    graph.input("x", shape)
    define(graph)
    return graph


def refused(define, shape=PICTURES, registered=((3, 6, 7), NCHW)):
    parse(graph_with(define, shape), {"x": registered})


def with_convolution(operation, **fields):
    """A node y behind a convolution c; constants are given as arrays under the names of further inputs."""

    def define(graph):
        graph.convolution("c", "x", normal(1, 1, 3, 4))
        constants = {key: value for key, value in fields.items() if isinstance(value, np.ndarray)}
        names = [graph.const(f"k_{key}", value) for key, value in constants.items()]
        rest = {key: value for key, value in fields.items() if key not in constants}
        graph.node("y", operation, ["c", *names], **rest)

    return define


REFUSED = {
    "no operation": (with_convolution("Einsum"), "'y': the UFF parser has no operation 'Einsum' .*It has Activation,"),
    "no plugin": (with_convolution("_Einsum"), "'y': no plugin 'Einsum' for a custom operation of UFF buffer"),
    "no cast": (with_convolution("_Cast", DstT=INT), "'y': no plugin 'Cast'"),
    "unknown function": (with_convolution("Activation", func="gelu"), "unknown function 'gelu' of Activation in"),
    "reshape of the batch": (with_convolution("Reshape", s=np.int32([84, -1])), "'y': a reshape to .* moves the batch"),
    "reshape that does not fit": (with_convolution("Reshape", s=np.int32([-1, 5])), "'y': a value of shape .* cannot"),
    "concat of the batch": (with_convolution("Concat", axis=0), "'y': a Concat along axis 0 .* behind the batch"),
    "reduction of the batch": (with_convolution("Reduce", func="sum", axes=[0]), "'y': a reduction along axis 0"),
    "argmax of the batch": (with_convolution("ArgMax", axis=0), "'y': an ArgMax along axis 0"),
    "stack of batches": (with_convolution("Stack", axis=0), "'y': a Stack along the batch"),
    "transpose of the batch": (with_convolution("Transpose", permutation=[1, 0, 2, 3]), "'y': a transpose"),
    "squeeze of what is not 1": (with_convolution("Squeeze", axes=[3]), "'y': axes .3. of a value .* cannot go"),
    "padding of the batch": (with_convolution("Pad", p=np.int32([[1, 0]] + [[0, 0]] * 3)), "'y': .* not the batch"),
    "padding of three axes": (with_convolution("Pad", p=np.int32([[0, 0]] + [[1, 1]] * 3)), "'y': .* two axes at most"),
    "batch norm of nothing": (with_convolution("BatchNorm", g=normal(4)), r"node 'y' \(BatchNorm\) has 2 inputs"),
    "constant with a batch": (with_convolution("Binary", b=normal(2, 1, 1, 1), func="add"), "'y_1': a constant with a"),
    "constant that does not fit": (with_convolution("Binary", b=normal(5), func="add"), "'y': .* do not fit together"),
    "empty slice": (
        with_convolution("StridedSlice", b=np.int32([0, 3]), e=np.int32([0, 3]), s=np.int32([1, 1]), end_mask=1),
        "'y': nothing of a value",
    ),
    "slice of the batch": (
        with_convolution("StridedSlice", b=np.int32([1]), e=np.int32([2]), s=np.int32([1])),
        "'y': a slice of the batch",
    ),
    "look-up along the batch": (with_convolution("GatherV2", i=np.int32([0]), axis=0), "'y': a look-up along axis 0"),
    "kernel for other channels": (lambda graph: graph.convolution("y", "x", normal(1, 1, 6, 4)), "'y': a kernel for 6"),
    "matrix for other inputs": (
        lambda graph: graph.product("y", graph.convolution("c", "x", normal(1, 1, 3, 4)), normal(5, 4)),
        "'y': a kernel for 5 inputs, but its data has the shape .-1, 6, 7, 4.",
    ),
    "missing input": (
        lambda graph: graph.node("y", "Identity", ["gone"]),
        "'y': it reads 'gone', which UFF buffer does",
    ),
    "circle": (
        lambda graph: graph.binary("y", "add", graph.node("a", "Identity", ["y"]), "x"),
        "'a': its inputs depend on its own output",
    ),
    "output that is constant": (lambda graph: graph.const("y", 1.0), "'y': this output is constant"),
    "kernel that is no constant": (
        lambda graph: graph.node("y", "Conv", ["x", "x"], ["N+C", "+CK"]),
        "'y': its kernel depends on an input",
    ),
    "data that are constant": (
        lambda graph: graph.node("y", "Activation", [graph.const("k", 1.0)], func="relu"),
        "'y': its data is constant",
    ),
    "second output that is not there": (
        lambda graph: graph.node("y", "Identity", [f"{graph.node('a', 'Identity', ['x'])}_1"]),
        "'a': UFF buffer asks for its output 'a_1'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_parsed_is_named(case):
    define, message = REFUSED[case]
    with pytest.raises((NetworkError, FormatError), match=message):
        refused(define)


def test_errors_of_layers_name_node_operation_and_graph():
    def define(graph):
        graph.node("y", "Gather", [graph.const("table", normal(4, 2)), "x"])

    with pytest.raises(NetworkError, match="'y': its operation Gather in UFF buffer fails: .*INT32"):
        refused(define, (-1, 5), ((5,), NC))


@pytest.mark.parametrize(
    ("shape", "registered", "message"),
    [
        (
            PICTURES,
            ((3, 6, 7), NHWC),
            "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .7, 3, 6.",
        ),
        (PICTURES, ((1, 3, 6, 7), NCHW), "'x': registered as NCHW with 4 dimensions.* leave the batch out"),
        ((), ((6, 7, 3), NCHW), "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .6, 7, 3."),
        ((), ((3, 6, 7), NHWC), "'y': a kernel for 3 channels, but its data in UFF buffer has C, H, W = .7, 3, 6."),
    ],
)
def test_wrong_dimensions_and_wrong_orders(shape, registered, message):
    with pytest.raises(NetworkError, match=message):
        refused(lambda graph: graph.convolution("y", "x", normal(1, 1, 3, 4)), shape, registered)


@pytest.mark.parametrize("registered", [((3, 6, 8), NCHW), ((6, 8, 3), NHWC)])
@pytest.mark.parametrize("declared", [PICTURES, (-1, 3, 6, 7), (3, 6, 7), (1, 3, 300, 300), (7,)])
def test_registered_dimensions_count_and_declared_ones_do_not(declared, registered):
    graph, kernel, x = UffGraph(), normal(2, 2, 3, 4), normal(2, 6, 8, 3)
    graph.input("x", declared)
    graph.convolution("y", "x", kernel)
    dims, order = registered
    assert parse(graph, {"x": registered}).get_input(0).shape == dims
    check(run(graph, {"x": first(x) if order == NCHW else x}, order=order)[0], convolved(x, kernel))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("x", (), "'x': registered with the dimensions None. Give positive sizes without the batch"),
        ("x", ((),), r"'x': registered with the dimensions \(\)"),
        ("x", (28,), "'x': registered with the dimensions 28"),
        ("x", ((1, None, 28),), r"'x': registered with the dimensions \(1, None, 28\)"),
        ("x", ((-1, 28, 28),), "'x': registered with the dimensions"),
        ("x", ((1, 28.0, 28),), "'x': registered with the dimensions"),
        ("x", ((1,) * 9,), "'x': registered with the dimensions"),
        ("x", ("1,28,28",), "'x': registered with the dimensions '1,28,28'"),
        ("x", ((1, 28, 28), 7), "'x': registered in the order 7. Give one of UffInputOrder.NCHW, "),
        ("x", ((1, 28, 28), None), "'x': registered in the order None"),
        ("", ((1, 28, 28),), "an input registered as ''. Give the name"),
        (None, ((1, 28, 28),), "an input registered as None. Give the name"),
    ],
)
def test_an_input_that_lacks_something_is_named(name, arguments, message):
    with pytest.raises(NetworkError, match=message):
        trt.UffParser().register_input(name, *arguments)


def test_an_output_without_a_name():
    with pytest.raises(NetworkError, match="an output registered as None"):
        trt.UffParser().register_output(None)


def test_channels_first_graph_takes_an_input_with_channels_last():
    graph, kernel, x = UffGraph(), normal(1, 1, 3, 4), normal(2, 6, 7, 3)
    graph.input("x", (-1, 3, -1, -1))
    graph.convolution("y", "x", kernel, "NC+")
    np.testing.assert_allclose(run(graph, {"x": x}, order=NHWC)[0], first(convolved(x, kernel)), rtol=1e-4, atol=1e-5)


def test_types_of_inputs():
    graph = UffGraph()
    graph.input("x", (-1, 1), np.dtype(np.int64))
    graph.node("y", "Gather", [graph.const("table", normal(4, 2)), "x"])
    with pytest.raises(NetworkError, match="'x': an input of type int64 .* Convert with -I x,x,int32"):
        parse(graph, {"x": ((1,), NCHW)})


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("func", r"UFF buffer: node 'y' \(Pool\) has no field 'func'"),
        ("kernel", r"UFF buffer: node 'y' \(Pool\) has no field 'kernel'"),
        ("inputs_orders", r"UFF buffer: node 'y' \(Pool\) has no field 'inputs_orders'"),
    ],
)
def test_missing_fields(field, message):
    graph = behind_convolution()[0]
    graph.node("y", "Pool", ["c"], ["N+C"], func="max", kernel=[2, 2])
    del graph.meta.graphs[0].nodes[-1].fields[field]
    with pytest.raises(FormatError, match=message):
        parse(graph, {"x": ((3, 6, 7), NCHW)})


def test_unknown_order_of_axes():
    graph = behind_convolution()[0]
    graph.node("y", "Pool", ["c"], ["N+C"], func="max", kernel=[2, 2])
    entry = graph.meta.referenced_data["orders_N+C"].dim_orders_list.val[0]
    entry.orders[-1].val[:] = [1, 0, 2, 0x7FFFFFFF]
    with pytest.raises(FormatError, match=r"node 'y' \(Pool\) has unknown orders of axes \[\(1, 0, 2147483647\)\]"):
        parse(graph, {"x": ((3, 6, 7), NCHW)})


def test_damaged_constant():
    graph = behind_convolution()[0]
    node = next(node for node in graph.meta.graphs[0].nodes if node.id == "c_kernel")
    node.fields["shape"].CopyFrom(data_of([1, 1, 3, 5]))
    with pytest.raises(FormatError, match=r"UFF buffer: constant 'c_kernel': 48 bytes for \(1, 1, 3, 5\)"):
        parse(graph, {"x": ((3, 6, 7), NCHW)}, ["c"])


def test_explicit_batch_is_refused():
    network = trt.Builder(trt.Logger()).create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
    parser = trt.UffParser()
    parser.register_output("y")
    with pytest.raises(NetworkError, match="makes networks with an implicit batch"):
        parser.parse_buffer(lenet()[0].bytes(), network)


def test_every_operation_is_tested_here():
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("*uff_*.py"))
    assert [name for name in OPERATIONS if f'"{name}"' not in source] == []
