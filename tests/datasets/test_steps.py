"""What a data set makes for a job: the files that its writers write, and a manifest where the split has one."""

import filecmp
import gzip
import io
import struct
import tarfile

import numpy as np
import pytest
from jobs import job
from PIL import Image
from voc_tar import make_files, write_tar

from trtflow import datasets
from trtflow.datasets import characters, digit_pictures, digit_scenes, digits, imagenet, ratings, translation, voc2007
from trtflow.datasets.manifest import read_split
from trtflow.datasets.objects import CLASSES
from trtflow.datasets.voc import read_images
from trtflow.datasets.voc import read_split as read_annotations
from trtflow.formats import FormatError, UserError


def make(data_set, function, settings, outputs, inputs=None):
    asked = job(function, data_set=data_set, settings=settings, inputs=inputs or {}, outputs=outputs)
    datasets.load(asked)(asked)


def same(first, second):
    """Whether two folders hold the same files, but for manifests."""
    names = [path.relative_to(first) for path in first.rglob("*") if path.is_file() and path.suffix != ".sha256"]
    others = [path.relative_to(second) for path in second.rglob("*") if path.is_file()]
    assert sorted(names) == sorted(others)
    return all(filecmp.cmp(first / name, second / name, shallow=False) for name in names)


def test_digits_of_ours(tmp_path):
    counts = {"train": 30, "calibration": 5, "val": 60}
    outputs = {"train": tmp_path / "a/train.npz"}
    make("digits", "make_data", {"splits": {**counts, "seed": 3}}, outputs)
    digits.write_digits(tmp_path / "b", counts, 3)
    assert same(tmp_path / "a", tmp_path / "b")


def test_digits_of_mnist(tmp_path):
    values = np.arange(40) % 10
    for name in digits.PUBLISHED:
        labels = struct.pack(">BBBBI", 0, 0, 8, 1, 40) + values.astype(np.uint8).tobytes()
        ink = struct.pack(">BBBBIII", 0, 0, 8, 3, 40, 28, 28) + bytes(range(40)) * 784
        (tmp_path / name).write_bytes(gzip.compress(labels if "labels" in name else ink))
    splits = {"train": 20, "calibration": 5, "val": 40}
    inputs = {name: tmp_path / name for name in digits.PUBLISHED}
    make("digits", "make_data", {"splits": splits}, {"train": tmp_path / "data/train.npz"}, inputs)
    assert digits.read_labels(tmp_path / "data", "val").tolist() == values.tolist()


@pytest.mark.parametrize("split", digit_scenes.SPLITS)
def test_scenes(tmp_path, split):
    folder, settings = tmp_path / "data" / split, {"splits": {split: 2, "seed": 1, "shape": [300, 320]}}
    manifest = tmp_path / f"data/{split}.sha256"
    make("digit_scenes", f"make_{split}", settings, {"split": [folder, manifest]})
    digit_scenes.write_split(tmp_path / "other", split, 2, 1, (300, 320))
    assert same(folder, tmp_path / "other")
    assert read_split(manifest) == folder


def test_pictures_that_are_single_files_have_no_manifest(tmp_path):
    folder, settings = tmp_path / "calibration", {"splits": {"calibration": 1}}
    pictures = [folder / "ImageSets/Main/calibration.txt", folder / "JPEGImages/000000.jpg"]
    make("digit_scenes", "make_calibration", settings, {"split": pictures})
    digit_scenes.write_split(tmp_path / "other", "calibration", 1, 0)
    assert same(folder, tmp_path / "other")
    assert not list(tmp_path.rglob("*.sha256"))


@pytest.mark.parametrize("split", digit_pictures.SPLITS)
def test_coloured_pictures(tmp_path, split):
    root, settings = tmp_path / "data", {"splits": {split: 3, "seed": 2}, "model": {"size": 32}}
    outputs = [root / split, root / f"{split}.sha256", root / f"{split}.txt"]
    make("digit_pictures", f"make_{split}", settings, {"split": outputs})
    digit_pictures.write_split(tmp_path / "other", split, 3, 32, 2)
    assert same(root, tmp_path / "other")
    assert read_split(outputs[1]) == root
    assert len(outputs[1].read_text().splitlines()) == 4  # the list too


@pytest.mark.parametrize(("split", "objects"), [("val", "voc"), ("calibration", "coco")])
def test_voc(tmp_path, split, objects):
    archive = write_tar(tmp_path / "voc.tar", make_files(split, 3))
    folder, manifest = tmp_path / "data" / split, tmp_path / f"data/{split}.sha256"
    settings = {"splits": {split: 2, "seed": 0, "shape": [200, 240], "keep_ratio": True, "objects": objects}}
    make("voc2007", f"make_{split}", settings, {"split": [folder, manifest]}, {"archive": archive})
    known = CLASSES[objects]
    place = (tmp_path / "other", archive, split, 2, 0, (200, 240))
    voc2007.write_voc2007(*place, keep_ratio=True, classes=known)
    assert same(folder, tmp_path / "other")
    assert read_split(manifest) == folder
    assert read_images(folder, split)[1] == ["000000", "000001"]
    assert len(read_annotations(folder, split, known)) == 2


