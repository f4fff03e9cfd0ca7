"""`trtflow init` for models that say where something is: what it writes finds what is on the pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from own_steps import through, written
from PIL import Image
from places import CLASSES, SIDE, SIZE, Prior, Table8, UNet, export, write_pictures
from suppressed import (
    write_caffe,
    write_efficient,
    write_rows6,
    write_rows7,
    write_selected,
    write_tensorflow,
    write_torchvision,
)

from trtflow.datasets.labelled import read_objects
from trtflow.datasets.voc import write_annotation
from trtflow.formats import UserError

COUNT = 6
PALETTE = ((0, 0, 0), (10, 0, 0), (20, 0, 0), (30, 0, 0))  # colours of masks, sorted as the classes are
FORMS = {
    "selected.onnx": (write_selected, {"name": "nms_output", "units": "pixels"}),
    "rows_7.onnx": (write_rows7, {"name": "nms_output", "units": "pixels"}),
    "rows_6.onnx": (write_rows6, {"name": "nms_output", "units": "pixels"}),
    "tensorflow.onnx": (write_tensorflow, {"name": "nms_output", "boxes": "yxyx", "units": "unit", "first_label": 1}),
    "efficient.onnx": (write_efficient, {"name": "nms_output", "units": "pixels"}),
    "torchvision.onnx": (write_torchvision, {"name": "nms_output"}),
    "ssd.caffemodel": (write_caffe, {"name": "ssd"}),
    "table8.onnx": (lambda path: export(Table8(), path, ["output0"]), {"name": "yolov8"}),
    "table5.onnx": (lambda path: export(Table5(), path, ["output0"]), {"name": "yolov5"}),
}


class Table5(Table8):
    """YOLOv5's table [N, 64, 8]: middle and sides in pixels, objectness, scores."""

    def forward(self, images):
        import torch  # noqa: PLC0415 - it is loaded already

        table = super().forward(images).transpose(1, 2)
        return torch.cat([table[..., :4], torch.ones_like(table[..., :1]), table[..., 4:]], 2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures, labels of all forms, and masks."""
    place = tmp_path_factory.mktemp("pictures")
    write_pictures(place, COUNT)
    labelled = read_objects(place / "pictures", place / "labels.json", CLASSES)
    for annotation in labelled.annotations:
        write_annotation(place / f"voc/{annotation.image_id}.xml", annotation, ("background", *CLASSES))
    return place


@pytest.fixture
def here(pictures, tmp_path, monkeypatch):
    """The pictures in an empty folder."""
    shutil.copytree(pictures / "pictures", tmp_path / "squares/images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_labels(pictures, form):
    """Lay labels beside the pictures as data sets of a form have them."""
    if form == "coco":
        shutil.copy(pictures / "labels.json", "squares/instances.json")
    if form == "voc":
        shutil.move("squares/images", "squares/JPEGImages")
        shutil.copytree(pictures / "voc", "squares/Annotations")
    if form == "yolo":
        shutil.copytree(pictures / "labels", "squares/labels")
        Path("squares/data.yaml").write_text(yaml.safe_dump({"train": "x", "val": "images", "names": list(CLASSES)}))


@pytest.mark.parametrize(("model", "labels"), list(zip(FORMS, ["voc", "coco", "yolo"] * 3, strict=False)))
def test_a_detector_is_told_by_its_outputs_and_finds_what_is_there(pictures, here, model, labels):
    write, decoding = FORMS[model]
    write(Path(model))
    put_labels(pictures, labels)
    told, _ = written(model, "--data", "squares")
    assert told["task"] == "detection"
    assert told["decoding"] == decoding
    assert set(told["data"]["classes"]) == set(CLASSES)
    # VOC's files name no order, and the alphabet's is not the model's: its user has to look at it
    told["data"]["classes"] = list(CLASSES)
    (path,) = Path("config/samples").glob("*.yaml")
    name = path.stem  # my_ssd, for ssd is one of the guide's
    path.write_text(yaml.safe_dump(told, sort_keys=False))
    metrics, agreement = through(name)
    assert metrics["coco_map50"] == pytest.approx(1)
    assert agreement["overlap_agreement"] > 0.999


def test_ssd_without_priors_asks_for_them(pictures, here):
    export(Prior(), Path("prior.onnx"), ["loc", "conf"])
    put_labels(pictures, "coco")
    told, text = written("prior.onnx", "--data", "squares")
    assert told["decoding"] == {"name": "ssd", "priors": "priors.npy"}
    assert "priors" in text
    shutil.copy(pictures / "priors.npy", "priors.npy")
    assert through("prior")[0]["coco_map50"] == pytest.approx(1)


@pytest.mark.parametrize("form", ["numbers", "colours"])
def test_a_segmentation_is_told_by_its_map(pictures, here, form):
    export(UNet(), Path("unet.onnx"), ["logits"])
    Path("squares/masks").mkdir()
    for path in (pictures / "masks").glob("*.png"):
        mask = np.asarray(Image.open(path))
        Image.fromarray(mask if form == "numbers" else np.array(PALETTE, np.uint8)[mask]).save(
            f"squares/masks/{path.name}"
        )
    told, _ = written("unet.onnx", "--data", "squares")
    assert told["task"] == "segmentation"
    assert told["data"]["masks"] == "squares/masks"
    assert len(told["data"]["classes"]) == 4
    assert ("colours" in told["data"]) == (form == "colours")
    metrics, agreement = through("unet")
    assert metrics["miou"] == pytest.approx(1)
    assert agreement["pixel_agreement"] > 0.999


def broken_ids(content):
    content["annotations"][0]["image_id"] = 99


def no_category(content):
    content["annotations"][0]["category_id"] = 99


def another_size(content):
    content["images"][0]["height"] += 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (broken_ids, "instances.json: annotation 1 is of image_id 99, which is none of its images"),
        (no_category, "instances.json: annotation 1 is of category_id 99, which is none of its categories"),
        (another_size, "instances.json: .* is 64x64 pixels, but its labels are for 64x65"),
    ],
)
def test_labels_that_do_not_fit_are_told_by_init(pictures, here, spoil, message):
    content = json.loads((pictures / "labels.json").read_text())
    spoil(content)
    Path("squares/instances.json").write_text(json.dumps(content))
    write_rows6(Path("rows.onnx"))
    with pytest.raises(UserError, match=message) as error:
        written("rows.onnx", "--data", "squares")
    assert "\n" not in str(error.value)


def test_a_coco_file_without_its_first_picture_is_none_of_another_task(pictures, here):
    put_labels(pictures, "coco")
    first = min(Path("squares/images").iterdir())
    first.unlink()
    write_rows6(Path("rows.onnx"))
    with pytest.raises(
        UserError, match=f"instances.json: images.*: the picture '{first.name}' is not in squares/images"
    ):
        written("rows.onnx", "--data", "squares")


def test_pictures_in_one_folder_are_no_class(here):
    write_rows6(Path("rows.onnx"))
    assert written("rows.onnx", "--data", "squares")[0]["task"] == "none"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--labels", "nowhere"), "nowhere: no such file or folder. Correct --labels or --masks"),
        (("--name", "ssd"), "--name ssd: it is a sample of the guide's. Take another name"),
        (("--labels", "squares", "--masks", "squares"), "--labels and --masks: boxes or masks"),
    ],
)
def test_places_that_cannot_be_are_told(here, options, message):
    write_rows6(Path("rows.onnx"))
    with pytest.raises(UserError, match=message):
        written("rows.onnx", "--data", "squares", *options)


def test_outputs_that_nobody_could_read_are_told(pictures, here):
    put_labels(pictures, "coco")
    export(UNet(), Path("unet.onnx"), ["logits"])
    with pytest.raises(
        UserError, match=r"unet.onnx: no decoder reads its outputs logits \[1, 4, 64, 64\] with 3 classes"
    ):
        written("unet.onnx", "--data", "squares")
    with pytest.raises(UserError, match="squares/images: no masks in or beside it. Say where they are with --masks"):
        written("unet.onnx", "--data", "squares", "--task", "segmentation")
    assert not Path("config/samples").exists()


def test_a_map_of_fewer_classes_than_the_masks_have_is_told(pictures, here):
    write_rows6(Path("rows.onnx"))
    shutil.copytree(pictures / "masks", "squares/masks")
    with pytest.raises(UserError, match=r"rows.onnx: none of its outputs output0 \[1, 20, 6\] is a map"):
        written("rows.onnx", "--data", "squares")


def test_a_classifiers_folders_are_no_labels(here):
    """Folders of pictures stay a classifier's, whatever lies beside them."""
    from trtflow.families.own.init import find_places  # noqa: PLC0415

    for name in ("cat", "dog"):
        shutil.copytree("squares/images", f"animals/{name}")
    Path("animals/notes.txt").write_text("of 2020\n")
    assert find_places(Path("animals"), None, None).told == {"val": "animals"}
    assert SIDE < SIZE


def test_a_picture_without_a_batch_is_told(here):
    """torchvision's detectors take a list of pictures [3, H, W], and so does what torch exports of them."""
    write_rows6(Path("rows.onnx"))
    model = onnx.load("rows.onnx")
    graph = model.graph
    graph.node.insert(0, onnx.helper.make_node("Unsqueeze", ["picture", "front"], ["images"]))
    graph.node.append(onnx.helper.make_node("Squeeze", ["output0", "front"], ["found"]))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "front"))
    del graph.input[:], graph.output[:]
    graph.input.append(onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [3, SIZE, SIZE]))
    graph.output.append(onnx.helper.make_tensor_value_info("found", onnx.TensorProto.FLOAT, [20, 6]))
    onnx.save(model, "rows.onnx")
    message = (
        r"rows.onnx: input 'picture' is a picture without a batch, \[3, 64, 64\]. Export the model with one, \[1, 3, "
    )
    with pytest.raises(UserError, match=message):
        written("rows.onnx", "--data", "squares")
