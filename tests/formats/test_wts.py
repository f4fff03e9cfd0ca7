"""Exported weights: both versions to the byte, and what is wrong with a damaged file."""

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.wts import read_wts, read_wts2, require, write_wts, write_wts2

BLOBS = {
    "conv1filter": np.array([[1.0, -0.5], [0.0, 3.25]], np.float32),
    "half": np.array([1.0, -2.0], np.float16),
    "bytes": np.array([-1, 127], np.int8),
    "numbers": np.array([-2, 70000], np.int32),
}


def test_version_1_is_hexadecimal_bits_in_text(tmp_path):
    write_wts(tmp_path / "a.wts", {"ip1bias": np.array([1.0, -0.5, 0.0], np.float32)})
    assert (tmp_path / "a.wts").read_text() == "1\nip1bias 0 3 3f800000 bf000000 0\n"


def test_version_2_is_text_and_raw_values(tmp_path):
    write_wts2(tmp_path / "a.wts2", {"hiddenBias0": np.array([1.0, 2.0], np.float32)})
    raw = b"\x00\x00\x80?\x00\x00\x00@"
    assert (tmp_path / "a.wts2").read_bytes() == b"1\nhiddenBias0 0 (2,) " + raw + b"\n"


@pytest.mark.parametrize(("write", "read"), [(write_wts, read_wts), (write_wts2, read_wts2)])
def test_round_trip(tmp_path, write, read):
    write(tmp_path / "w", BLOBS)
    found = read(tmp_path / "w")
    assert list(found) == list(BLOBS)
    for name, array in BLOBS.items():
        assert found[name].dtype == array.dtype
        assert found[name].ravel().tobytes() == array.tobytes()


def test_shapes_are_kept_in_version_2(tmp_path):
    write_wts2(tmp_path / "w", BLOBS)
    assert read_wts2(tmp_path / "w")["conv1filter"].shape == (2, 2)


def test_values_that_look_like_line_feeds_do_no_harm(tmp_path):
    blob = np.full(7, np.frombuffer(b"\n\n\n\n", np.float32)[0])
    write_wts2(tmp_path / "w", {"a": blob, "b": blob})
    assert read_wts2(tmp_path / "w")["b"].tobytes() == blob.tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"2\na 0 1 3f800000\n", "1 blobs, but 2 are stated"),
        (b"1\na 0 2 3f800000\n", "blob 'a' has 1 values, 2 are stated"),
        (b"1\na 9 1 3f800000\n", "is no blob of weights"),
        (b"1\na 1 1 3f800000\n", "more than 16 bits"),
        (b"1\na 0 1 xyz\n", "is no blob of weights"),
        (b"1\na 0 1 -1\n", "is no blob of weights"),
        (b"1\na 0 1 11112222333344445\n", "is no blob of weights"),
        (b"2\na 0 1 0\na 0 1 0\n", "blob 'a' is there twice"),
        (b"", "not a number of blobs"),
        (b"a 0 1 3f800000\n", "not a number of blobs"),
    ],
)
def test_damaged_version_1(tmp_path, content, message):
    (tmp_path / "w.wts").write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_wts(tmp_path / "w.wts")
    assert "w.wts" in str(caught.value)


@pytest.mark.parametrize("length", [1, 10, 30, -1])
def test_version_2_that_is_cut_off(tmp_path, length):
    write_wts2(tmp_path / "w", BLOBS)
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:length])
    with pytest.raises(FormatError):
        read_wts2(tmp_path / "w")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\na 7 (1,) \0\0\0\0\n", "at byte 2 is no header of a blob"),
        (b"1\na 0 (2,) \0\0\0\0\n", r"blob 'a' of shape \(2,\) is cut off or damaged"),
        (b"2\na 0 (1,) \0\0\0\0\n", "1 blobs, but 2 are stated"),
        (b"2\na 2 (1,) \0\na 2 (1,) \0\n", "blob 'a' is there twice"),
        (b"\0\0\n", "not a number of blobs"),
    ],
)
def test_damaged_version_2(tmp_path, content, message):
    (tmp_path / "w.wts2").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_wts2(tmp_path / "w.wts2")


def test_blob_that_is_missing_or_too_short(tmp_path):
    with pytest.raises(FormatError, match="no blob 'ip2bias'; it has conv1filter, half"):
        require(BLOBS, "ip2bias", 10, tmp_path / "model.wts")
    with pytest.raises(FormatError, match="blob 'half' has 2 values, 10 are needed"):
        require(BLOBS, "half", 10, tmp_path / "model.wts")


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(FormatError, match="of type float64"):
        write_wts(tmp_path / "w", {"a": np.zeros(2)})
    with pytest.raises(FormatError, match="has blanks"):
        write_wts2(tmp_path / "w", {"a b": np.zeros(2, np.float32)})
    assert not (tmp_path / "w").exists()