def test_a_network_that_knows_no_objects_of_voc(tmp_path):
    settings = {"splits": {"val": 2, "shape": [200, 240], "objects": "digits"}}
    with pytest.raises(UserError, match="'digits' has not all of VOC's objects. Take voc or coco or coco91"):
        make("voc2007", "make_val", settings, {"split": tmp_path / "val"}, {"archive": tmp_path / "voc.tar"})


def test_pictures_of_imagenet(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.zeros((300, 600, 3), np.uint8)).save(stored, "JPEG")
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        for index in range(3):
            member = tarfile.TarInfo(f"{index}.JPEG")
            member.size = len(stored.getvalue())
            archive.addfile(member, io.BytesIO(stored.getvalue()))
    (tmp_path / "val.txt").write_text("0.JPEG 0\n1.JPEG 1\n2.JPEG 0\n")
    (tmp_path / "words.txt").write_text("n00000001 crane\nn00000002 tench\n")
    sources = {"archive": tmp_path / "val.tar", "labels": tmp_path / "val.txt", "words": tmp_path / "words.txt"}
    root, settings = tmp_path / "data", {"splits": {"val": 2, "calibration": 1}}
    outputs = {"classes": root / "classes.txt", "calibration": [root / "calibration.txt"]}
    outputs["val"] = [root / "val", root / "val.sha256", root / "val.txt"]
    make("imagenet", "make_data", settings, outputs, sources)
    imagenet.write_pictures(tmp_path / "other", *sources.values(), settings["splits"], 224, 0)
    assert same(root, tmp_path / "other")
    assert [path.name for path in root.glob("*.sha256")] == ["val.sha256"]
    assert read_split(root / "val.sha256") == root
    with pytest.raises(UserError, match="model.size 257 is not 1 to 256"):
        make("imagenet", "make_data", {**settings, "model": {"size": 257}}, outputs, sources)


def test_ratings(tmp_path):
    outputs = {"train": tmp_path / "train.rating", "choices": tmp_path / "test.negative"}
    make("ratings", "make_data", {"splits": {"users": 60, "movies": 170, "seed": 4}}, outputs)
    train, choices = ratings.leave_one_out(ratings.make_ratings(60, 170, 4), 99, 4)
    ratings.write_ratings(tmp_path / "other", train)
    assert filecmp.cmp(tmp_path / "other", outputs["train"], shallow=False)
    users, movies = ratings.read_choices(outputs["choices"], 60, 170)
    np.testing.assert_array_equal(users, np.arange(60))
    np.testing.assert_array_equal(np.sort(movies), np.sort(choices))


@pytest.mark.parametrize("known", [False, True])
def test_a_text(tmp_path, known):
    (tmp_path / "text.txt").write_text("abcabcabba")
    characters.write_vocabulary(tmp_path / "known.json", {"c": 0, "b": 1, "a": 2})
    inputs = {"text": tmp_path / "text.txt", **({"known": tmp_path / "known.json"} if known else {})}
    outputs = {"train": tmp_path / "data/train.txt", "vocabulary": tmp_path / "vocab.json"}
    make("characters", "make_data", {"splits": {"val": 3}}, outputs, inputs)
    assert (tmp_path / "data/val.txt").read_text() == "bba"
    assert (tmp_path / "data/train.txt").read_text() == "abcabca"
    assert characters.read_vocabulary(outputs["vocabulary"])["a"] == (2 if known else 0)


def test_sentences(tmp_path):
    outputs = {"train": tmp_path / "a/train.de", "vocabularies": tmp_path / "a/vocab.de"}
    make("translation", "make_data", {"splits": {"train": 40, "val": 5, "seed": 1}, "model": {"merges": 10}}, outputs)
    translation.write_pairs(tmp_path / "b", tmp_path / "b", 10, 1, train=40, val=5)
    assert same(tmp_path / "a", tmp_path / "b")


def test_an_unknown_data_set():
    with pytest.raises(UserError, match="unknown data set 'digit'. Known: characters, digit_pictures, digit_scenes, "):
        make("digit", "make_data", {}, {})
    with pytest.raises(UserError, match="unknown data set 'archives'"):  # a module, but none that makes data
        make("archives", "make_data", {}, {})


def test_a_data_set_without_the_function_of_a_step():
    with pytest.raises(UserError, match="data set 'digits' has no function 'make_val'. It has make_data."):
        make("digits", "make_val", {}, {})


def test_a_setting_that_is_missing(tmp_path):
    with pytest.raises(UserError, match="splits.val is not set"):
        make("digit_scenes", "make_val", {}, {"split": tmp_path / "val"})


def test_a_text_that_is_no_vocabulary(tmp_path):
    (tmp_path / "known.json").write_text("{")
    outputs = {"train": tmp_path / "data/train.txt", "vocabulary": tmp_path / "vocab.json"}
    with pytest.raises(FormatError, match="known.json"):
        make("characters", "make_data", {"splits": {"val": 3}}, outputs, {"known": tmp_path / "known.json"})
