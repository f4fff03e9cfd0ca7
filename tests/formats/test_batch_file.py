from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from trtflow.formats import FormatError
from trtflow.formats.batch_file import Batch, read_batch, read_shape, write_batch

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5) - 7


def test_layout_is_the_guides(tmp_path: Path) -> None:
    write_batch(tmp_path / "batch0", Batch(IMAGES, np.array([4, 9], np.float32)))
    wanted = struct.pack("<4i", 2, 3, 4, 5) + IMAGES.astype("<f4").tobytes() + struct.pack("<2f", 4, 9)
    assert (tmp_path / "batch0").read_bytes() == wanted


@pytest.mark.parametrize("labels", [None, np.array([4, 9], np.float32)])
def test_round_trip(tmp_path: Path, labels: np.ndarray | None) -> None:
    write_batch(tmp_path / "batch0", Batch(IMAGES, labels))
    batch = read_batch(tmp_path / "batch0")
    np.testing.assert_array_equal(batch.images, IMAGES)
    assert batch.images.dtype == np.float32
    if labels is None:
        assert batch.labels is None
    else:
        np.testing.assert_array_equal(batch.labels, labels)


def test_other_memory_layouts_are_written_in_order(tmp_path: Path) -> None:
    write_batch(tmp_path / "batch0", Batch(IMAGES.astype(np.float64).transpose(0, 1, 3, 2)))
    np.testing.assert_array_equal(read_batch(tmp_path / "batch0").images, IMAGES.transpose(0, 1, 3, 2))


def test_size_of_the_mnist_batches(tmp_path: Path) -> None:
    """Files of the original sampleINT8 have 314,016 bytes."""
    write_batch(tmp_path / "batch0", Batch(np.zeros((100, 1, 28, 28), np.float32), np.zeros(100, np.float32)))
    assert (tmp_path / "batch0").stat().st_size == 314_016


@pytest.mark.parametrize("change", [-480, -4, -1, 1, 4, 12])
def test_length_that_disagrees_with_the_header(tmp_path: Path, change: int) -> None:
    path = tmp_path / "batch3"
    write_batch(path, Batch(IMAGES))
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(FormatError, match=rf"batch3.*496 bytes, or 504 with labels; it has {496 + change}\b"):
        read_batch(path)


def test_header_cut_off(tmp_path: Path) -> None:
    (tmp_path / "batch0").write_bytes(bytes(7))
    with pytest.raises(FormatError, match="batch0: a batch file of 7 bytes"):
        read_shape(tmp_path / "batch0")


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, -3, 4, 5)])
def test_header_that_is_no_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "batch0").write_bytes(struct.pack("<4i", *shape) + bytes(480))
    with pytest.raises(FormatError, match="its header says N, C, H, W"):
        read_batch(tmp_path / "batch0")


def test_header_of_a_huge_shape_allocates_nothing(tmp_path: Path) -> None:
    (tmp_path / "batch0").write_bytes(struct.pack("<4i", *[2**31 - 1] * 4))
    with pytest.raises(FormatError, match="it has 16"):
        read_batch(tmp_path / "batch0")


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        write_batch(tmp_path / "batch0", Batch(IMAGES, np.array(["four", "nine"])))
    assert list(tmp_path.iterdir()) == []
