"""ImageNet's pictures out of their archive, and what can be wrong with it and its lists."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from trtflow.datasets.digit_pictures import read_classes, read_images, read_labels
from trtflow.datasets.imagenet import read_listing, read_words, write_pictures
from trtflow.datasets.images import read_image
from trtflow.formats import FormatError, UserError

WORDS = "n00000001 crane, bird\nn00000002 tench, Tinca tinca\nn00000003 crane\n"


@pytest.fixture
def folder(tmp_path):
    """An archive of three pictures, 600x300, whose middle square is white, with lists."""
    picture = np.zeros((300, 600, 3), np.uint8)
    picture[:, 150:450] = 255
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "JPEG")
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for index in range(3):
            member = tarfile.TarInfo(f"{index}.JPEG")
            member.size = len(stored.getvalue())
            archive.addfile(member, io.BytesIO(stored.getvalue()))
    (tmp_path / "val.txt").write_text("0.JPEG 2\n1.JPEG 0\n2.JPEG 1\n")
    (tmp_path / "words.txt").write_text(WORDS)
    return tmp_path


def write(folder, val=2, calibration=1):
    counts = {"val": val, "calibration": calibration}
    sources = (folder / "val.tar", folder / "val.txt", folder / "words.txt")
    write_pictures(folder / "data", *sources, counts, 224, 0)


def test_pictures_are_scaled_cut_and_listed_once(folder):
    write(folder)
    data = folder / "data"
    paths, names = read_images(data, "val")
    assert names == ["val/000000.jpg", "val/000001.jpg"]
    image = read_image(paths[0])
    assert image.shape == (224, 224, 3)
    assert image.min() > 240
    assert sorted([*read_labels(data, "val"), *read_labels(data, "calibration")]) == [0, 1, 2]
    assert read_classes(data) == ("crane (n00000001)", "tench", "crane (n00000003)")


def test_more_pictures_than_there_are(folder):
    with pytest.raises(UserError, match="val.txt: it has 3 items, 4 are wanted. Lower splits.val or splits"):
        write(folder, val=3)


def test_a_picture_that_the_archive_lacks(folder):
    (folder / "val.txt").write_text("0.JPEG 2\n1.JPEG 0\n9.JPEG 1\n")
    with pytest.raises(FormatError, match="val.tar: it has no '9.JPEG'"):
        write(folder)


def test_no_archive_and_no_picture(folder):
    with tarfile.open(folder / "val.tar", "w") as archive:
        for index in range(3):
            member = tarfile.TarInfo(f"{index}.JPEG")
            member.size = 5
            archive.addfile(member, io.BytesIO(b"noise"))
    with pytest.raises(FormatError, match="JPEG: not a readable picture"):
        write(folder)
    (folder / "val.tar").write_bytes(b"<html>")
    with pytest.raises(FormatError, match="val.tar: no tar archive"):
        write(folder)


@pytest.mark.parametrize("line", ["0.JPEG", "0.JPEG 3", "0.JPEG x", " 1"])
def test_damaged_list(tmp_path, line):
    (tmp_path / "val.txt").write_text(f"a.JPEG 1\n{line}\n")
    with pytest.raises(FormatError, match="line 2: .* is not <file> <label below 3>"):
        read_listing(tmp_path / "val.txt", 3)


@pytest.mark.parametrize(("content", "line"), [("", 1), ("n00000001 tench\ntench\n", 2)])
def test_damaged_names(tmp_path, content, line):
    (tmp_path / "words.txt").write_text(content)
    with pytest.raises(FormatError, match=f"line {line} is not a number of WordNet and names"):
        read_words(tmp_path / "words.txt")
