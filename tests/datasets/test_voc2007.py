"""VOC 2007 from a tar in its layout: what is written is what the mini scenes give, and what is damaged is named."""

import cv2
import numpy as np
import pytest
from PIL import Image
from voc_tar import annotation_text, jpeg, make_files, write_tar

from trtflow.datasets import coco, voc
from trtflow.datasets.images import read_image
from trtflow.datasets.voc2007 import CLASSES, GROUND, scale, write_voc2007
from trtflow.formats import FormatError

CAT = ("cat", False, 1, 1, 20, 10)


def one(picture=None, objects=(CAT,), size=(40, 20)):
    """The files of a tar with one picture of 40x20."""
    return {
        "ImageSets/Main/test.txt": b"000007\n",
        "JPEGImages/000007.jpg": picture or jpeg(Image.new("RGB", (40, 20), (200, 0, 0))),
        "Annotations/000007.xml": annotation_text("000007", size, list(objects)),
    }


def write(folder, files, *, count=1, seed=0, shape=(200, 200), keep_ratio=False):
    archive = write_tar(folder / "test.tar", files)
    write_voc2007(folder / "val", archive, "val", count, seed, shape, keep_ratio=keep_ratio)
    return folder / "val"


def test_split_has_the_files_of_the_mini_scenes(tmp_path):
    root = write(tmp_path, make_files("val", 5), count=3, shape=(300, 300))
    ids = ["000000", "000001", "000002"]
    assert voc.read_image_set(root, "val") == ids
    assert {read_image(voc.image_path(root, name)).shape for name in ids} == {(300, 300, 3)}
    truths = voc.read_split(root, "val", CLASSES)
    assert all(truth.size == (300, 300) and len(truth.labels) for truth in truths)
    assert len(list((root / "JPEGImages").iterdir())) == 3


@pytest.mark.parametrize(("classes", "number"), [(CLASSES, 8), (coco.CLASSES, 16), (coco.NUMBERED, 17)])
def test_objects_have_the_numbers_of_the_networks_classes(tmp_path, classes, number):
    archive = write_tar(tmp_path / "test.tar", one())
    write_voc2007(tmp_path / "val", archive, "val", 1, 0, (200, 200), keep_ratio=False, classes=classes)
    (truth,) = voc.read_split(tmp_path / "val", "val", classes)
    assert (truth.image_id, truth.labels.tolist()) == ("000000", [number])
    np.testing.assert_allclose(truth.boxes, [[0, 0, 100, 100]])


def test_choice_is_by_the_seed_and_in_the_order_of_the_tar(tmp_path):
    files = make_files("val", 6)
    first, same, other = (
        write(tmp_path / str(index), files, count=3, seed=seed) for index, seed in enumerate((0, 0, 1))
    )
    read = [[path.read_bytes() for path in sorted(root.rglob("*.*"))] for root in (first, same, other)]
    assert read[0] == read[1] != read[2]
    everything = write(tmp_path / "all", files, count=6)
    whole = [path.read_bytes() for path in sorted((everything / "JPEGImages").iterdir())]
    places = [whole.index(path.read_bytes()) for path in sorted((first / "JPEGImages").iterdir())]
    assert places == sorted(places)


def test_boxes_hold_their_first_and_last_pixels_and_scale_with_the_picture(tmp_path):
    objects = [CAT, ("dog", True, 21, 11, 40, 20)]
    (truth,) = voc.read_split(write(tmp_path, one(objects=objects), shape=(200, 400)), "val", CLASSES)
    assert truth.boxes.tolist() == [[0, 0, 200, 100], [200, 100, 400, 200]]
    assert [CLASSES[label] for label in truth.labels] == ["cat", "dog"]
    assert truth.difficult.tolist() == [False, True]


def test_picture_that_keeps_its_ratio_lies_in_a_frame(tmp_path):
    root = write(tmp_path, one(), shape=(375, 500), keep_ratio=True)
    (truth,) = voc.read_split(root, "val", CLASSES)
    assert truth.size == (375, 500)
    assert truth.boxes.tolist() == [[0, 0, 250, 125]]
    image = read_image(voc.image_path(root, "000000"))
    np.testing.assert_allclose(image[100, 100], (200, 0, 0), atol=3)
    np.testing.assert_allclose(image[300, 100], GROUND, atol=3)


@pytest.mark.parametrize("size", [(30, 30), (60, 45), (40, 80)])
def test_scaling_is_that_of_opencv(size):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    expected = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    found = np.asarray(scale(Image.fromarray(pixels), *size)).astype(int)
    inner = (slice(1, -1), slice(1, -1))  # at the border Pillow's answer is the nearest pixel's
    assert np.abs(found - expected)[inner].max() <= 1


GREY, CMYK = (jpeg(Image.new(mode, (40, 20))) for mode in ("L", "CMYK"))
CUT = jpeg(Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)))[:-200]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"readme.txt": b""}, "no VOCdevkit/VOC2007/ImageSets/Main/test.txt in it. Give VOC 2007's tar"),
        ({**one(), "ImageSets/Main/test.txt": b""}, r"test has 0 pictures, fewer than 1. Lower splits.val"),
        ({**one(), "ImageSets/Main/test.txt": b"000008\n"}, "no VOCdevkit/VOC2007/JPEGImages/000008.jpg in it"),
        (one(GREY), "JPEGImages/000007.jpg is L, not in red, green and blue"),
        (one(CMYK), "JPEGImages/000007.jpg is CMYK, not in red, green and blue"),
        (one(CUT), r"JPEGImages/000007.jpg is not a readable picture"),
        (one(b"<html>"), r"JPEGImages/000007.jpg is not a readable picture"),
        (one(size=(20, 40)), r"000007.xml: the picture is 40x20, not 20x40"),
        (one(objects=[("unicorn", *CAT[1:])]), r"000007.xml: not a VOC annotation of 21 classes"),
        (
            one(objects=[("cat", False, 5, 1, 4, 10)]),
            r"000007.xml: the box \[5.0, 1.0, 4.0, 10.0\] ends before it begins",
        ),
        (one(objects=[("cat", False, 1, 1, 41, 10)]), r"is empty or not in the picture of 40x20"),
        (one(objects=[("cat", False, 0, 1, 4, 10)]), r"is empty or not in the picture"),
        (one(objects=[("cat", False, "a", 1, 4, 10)]), r"000007.xml: not a VOC annotation"),
        (one(objects=[("cat", False, "nan", 1, 4, 10)]), r"<xmin> is nan"),
        ({**one(), "Annotations/000007.xml": b"<annotation>"}, r"000007.xml: not a VOC annotation"),
    ],
)
def test_bad_tar_is_one_error(tmp_path, files, message):
    with pytest.raises(FormatError, match=message) as found:
        write(tmp_path, files)
    assert "test.tar" in str(found.value)


def test_cut_tar_and_no_tar_are_one_error(tmp_path):
    buffer = (write_tar(tmp_path / "whole.tar", one())).read_bytes()
    for content in (buffer[:900], b"<html>not found</html>"):
        (tmp_path / "test.tar").write_bytes(content)
        with pytest.raises(FormatError, match=r"test\.tar: "):
            write_voc2007(tmp_path, tmp_path / "test.tar", "val", 1, 0, (200, 200), keep_ratio=False)
