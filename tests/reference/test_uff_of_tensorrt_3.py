"""UFF of TensorRT 3: data types by other numbers, read by what they describe."""

import numpy as np
import pytest
from uff_cases import check, first, lenet, lenet_value, normal
from uff_graphs import run

from trtflow.formats import FormatError
from trtflow.formats.uff import value_of
from trtflow.formats.uff.old_types import renumber_types

FLOAT32, INT32 = 131104, 65568
OLD = [{FLOAT32: 1, INT32: 4}, {FLOAT32: 6, INT32: 3}]  # the numbers themselves do not matter


def renumbered(graph, numbers):
    for node in graph.meta.graphs[0].nodes:
        if "dtype" in node.fields:
            node.fields["dtype"].dtype = numbers[node.fields["dtype"].dtype]
    graph.meta.ClearField("descriptors")  # files of TensorRT 3 have none
    return graph


@pytest.mark.parametrize("numbers", OLD)
def test_lenet_of_tensorrt_3_runs_with_a_warning(numbers, capsys):
    graph, weights = lenet()
    x = normal(3, 28, 28, 1)
    (found,) = run(renumbered(graph, numbers), {"in": first(x)}, ["out"])
    check(found, lenet_value(x, weights))
    warnings = [line for line in capsys.readouterr().err.splitlines() if "TensorRT 3" in line]
    assert len(warnings) == 1
    assert f"{numbers[FLOAT32]} as float32" in warnings[0]
    assert f"{numbers[INT32]} as int32" in warnings[0]


def test_types_by_the_size_of_values():
    graph = lenet()[0]
    node = next(node for node in graph.meta.graphs[0].nodes if node.id == "bc1")
    blob = graph.meta.referenced_data["weights_bc1"]
    blob.blob = np.frombuffer(blob.blob, np.float32).astype(np.float16).tobytes()
    renumbered(graph, {FLOAT32: 6, INT32: 3})
    node.fields["dtype"].dtype = 5
    assert len(renumber_types(graph.meta, "model.uff")) == 1
    assert value_of(node.fields["dtype"]) == np.float16


def test_file_with_the_numbers_of_today_is_left_as_it_is():
    graph = lenet()[0]
    before = graph.bytes()
    assert renumber_types(graph.meta, "model.uff") == []
    assert graph.bytes() == before


def test_one_unknown_number_among_known_ones_is_damage():
    graph = lenet()[0]
    node = next(node for node in graph.meta.graphs[0].nodes if node.id == "bc1")
    node.fields["dtype"].dtype = 7
    with pytest.raises(FormatError, match="model.uff: damaged: node 'bc1' has the unknown data type 7"):
        renumber_types(graph.meta, "model.uff")


@pytest.mark.parametrize(("blob", "message"), [(b"123", "3 bytes for 20 values"), (b"123" * 20, r"\[3, 4\] bytes")])
def test_a_type_that_nothing_explains(blob, message):
    graph = renumbered(lenet()[0], {FLOAT32: 1, INT32: 4})
    graph.meta.referenced_data["weights_bc1"].blob = blob
    with pytest.raises(FormatError, match=message):
        renumber_types(graph.meta, "model.uff")
