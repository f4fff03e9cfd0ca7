"""Splits that are lists of pictures in one folder: init tells them, the YAML file says them, a bad one is a line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from own_steps import done, job_of, through, written
from places import CLASSES, UNet, export, write_pictures
from suppressed import write_rows6

from trtflow.datasets.images import PICTURES
from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.lists import pictures_of
from trtflow.datasets.own import read_items
from trtflow.datasets.voc import write_annotation
from trtflow.formats import FormatError, UserError
from trtflow.samples import load
from trtflow.workflow.by_hand import ROOT
from trtflow.workflow.errors import PlanError
from trtflow.workflow.lists import ENDINGS
from trtflow.workflow.plan import make_plan

COUNT, HELD, TRAINED = 10, (1, 4, 8), (0, 2, 3, 5, 6)  # pictures; those of two splits, and two of none


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    write_pictures(place, COUNT)
    write_rows6(place / "rows.onnx")
    export(UNet(), place / "unet.onnx", ["logits"])
    return place


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model in made.glob("*.onnx"):
        shutil.copy(model, tmp_path)
    return tmp_path


def put_voc(made):
    """Pascal VOC's folders: all pictures in one, masks of the splits' alone, and lists of names without endings."""
    shutil.copytree(made / "pictures", "set/JPEGImages")
    for annotation in read_objects(made / "pictures", made / "labels.json", CLASSES).annotations:
        write_annotation(Path(f"set/Annotations/{annotation.image_id}.xml"), annotation, ("background", *CLASSES))
    Path("set/SegmentationClass").mkdir()
    for number in (*HELD, *TRAINED):
        shutil.copy(made / f"masks/{number}.png", "set/SegmentationClass")
    for part in ("Main", "Segmentation"):
        put_list(f"set/ImageSets/{part}/val.txt", HELD)
        put_list(f"set/ImageSets/{part}/train.txt", TRAINED)
    return Path("set/JPEGImages")


def put_yolo(made):
    """Darknet's and Ultralytics' lists: names with their endings from where the list lies."""
    shutil.copytree(made / "pictures", "set/images")
    shutil.copytree(made / "labels", "set/labels")
    Path("set/labels/classes.txt").write_text("\n".join(CLASSES))
    put_list("set/val.txt", HELD, "./images/{}.png")
    put_list("set/train.txt", TRAINED, "./images/{}.png")
    return Path("set")


def put_coco(made):
    """Two of COCO's files beside one folder."""
    shutil.copytree(made / "pictures", "set/images")
    content = json.loads((made / "labels.json").read_text())
    Path("set/annotations").mkdir()
    for split, numbers in (("val", HELD), ("train", TRAINED)):
        images = [image for image in content["images"] if image["id"] in numbers]
        objects = [entry for entry in content["annotations"] if entry["image_id"] in numbers]
        told = {**content, "images": images, "annotations": objects}
        Path(f"set/annotations/instances_{split}.json").write_text(json.dumps(told))
    return Path("set/images")


def put_list(path, numbers, form="{}"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(f"{form.format(number)}\n" for number in numbers))


def put_darknet(made):
    """Darknet's: labels beside the pictures, and lists of paths from where it is run."""
    shutil.copytree(made / "pictures", "set/obj")
    shutil.copytree(made / "labels", "set/obj", dirs_exist_ok=True)
    Path("set/classes.txt").write_text("\n".join(CLASSES))
    put_list("set/val.txt", HELD, "set/obj/{}.png")
    put_list("set/train.txt", TRAINED, "set/obj/{}.png")
    return Path()


FORMS = {
    "darknet": (put_darknet, "{}.txt"),
    "voc": (put_voc, "ImageSets/Main/{}.txt"),
    "yolo": (put_yolo, "{}.txt"),
    "coco": (put_coco, "annotations/instances_{}.json"),
}


