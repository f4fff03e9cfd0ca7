"""Frozen graphs that are damaged or absurd: one clear error, also where TensorFlow ends the process."""

import os
from contextlib import suppress

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_graphs import frozen, lenet, normal, v1

from trtflow.converters.freeze import freeze_checkpoint
from trtflow.converters.frozen_graph import FrozenGraph
from trtflow.converters.uff import from_tensorflow, from_tensorflow_frozen_model
from trtflow.formats import FormatError, UserError
from trtflow.graphsurgeon import DynamicGraph

FLOAT = tf.float32.as_datatype_enum


def small():
    data = v1.placeholder(tf.float32, [None, 8, 8, 3], name="in")
    value = tf.nn.conv2d(data, tf.constant(normal(3, 3, 3, 4), name="w"), 1, "SAME", name="conv")
    tf.nn.relu(value, name="out")


def graph_with(change):
    graphdef = frozen(small)
    change(graphdef, {node.name: node for node in graphdef.node})
    return graphdef


def overflowing_fill(graphdef, nodes):
    """A constant of 2^80 values, on whose shape a check of TensorFlow's fails."""
    for name, value in (("sizes", np.array([2**40, 2**40])), ("value", np.float32(1))):
        node = graphdef.node.add(name=name, op="Const")
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    fill = graphdef.node.add(name="fill", op="Fill", input=["sizes", "value"])
    fill.attr["T"].type, fill.attr["index_type"].type = FLOAT, tf.int64.as_datatype_enum
    nodes["out"].input[0] = "fill"


def endless_function(graphdef, nodes):
    """A function that calls itself, for which the stack does not suffice."""
    function = graphdef.library.function.add()
    function.signature.name = "again"
    function.signature.input_arg.add(name="a", type=FLOAT)
    function.signature.output_arg.add(name="b", type=FLOAT)
    function.ret["b"] = "call:output:0"
    for node in (graphdef.node.add(name="call", input=["in"]), function.node_def.add(name="call", input=["a"])):
        node.op = "PartitionedCall"
        node.attr["Tin"].list.type.append(FLOAT)
        node.attr["Tout"].list.type.append(FLOAT)
        node.attr["f"].func.name = "again"
    nodes["conv"].input[0] = "call"


def write(path, graphdef):
    path.write_bytes(graphdef.SerializeToString())
    return path


READERS = {
    "convert-to-uff": lambda path: from_tensorflow_frozen_model(path, ["out"], quiet=True),
    "TensorFlow": lambda path: FrozenGraph(path, ["out"]),
    "graphsurgeon": DynamicGraph,
    "freeze": lambda path: freeze_checkpoint(path, path.with_suffix(".ckpt"), ["out"]),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_graph_that_aborts_tensorflow_is_an_error(tmp_path, reader):
    path = write(tmp_path / "model.pb", graph_with(overflowing_fill))
    with pytest.raises(FormatError, match=r"model.pb: TensorFlow breaks down on it .SIGABRT, Check failed: .*Freeze"):
        READERS[reader](path)


def test_a_graph_that_overflows_the_stack_is_an_error(tmp_path):
    path = write(tmp_path / "model.pb", graph_with(endless_function))
    with pytest.raises(FormatError, match=r"model.pb: TensorFlow breaks down on it .SIGSEGV"):
        FrozenGraph(path, ["out"])


def tensor_of(change):
    def apply(graphdef, nodes):
        change(nodes["w"].attr["value"].tensor)

    return graph_with(apply)


def dimensions(*sizes):
    def change(tensor):
        tensor.tensor_shape.ClearField("dim")
        for size in sizes:
            tensor.tensor_shape.dim.add(size=size)

    return change


def splat(tensor):
    dimensions(2**20, 2**12, 3, 4)(tensor)
    tensor.tensor_content = b""
    tensor.float_val.append(1.0)


def typed(number):
    def change(tensor):
        tensor.dtype = number

    return change


def wrong_attribute(name, key, number):
    def change(graphdef, nodes):
        nodes[name].attr[key].type = number

    return graph_with(change)


def lost_input(graphdef, nodes):
    del nodes["conv"].input[1:]


def no_text(graphdef, nodes):
    nodes["conv"].attr["data_format"].s = b"\xff\xfe"


DAMAGED = {
    "constant of another size": (lambda: tensor_of(dimensions(3, 3, 3, 5)), "the constant 'w' is damaged .cannot resh"),
    "constant of 2^95 values": (lambda: tensor_of(dimensions(2**31, 2**31, 2**31, 4)), "'w' claims 3961.* values"),
    "constant of 192 GiB": (lambda: tensor_of(splat), "the constant 'w' claims 51539607552 values"),
    "constant of no type": (lambda: tensor_of(typed(0)), "the constant 'w' is damaged"),
    "constant of an unknown type": (lambda: tensor_of(typed(99)), "the constant 'w' is damaged"),
    "constant of resources": (lambda: tensor_of(typed(20)), "the constant 'w' is damaged"),
    "input of an unknown type": (
        lambda: wrong_attribute("in", "dtype", 65),
        "'in' .Placeholder.: its dtype 65 is no t",
    ),
    "node that lost an input": (lambda: graph_with(lost_input), "'conv' .Conv2D.: it has 1 inputs, needs 2"),
    "text that is none": (lambda: graph_with(no_text), "'conv' .Conv2D.: damaged, or not of its operation"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_named(case):
    build, message = DAMAGED[case]
    with pytest.raises(UserError, match=message):
        from_tensorflow(build(), ["out"], quiet=True)


@pytest.mark.parametrize("data", [b"\x0a\x03\x0a\x01\xff", b"no graph at all", b"\x0a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_graph(tmp_path, data):
    (tmp_path / "model.pb").write_bytes(data)
    with pytest.raises(FormatError, match=r"model.pb: not a TensorFlow graph, or a damaged one"):
        DynamicGraph(tmp_path / "model.pb")


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bits_convert_or_are_one_error(seed):
    """Of the parts that are no weights; most flips are in names and shapes."""
    data = frozen(lenet).SerializeToString()
    random = np.random.default_rng(seed)
    for _ in range(6):
        place = int(random.integers(0, 1500))
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(random.integers(8))
        with suppress(UserError, DecodeError, UnicodeDecodeError):  # the last two are read_graph_def's to tell
            from_tensorflow(v1.GraphDef.FromString(bytes(flipped)), ["out"], quiet=True)


def test_a_placeholder_without_type_is_of_float32():
    graphdef = frozen(small)
    whole = from_tensorflow(graphdef, ["out"], quiet=True)
    graphdef.node[0].attr.pop("dtype")
    assert graphdef.node[0].op == "Placeholder"
    assert from_tensorflow(graphdef, ["out"], quiet=True) == whole
