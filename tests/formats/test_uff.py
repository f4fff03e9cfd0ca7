"""UFF: both directions, the wire as in NVIDIA's files, and what is damaged."""

import re
from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.uff import (
    MetaGraph,
    array_of,
    blob_of,
    data_of,
    dtype_of,
    orders_key,
    read_uff,
    serialized,
    to_text,
    uff_pb2,
    value_of,
    write_uff,
)

PROTO = Path(uff_pb2.__file__).with_name("uff.proto")
INT_MAX = 0x7FFFFFFF
KERNEL = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)


def graph():
    """Return a constant and a convolution."""
    uff = MetaGraph(version=1, descriptor_core_version=2)
    main = uff.graphs.add(id="main")
    constant = main.nodes.add(id="w", operation="Const")
    for key, value in {
        "dtype": np.dtype(np.float32),
        "shape": [1, 1, 2, 3],
        "values": blob_of(uff, "w", KERNEL),
    }.items():
        constant.fields[key].CopyFrom(data_of(value))
    conv = main.nodes.add(id="conv", operation="Conv", inputs=["in", "w"])
    for key, value in {"strides": [1, 1], "inputs_orders": orders_key(uff, ("N+C", "+CK"))}.items():
        conv.fields[key].CopyFrom(data_of(value))
    return uff


def test_graph_survives(tmp_path):
    write_uff(graph(), tmp_path / "model.uff")
    read = read_uff(tmp_path / "model.uff")
    assert read == graph()
    constant, conv = read.graphs[0].nodes
    values = array_of(read, constant.fields["values"], np.dtype("<f4"), value_of(constant.fields["shape"]))
    np.testing.assert_array_equal(values, KERNEL)
    orders = read.referenced_data[value_of(conv.fields["inputs_orders"])]
    assert value_of(orders) == [(0, INT_MAX, 1), (INT_MAX, 1, 0)]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (3, "i"),
        (-3, "i"),
        (0.5, "d"),
        (True, "b"),
        ("same", "s"),
        (b"\x00\xff", "blob"),
        (np.dtype("f4"), "dtype"),
        ([1, 2], "i_list"),
        ([], "i_list"),
        ([0.5, 1.0], "d_list"),
        ([True, False], "b_list"),
        (["a", "b"], "s_list"),
        ([np.dtype("f2"), np.dtype("i4")], "dtype_list"),
    ],
)
def test_values_survive(value, field):
    data = uff_pb2.Data.FromString(data_of(value).SerializeToString())
    assert data.WhichOneof("data_oneof") == field
    assert value_of(data) == value
    assert type(value_of(data)) is type(value)


def test_numpy_values_are_taken_as_pythons():
    assert value_of(data_of(np.int64(3))) == 3
    assert value_of(data_of(np.array([1.5, 2.0], np.float32))) == [1.5, 2.0]
    with pytest.raises(TypeError, match="cannot hold a dict"):
        data_of({})


def test_types_have_the_numbers_of_nvidias_files():
    names = ("i1", "i2", "i4", "i8", "f2", "f4")
    assert [dtype_of(name) for name in names] == [65544, 65552, 65568, 65600, 131088, 131104]
    assert dtype_of("f8") is None
    assert dtype_of("S1") is None


# Position p of the stored tensor holds the canonical axis: N or K 0, C 1, spatial 2 and on.
@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("NC", [0, 1]),
        ("CN", [1, 0]),
        ("NC+", [0, 1, 2, INT_MAX]),
        ("N+C", [0, 2, INT_MAX, 1]),
        ("KC", [0, 1]),
        ("CK", [1, 0]),
        ("+KC", [2, INT_MAX, 0, 1]),
        ("+CK", [2, INT_MAX, 1, 0]),
    ],
)
def test_orders_are_stored_as_in_nvidias_files(name, axes):
    uff = MetaGraph()
    assert orders_key(uff, (name,)).ref == f"orders_{name}"
    (order,) = uff.referenced_data[f"orders_{name}"].dim_orders_list.val
    assert {key: list(value.val) for key, value in order.orders.items()} == {-1: axes}


def test_the_key_of_an_order_is_a_varint_of_ten_bytes():
    uff = MetaGraph()
    orders_key(uff, ("NC",))
    key = b"\x08" + b"\xff" * 9 + b"\x01"
    assert key + b"\x12\x04\x0a\x02\x00\x01" in serialized(uff)


def test_fields_come_in_the_order_of_nvidias_files():
    data = serialized(graph())
    assert data.startswith(b"\x08\x01\x10\x02\x22")  # version 1, core 2, then the graph
    keys = [b"orders_N+C_+CK", b"weights_w"]
    assert [data.rindex(key) for key in keys] == sorted(data.rindex(key) for key in keys)


def test_bytes_do_not_depend_on_the_order_of_entry():
    backwards = MetaGraph()
    backwards.CopyFrom(graph())
    entries = list(backwards.referenced_data.items())
    backwards.ClearField("referenced_data")
    for key, value in reversed(entries):
        backwards.referenced_data[key].CopyFrom(value)
    assert serialized(backwards) == serialized(graph())


def test_text_tells_all_but_the_weights():
    uff = graph()
    blob_of(uff, "w", np.ones(1000, np.float32))
    shown = to_text(uff)
    assert 'operation: "Conv"' in shown
    assert 'blob: "(4000 bytes)"' in shown
    assert 'ref: "orders_N+C_+CK"' in shown
    assert len(shown) < 2000
    assert uff.referenced_data["weights_w"].blob == np.ones(1000, np.float32).tobytes()


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_file_that_is_cut_off(tmp_path, kept):
    data = serialized(graph())
    path = tmp_path / "model.uff"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(FormatError, match=re.escape(str(path)) + ".*(cut off|no UFF).*convert-to-uff"):
        read_uff(path)


def test_file_that_is_cut_off_between_two_entries(tmp_path):
    whole = graph()
    del whole.referenced_data["weights_w"]
    write_uff(whole, tmp_path / "model.uff")
    with pytest.raises(FormatError, match="cut off: 'weights_w', the values of node 'w'"):
        read_uff(tmp_path / "model.uff")


@pytest.mark.parametrize("data", [b"", b"\x08\x01\x10\x02", b"name: 'net'\nlayer {}", b"\x89PNG\r\n\x1a\n" * 10])
def test_file_that_is_no_uff(tmp_path, data):
    (tmp_path / "model.uff").write_bytes(data)
    with pytest.raises(FormatError, match="model.uff.*no UFF graph"):
        read_uff(tmp_path / "model.uff")


def test_constant_of_another_size():
    uff = graph()
    field = uff.graphs[0].nodes[0].fields["values"]
    with pytest.raises(ValueError, match=r"24 bytes for \(1, 7\) values of float32"):
        array_of(uff, field, np.dtype("<f4"), (1, 7))


def test_generated_module_belongs_to_the_schema():
    declared = set(re.findall(r"(\w+) = (-?\w+);", re.sub(r"//.*", "", PROTO.read_text())))
    compiled = set()
    for message in uff_pb2.DESCRIPTOR.message_types_by_name.values():
        compiled.update((field.name, field.number) for field in message.fields)
    for enum in uff_pb2.DESCRIPTOR.enum_types_by_name.values():
        compiled.update((value.name, value.number) for value in enum.values)
    assert {(name, int(number, 0)) for name, number in declared} == compiled