@pytest.mark.parametrize("way", ["set", "list"])
@pytest.mark.parametrize("form", FORMS)
def test_a_detectors_splits_are_lists(made, here, form, way):
    put, lists = FORMS[form]
    folder, val = put(made), f"set/{lists.format('val')}"
    told, _ = written("rows.onnx", "--data", "set" if way == "set" else val)
    assert told["task"] == "detection"
    assert told["data"]["val"] == val
    assert told["data"]["folder"] == str(folder)
    assert told["data"]["calibration"] == f"set/{lists.format('train')}"
    told["data"]["classes"] = list(CLASSES)  # VOC names them in no order
    Path("config/samples/rows.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    metrics, agreement = through("rows")
    assert metrics["coco_map50"] == pytest.approx(1)
    assert agreement["overlap_agreement"] > 0.999
    sample = load("rows")
    splits = {"val": val, "calibration": told["data"]["calibration"]}
    found = {split: sample.read_images(Path(place), split)[1] for split, place in splits.items()}
    assert [int(Path(name).stem) for name in found["val"]] == list(HELD)
    assert {int(Path(name).stem) for name in found["calibration"]} <= set(TRAINED)


def test_a_segmentations_splits_are_lists(made, here):
    put_voc(made)
    shutil.rmtree("set/Annotations")
    told, _ = written("unet.onnx", "--data", "set")
    assert told["task"] == "segmentation"
    assert told["data"]["val"] == "set/ImageSets/Segmentation/val.txt"
    assert told["data"]["masks"] == "set/SegmentationClass"
    metrics, agreement = through("unet")
    assert metrics["miou"] == pytest.approx(1)
    assert agreement["pixel_agreement"] > 0.999


@pytest.mark.parametrize("labels", [[2, 0, 1], ["two", "none", "one"]])
def test_a_list_of_names_and_labels_is_a_classifiers(made, here, labels):
    shutil.copytree(made / "pictures", "pictures")
    Path("val.txt").write_text("".join(f"{n}.png {label}\n" for n, label in zip(HELD, labels, strict=True)))
    items = read_items(Path("val.txt"), folder=Path("pictures"))
    assert items.names == [f"{number}.png" for number in HELD]
    assert items.columns["labels"].tolist() == labels


def test_names_may_have_spaces_and_labels(here):
    for name in ("a b.png", "a b 1.png", "c.JPG"):
        Path(name).touch()
    Path("val.txt").write_text("a b 1.png 7\n  a b.png\t8\nc 9\n\n")
    found = pictures_of(Path("val.txt"))
    assert found.names == ["a b 1.png", "a b.png", "c.JPG"]
    assert found.labels.tolist() == [7, 8, 9]


BAD = [
    ("voc", "ImageSets/Main/val.txt", "1\n77\n", "line 2: the picture '77' is not in set/JPEGImages. Add it, take"),
    ("voc", "ImageSets/Main/val.txt", "\n \n", "no pictures in it: the split is empty. Name some"),
    ("voc", "ImageSets/Main/val.txt", "1\n4\n1.png\n", "line 3: '1.png' stands in it twice, first as line 1. Take one"),
    ("voc", "ImageSets/Main/val.txt", "1 0\n4\n", "line 2 has no label behind its name, but others have. Give all"),
    (
        "yolo",
        "train.txt",
        "images/3.png\nimages/4.png\n",
        "its picture set/images/4.png stands in set/val.txt too",
    ),
    ("yolo", "val.txt", "images/1.png\n../other.png\n", "line 2: '../other.png' does not lie in set. Set data.folder"),
    ("coco", "annotations/instances_val.json", '{"images": []}', "no pictures in it: the split is empty. Name some"),
    ("coco", "annotations/instances_val.json", '{"images": [{"id": 1}]}', "not COCO's annotations .*file_name"),
]


@pytest.mark.parametrize(("form", "file", "text", "message"), BAD)
def test_a_bad_list_is_one_line(made, here, form, file, text, message):
    FORMS[form][0](made)
    written("rows.onnx", "--data", "set")
    Path("other.png").touch()
    Path(f"set/{file}").write_text(text)
    with pytest.raises(UserError, match=rf"^set/{file}: {message}") as told:
        done(job_of("rows", "export"))
    assert "\n" not in str(told.value)


def test_init_tells_a_bad_list(made, here):
    put_voc(made)
    Path("set/ImageSets/Main/val.txt").write_text("1\n77\n")
    with pytest.raises(
        FormatError, match=r"set/ImageSets/Main/val.txt: line 2: the picture '77' is not in set/JPEGImages"
    ):
        written("rows.onnx", "--data", "set")
    Path("lone.txt").write_text("nowhere.png\n")
    with pytest.raises(
        FormatError, match=r"lone.txt: no folder beside it, or above, has its first picture 'nowhere.png'"
    ):
        written("rows.onnx", "--data", "lone.txt")


def test_a_plan_follows_the_pictures_of_a_list_alone(made, here):
    put_voc(made)
    written("rows.onnx", "--data", "set")
    plan = make_plan(ROOT, {})
    before = plan.own_state("rows", "val")
    np.save("set/JPEGImages/7.npy", np.zeros(1))
    Path("set/JPEGImages/7.png").write_bytes(b"of no split")
    assert plan.own_state("rows", "val") == before
    Path("set/JPEGImages/4.png").write_bytes(b"of this split")
    assert plan.own_state("rows", "val") != before
    listing = plan.own_listing("rows", "val")
    assert listing[-4:] == ["--list", "set/ImageSets/Main/val.txt", "--folder", "set/JPEGImages"]
    assert plan.own_listing("rows", "model") == ["rows.onnx"]
    assert ENDINGS == PICTURES


@pytest.mark.parametrize(
    ("change", "message"),
    [({"folder": None}, "data.folder, that names in a list of pictures start from: missing"), ({"val": "set"}, None)],
)
def test_lists_and_their_folder_go_together(made, here, change, message):
    put_voc(made)
    told, _ = written("rows.onnx", "--data", "set")
    told["data"] |= change
    told["data"] = {key: value for key, value in told["data"].items() if value is not None}
    if message is None:
        del told["data"]["calibration"]
        message = "neither data.val nor data.calibration is a list or a table. Leave it out"
    Path("config/samples/rows.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    with pytest.raises(PlanError, match=message):
        make_plan(ROOT, {})
