from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import write_calibration_batches
from PIL import Image

from trtflow.datasets.voc import image_path, write_image_set
from trtflow.formats import FormatError, UserError
from trtflow.formats.batch_file import read_batch
from trtflow.samples.ssd import preprocess

IDS = ["000002", "000000", "000001", "000003"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_image_set(tmp_path, "calibration", IDS)
    for image_id in IDS:
        path = image_path(tmp_path, image_id)
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (300, 300), (int(image_id) * 50, 100, 7)).save(path)
    return tmp_path


def write(monkeypatch: pytest.MonkeyPatch, root: Path, batch_size: int) -> Path:
    out = root / f"batches-of-{batch_size}"
    options = {"--sample": "ssd", "--data": root, "--export-dir": root, "--batch-size": batch_size, "--out-dir": out}
    monkeypatch.setattr(sys, "argv", ["write", *(str(word) for option in options.items() for word in option)])
    write_calibration_batches.main()
    return out


def test_batches_follow_the_image_set(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    out = write(monkeypatch, root, 2)
    assert sorted(path.name for path in out.iterdir()) == ["batch0", "batch1"]
    batches = [read_batch(out / name) for name in ("batch0", "batch1")]
    images = np.concatenate([batch.images for batch in batches])
    np.testing.assert_array_equal(images, preprocess([image_path(root, image_id) for image_id in IDS], root))
    assert batches[0].labels is None


def test_size_of_sample_ssds_files_and_same_bytes_again(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    first = [path.read_bytes() for path in sorted(write(monkeypatch, root, 1).iterdir())]
    assert [len(data) for data in first] == [1_080_016] * 4
    assert [path.read_bytes() for path in sorted(write(monkeypatch, root, 1).iterdir())] == first


@pytest.mark.parametrize("batch_size", [0, 3])
def test_pictures_must_fill_the_batches(monkeypatch: pytest.MonkeyPatch, root: Path, batch_size: int) -> None:
    with pytest.raises(UserError, match=f"4 pictures in .* do not fill batches of {batch_size}"):
        write(monkeypatch, root, batch_size)
    assert not (root / f"batches-of-{batch_size}").exists()


def test_picture_of_another_size(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    Image.new("RGB", (300, 200)).save(image_path(root, IDS[0]))
    with pytest.raises(FormatError, match=r"000002\.jpg: the picture is 300x200"):
        write(monkeypatch, root, 2)
    assert not list(root.glob("batches*/*"))
