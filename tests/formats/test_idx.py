"""IDX files, plain and gzipped, and all that can be wrong with one."""

import gzip

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.idx import MOST, read_idx, write_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
HEADER = bytes.fromhex("00000803000000020000000300000004")  # magic 2051, as MNIST's pages give it


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_values_come_back(tmp_path, name):
    write_idx(tmp_path / name, IMAGES)
    np.testing.assert_array_equal(read_idx(tmp_path / name, 3), IMAGES)


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "images", IMAGES)
    assert (tmp_path / "images").read_bytes() == HEADER + IMAGES.tobytes()
    write_idx(tmp_path / "labels.gz", np.array([7, 2], np.uint8))
    assert gzip.decompress((tmp_path / "labels.gz").read_bytes()) == bytes.fromhex("0000080100000002") + b"\x07\x02"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "begins with nothing, not with 00000803"),
        (b"<html>", "begins with 3c68746d"),
        (bytes.fromhex("0000080100000002") + b"\x07\x02", "begins with 00000801.*swapped"),
        (b"\0\0\x0d\x03" + HEADER[4:] + bytes(96), "begins with 00000d03"),
        (HEADER[:10], "ends within its header"),
        (HEADER + bytes(23), r"states 24 values \(2, 3, 4\), and has only 23"),
        (HEADER + bytes(25), "states 24 values .* and has more"),
        (HEADER[:4] + b"\xff" * 12, f"more than {MOST}"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_wrong_content(tmp_path, content, fault, pack):
    (tmp_path / "images").write_bytes(pack(content))
    with pytest.raises(FormatError, match=fault):
        read_idx(tmp_path / "images", 3)


def test_damaged_archives(tmp_path):
    path = tmp_path / "images.gz"
    write_idx(path, np.random.default_rng(0).integers(0, 256, (9, 28, 28)).astype(np.uint8))
    whole = path.read_bytes()
    for data in (whole[:2000], whole[:1500] + b"\0" * 20 + whole[1520:], whole[:-8] + bytes(8)):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"images.gz: (damaged or cut off|states|cannot)"):
            read_idx(path, 3)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FormatError, match="No such file"):
        read_idx(tmp_path / "images", 3)
