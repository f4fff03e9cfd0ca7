"""Dynamic ranges: written, read, compared with a network; every kind of damage is named."""

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.dynamic_ranges import check_ranges, read_ranges, write_ranges


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ranges.txt"


def test_ranges_come_back_to_the_bit(path):
    ranges = {"gpu_0/data_0": float(np.float32(1.000244122)), "a:b": 0.0, "(Unnamed Layer* 3) [Shuffle]_output": 12.5}
    write_ranges(path, ranges)
    read = read_ranges(path)
    assert list(read) == list(ranges)
    assert [np.float32(value) for value in read.values()] == [np.float32(value) for value in ranges.values()]


def test_a_line_is_nvidias(path):
    path.write_text("gpu_0/data_0:1.000244122\ngpu_0/conv1_1: 5.43116\n\n")
    assert read_ranges(path) == {"gpu_0/data_0": 1.000244122, "gpu_0/conv1_1": 5.43116}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:1\nb:-2\n", "line 2: the range of tensor 'b' is -2.0"),
        ("a:nan\n", "line 1: the range of tensor 'a' is nan"),
        ("a:inf\n", "line 1: the range of tensor 'a' is inf"),
        ("a:\n", "line 1: 'a:' is not <tensor>:<largest absolute value>"),
        ("a\n", "line 1: 'a' is not <tensor>:<largest absolute value>"),
        (":3\n", "line 1: ':3' is not"),
        ("a:1\na:2\n", "line 2: a second range of tensor 'a'"),
        ("\n", "there are no ranges in it"),
    ],
)
def test_damage_is_named(path, text, message):
    path.write_text(text)
    with pytest.raises(FormatError, match=r"ranges\.txt: ") as caught:
        read_ranges(path)
    assert message in str(caught.value)


def test_missing_and_unknown_tensors_are_named(path):
    check_ranges(path, {"a": 1.0, "b": 2.0}, ["b", "a"])
    with pytest.raises(FormatError, match="1 tensors without a range: c; 1 ranges of unknown tensors: b"):
        check_ranges(path, {"a": 1.0, "b": 2.0}, ["a", "c"])
