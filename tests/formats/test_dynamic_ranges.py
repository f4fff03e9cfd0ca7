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
        ("a:1_0\n", "line 1: 'a:1_0' is not <tensor>"),
        ("\n", "there are no ranges in it"),
    ],
)
def test_damage_is_named(path, text, message):
    path.write_text(text)
    with pytest.raises(FormatError, match=r"ranges\.txt: ") as caught:
        read_ranges(path)
    assert message in str(caught.value)


def test_missing_tensors_are_named_with_the_closest(path):
    check_ranges(path, {"a": 1.0, "b": 2.0}, ["b", "a"])
    with pytest.raises(FormatError, match=r"ranges\.txt: 1 tensors without a range: c\. scripts/write_tensors"):
        check_ranges(path, {"a": 1.0, "bias_of_all": 2.0}, ["a", "c"])
    ranges = {"data": 1.0, "(Unnamed Layer* 173) [Fully Connected]_output": 2.0, "prob": 3.0}
    tensors = ["data", "(Unnamed Layer* 174) [Fully Connected]_output", "prob_1"]
    with pytest.raises(FormatError, match=r"2 tensors without a range: \(Unnamed Layer\* 174\)") as caught:
        check_ranges(path, ranges, tensors)
    assert "output (is it (Unnamed Layer* 173) [Fully Connected]_output?), prob_1 (is it prob?)" in str(caught.value)
    with pytest.raises(FormatError, match=r"12 tensors without a range: (t\d+, ){10}\.\.\."):
        check_ranges(path, {"other": 1.0}, [f"t{number}" for number in range(12)])


def test_unknown_tensors_are_a_warning(path, caplog):
    check_ranges(path, {"a": 1.0, "b": 2.0}, ["a"])
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "ranges.txt: 1 ranges of tensors that the network has not are left out: b" in record.getMessage()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_text_of_windows_is_read(path, encoding):
    text = "gpu_0/data_0:1.5\r\nmaß:2\r\n"
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # the others write their own, or none
    path.write_bytes((mark + text).encode(encoding))
    assert read_ranges(path) == {"gpu_0/data_0": 1.5, "maß": 2}


@pytest.mark.parametrize("data", ["maß:1\n".encode("latin-1"), b"\xff\xfea", bytes(range(128, 256))])
def test_what_is_no_text_is_one_clear_error(path, data):
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"ranges\.txt: not a text in UTF-8 .*Save it as UTF-8"):
        read_ranges(path)
