"""Files appear whole or not at all, with checksums that are checked and bytes that repeat."""

import json

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.arrays import read_arrays, write_arrays
from trtflow.formats.checksums import verify_checksums, write_checksums
from trtflow.formats.files import atomic_path, copy_file, sha256_of, write_bytes, write_json


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a"
    write_bytes(path, b"old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_copy_makes_its_folder_and_keeps_the_old_one_where_there_is_no_source(tmp_path):
    source, path = tmp_path / "source", tmp_path / "folder" / "copy"
    source.write_bytes(b"content")
    copy_file(source, path)
    assert path.read_bytes() == b"content"
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "missing", path)
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    write_json(tmp_path / "a.json", {"value": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"value": 1}


def test_arrays_survive_with_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["x", "yy"])}
    for name in ("first.npz", "second.npz"):
        write_arrays(tmp_path / name, arrays)
    assert sha256_of(tmp_path / "first.npz") == sha256_of(tmp_path / "second.npz")
    read, names = read_arrays(tmp_path / "first.npz", "a", "names")
    np.testing.assert_array_equal(read, arrays["a"])
    assert names.tolist() == ["x", "yy"]


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: b"", lambda data: b"no zip"])
def test_damaged_arrays_are_refused(tmp_path, damage):
    path = tmp_path / "a.npz"
    write_arrays(path, {"a": np.zeros(100)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match="a.npz: not the arrays a"):
        read_arrays(path, "a")


def test_checksums_find_a_flipped_bit_and_a_missing_file(tmp_path):
    path = tmp_path / "model.caffemodel"
    path.write_bytes(b"weights")
    write_checksums(tmp_path, ["model.caffemodel"])
    verify_checksums(tmp_path)
    path.write_bytes(b"weightr")
    with pytest.raises(FormatError, match="model.caffemodel: its checksum is not the one it was written with"):
        verify_checksums(tmp_path)
    path.unlink()
    with pytest.raises(FormatError, match="model.caffemodel: the file is missing"):
        verify_checksums(tmp_path)


def test_folder_without_checksums_passes(tmp_path):
    verify_checksums(tmp_path)
