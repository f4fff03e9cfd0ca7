from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtflow.calibration.streams import BatchStream, find_batches
from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import Batch, write_batch
from trtflow.reference.entropy import Entropy


def write_batches(folder: Path, files: int, images: int = 4, shape: tuple[int, int, int] = (3, 2, 2)) -> list[Path]:
    """Write batch files whose images have random values that depend on the file's number alone."""
    paths = [folder / f"batch{index}" for index in range(files)]
    for index, path in enumerate(paths):
        values = np.random.default_rng(index).standard_normal((images, *shape))
        write_batch(path, Batch(values.astype(np.float32), np.arange(images, dtype=np.float32)))
    return paths


def test_serves_the_files_in_the_given_order(tmp_path: Path) -> None:
    paths = write_batches(tmp_path, 3)
    stream = BatchStream(paths[::-1])
    batches = list(stream)
    assert (stream.batch_size, stream.shape, len(stream)) == (4, (3, 2, 2), 3)
    assert [batch.shape for batch in batches] == [(4, 3, 2, 2)] * 3
    assert not np.array_equal(batches[0], batches[2])
    for batch, again in zip(batches, reversed(list(BatchStream(paths))), strict=True):
        np.testing.assert_array_equal(batch, again)
    assert len(list(stream)) == 3  # every iteration begins anew


def test_smaller_batches_than_a_file_and_a_limit(tmp_path: Path) -> None:
    """sampleINT8 takes batches of 50 from files of 100."""
    paths = write_batches(tmp_path, 2)
    images = np.concatenate(list(BatchStream(paths)))
    stream = BatchStream(paths, batch_size=2, max_batches=3)
    assert (stream.batch_size, len(stream)) == (2, 3)
    np.testing.assert_array_equal(np.stack(list(stream)), images[:6].reshape(3, 2, 3, 2, 2))


@pytest.mark.parametrize(("batch_size", "count", "left"), [(1, 8, 0), (3, 2, 2), (5, 1, 3), (8, 1, 0)])
def test_images_are_regrouped_over_files(tmp_path: Path, caplog, batch_size: int, count: int, left: int) -> None:
    paths = write_batches(tmp_path, 2)
    images = np.concatenate(list(BatchStream(paths)))
    stream = BatchStream(paths, batch_size=batch_size)
    batches = list(stream)
    assert (len(stream), len(batches)) == (count, count)
    np.testing.assert_array_equal(np.concatenate(batches), images[: count * batch_size])
    assert [batch.shape[0] for batch in batches] == [batch_size] * count
    warned = [record.getMessage() for record in caplog.records]
    assert warned == (
        [f"calibration: the last {left} of 8 images are too few for a batch of {batch_size}, and are left out"]
        if left
        else []
    )


def test_files_of_several_sizes(tmp_path: Path) -> None:
    """The guide's own tool leaves fewer images in the last file."""
    first, second = write_batches(tmp_path, 2)
    write_batch(second, Batch(np.ones((2, 3, 2, 2), np.float32)))
    assert [len(batch) for batch in BatchStream([first, second], 3)] == [3, 3]
    assert [len(batch) for batch in BatchStream([second, first])] == [2, 2, 2]


@pytest.mark.parametrize("batch_size", [-1, 0, 9])
def test_batch_size_that_no_images_make(tmp_path: Path, batch_size: int) -> None:
    with pytest.raises(UserError, match=f"8 calibration images make no batch of {batch_size}"):
        BatchStream(write_batches(tmp_path, 2), batch_size=batch_size)


@pytest.mark.parametrize("name", ["batch{}", "batch_calibration{}.batch", "v2-{}.bin", "{}"])
def test_files_are_found_by_their_numbers(tmp_path: Path, name: str) -> None:
    for number in (0, 10, 2, 1, 3, 4, 5, 6, 7, 8, 9):
        (tmp_path / name.format(number)).touch()
    for other in ("README.md", "CalibrationTablemnist", ".batch0.12.tmp", "SHA256SUMS"):
        (tmp_path / other).touch()
    assert find_batches(tmp_path) == [tmp_path / name.format(number) for number in range(11)]
    assert find_batches(tmp_path, 3) == [tmp_path / name.format(number) for number in range(3)]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "no batch files; their names end in a number"),
        (["batch0"], {"pattern": "*.batch"}, r"\*\.batch: no batch files"),
        (["a0", "a1", "b0"], {}, r"of several series, aN, bN\. Name one with --batch-files"),
        (["batch0", "batch2"], {}, "batch1 is missing among 2 batch files"),
        (["batch0", "batch1"], {"count": 3}, "3 batch files asked of 2"),
        (["batch0"], {"count": 0}, "0 batch files asked of 1"),
    ],
)
def test_files_that_are_no_series(tmp_path: Path, names: list[str], options: dict[str, Any], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=message):
        find_batches(tmp_path, **options)
    (tmp_path / "a0").touch()
    assert find_batches(tmp_path, pattern="a0") == [tmp_path / "a0"]


@pytest.mark.parametrize("max_batches", [0, 5])
def test_more_batches_than_there_are(tmp_path: Path, max_batches: int) -> None:
    with pytest.raises(UserError, match=f"{max_batches} calibration batches asked of 4"):
        BatchStream(write_batches(tmp_path, 2), batch_size=2, max_batches=max_batches)


def test_no_files() -> None:
    with pytest.raises(UserError, match="no calibration batches"):
        BatchStream([])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="batch2"):
        BatchStream([*write_batches(tmp_path, 2), tmp_path / "batch2"])


def test_another_shape(tmp_path: Path) -> None:
    paths = write_batches(tmp_path, 2)
    write_batch(paths[1], Batch(np.zeros((4, 3, 2, 1), np.float32)))
    with pytest.raises(FormatError, match=r"batch1: images of shape \(3, 2, 1\), unlike \(3, 2, 2\) of batch0"):
        BatchStream(paths)


def test_cut_file_is_found_before_anything_runs(tmp_path: Path) -> None:
    paths = write_batches(tmp_path, 3)
    paths[2].write_bytes(paths[2].read_bytes()[:-7])
    with pytest.raises(FormatError, match="batch2"):
        BatchStream(paths)


def test_memory_does_not_grow_with_the_number_of_batches(tmp_path: Path) -> None:
    paths = write_batches(tmp_path, 40, shape=(3, 64, 64))

    def peak(files: int) -> int:
        tracemalloc.start()
        collector = Entropy()
        for batch in BatchStream(paths[:files]):
            collector.observe(batch)
        collector.scale()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # imports and caches
    assert peak(40) < 1.05 * peak(4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_and_refused(tmp_path: Path, value: float) -> None:
    paths = write_batches(tmp_path, 2)
    images = next(iter(BatchStream(paths[1:])))
    images[:2, 1, 0] = value
    write_batch(paths[1], Batch(images))
    with pytest.raises(FormatError, match=r"batch1: 4 of its 48 values are no numbers"):
        list(BatchStream(paths))
