"""Labels of the user's own: boxes in three forms that are one inside, masks, and what is wrong with either."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.masks import VOID, MaskForm, find_masks, read_mask
from trtflow.datasets.voc import Annotation, write_annotation
from trtflow.formats import FormatError

CLASSES = ["cat", "dog", "traffic light"]
SIZES = {"a": (40, 60), "b": (32, 32), "c": (50, 20)}  # height and width
OBJECTS = {"a": [(1, 2, 3, 30, 23), (3, 10, 0, 60, 40)], "b": [], "c": [(2, 4, 8, 12, 40)]}


def voc_file(folder, name, objects, size):
    boxes = np.array([box for _, *box in objects], np.float32).reshape(-1, 4)
    labels = np.array([label for label, *_ in objects], np.int64)
    annotation = Annotation(name, size, boxes, labels, np.zeros(len(labels), bool))
    folder.mkdir(exist_ok=True)
    write_annotation(folder / f"{name}.xml", annotation, ("background", *CLASSES))


def yolo_file(folder, name, objects, size):
    height, width = size
    lines = [
        f"{label - 1} {(left + right) / 2 / width} {(top + bottom) / 2 / height} {(right - left) / width} "
        f"{(bottom - top) / height}\n"
        for label, left, top, right, bottom in objects
    ]
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text("".join(lines))


def coco_content():
    images = [
        {"id": 10 * place, "file_name": f"{name}.png", "height": height, "width": width}
        for place, (name, (height, width)) in enumerate(SIZES.items(), 1)
    ]
    categories = [{"id": 7, "name": "traffic light"}, {"id": 90, "name": "cat"}, {"id": 18, "name": "dog"}]
    numbers = {1: 90, 2: 18, 3: 7}
    annotations = [
        {"image_id": 10 * place, "category_id": numbers[label], "bbox": [left, top, right - left, bottom - top]}
        for place, name in enumerate(SIZES, 1)
        for label, left, top, right, bottom in OBJECTS[name]
    ]
    return {
        "images": images[::-1],
        "categories": categories,
        "annotations": [{"id": number, "iscrowd": 0, **entry} for number, entry in enumerate(annotations, 100)],
    }


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, size in SIZES.items():
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def labels(tmp_path, pictures):
    for name, size in SIZES.items():
        voc_file(tmp_path / "voc", name, OBJECTS[name], size)
        if OBJECTS[name]:  # a picture without objects has no file
            yolo_file(tmp_path / "yolo", name, OBJECTS[name], size)
    (tmp_path / "coco.json").write_text(json.dumps(coco_content()))
    return tmp_path


@pytest.mark.parametrize("form", ["voc", "yolo", "coco.json"])
def test_three_forms_are_one_inside(labels, pictures, form):
    found = read_objects(pictures, labels / form, CLASSES)
    assert found.names == ["a.png", "b.png", "c.png"]
    for annotation, name in zip(found.annotations, SIZES, strict=True):
        assert annotation.size == SIZES[name]
        assert annotation.labels.tolist() == [label for label, *_ in OBJECTS[name]]
        boxes = np.array([box for _, *box in OBJECTS[name]], np.float32).reshape(-1, 4)
        np.testing.assert_allclose(annotation.boxes, boxes, atol=1e-4)


def test_coco_is_read_as_pycocotools_reads_it(labels, pictures, capsys):
    theirs = COCO(str(labels / "coco.json"))
    found = read_objects(pictures, labels / "coco.json", CLASSES)
    for name, annotation in zip(found.names, found.annotations, strict=True):
        (number,) = [number for number, image in theirs.imgs.items() if image["file_name"] == name]
        entries = theirs.imgToAnns[number]
        assert [theirs.cats[entry["category_id"]]["name"] for entry in entries] == [
            CLASSES[label - 1] for label in annotation.labels
        ]
        for entry, box in zip(entries, annotation.boxes, strict=True):
            np.testing.assert_allclose(entry["bbox"], [*box[:2], *(box[2:] - box[:2])])


@pytest.mark.parametrize(("folder", "beside"), [("images", "labels"), ("JPEGImages", "Annotations"), ("val", "val")])
def test_labels_are_found_where_they_usually_are(tmp_path, folder, beside):
    (tmp_path / folder).mkdir()
    Image.new("RGB", (60, 40)).save(tmp_path / folder / "a.png")
    write = voc_file if beside == "Annotations" else yolo_file
    write(tmp_path / beside, "a", OBJECTS["a"], SIZES["a"])
    assert read_objects(tmp_path / folder, None, CLASSES).annotations[0].labels.tolist() == [1, 3]


def test_outlines_of_yolo_are_the_boxes_around_them(labels, pictures):
    (labels / "yolo/a.txt").write_text("1 0.1 0.2 0.5 0.1 0.4 0.9 0.2 0.3\n")
    found = read_objects(pictures, labels / "yolo", CLASSES)
    np.testing.assert_allclose(found.annotations[0].boxes, [[6, 4, 30, 36]], atol=1e-4)


def test_a_box_beyond_the_border_by_a_pixel_is_cut_off(labels, pictures):
    voc_file(labels / "voc", "a", [(1, -1, 0, 60.9, 40)], SIZES["a"])
    assert read_objects(pictures, labels / "voc", CLASSES).annotations[0].boxes.tolist() == [[0, 0, 60, 40]]


def changed(part, place, **keys):
    content = coco_content()
    content[part][place] |= keys
    return content


BROKEN_COCO = [
    (changed("annotations", 0, image_id=99), "annotation 100 is of image_id 99, which is none of its images"),
    (changed("annotations", 1, category_id=5), "annotation 101 is of category_id 5, which is none of its categories"),
    (changed("annotations", 1, id=100), "the id 100 stands twice in annotations"),
    (changed("images", 0, id=10), "the id 10 stands twice in images"),
    (changed("categories", 0, id=18), "the id 18 stands twice in categories"),
    (
        changed("categories", 1, name="lion"),
        "the category 'lion' is no class. Rename it, or add it to data.classes: cat",
    ),
    (changed("images", 0, file_name="z.png"), "image 30, 'z.png', is not in"),
    (changed("images", 0, file_name="../a.png"), "image 30, '../a.png', is not in"),
    (changed("images", 0, height=99), "c.png is 20x50 pixels, but its labels are for 20x99"),
    (changed("annotations", 0, bbox=[1, 2, 3]), r"annotation 100 has the bbox \[1, 2, 3\]. A bbox is left, top, width"),
    (changed("annotations", 0, bbox=[1, 2, -3, 4]), "annotation 100 has the bbox"),
    (changed("annotations", 0, bbox=[1, 2, float("nan"), 4]), "the number NaN is not finite.. It has images"),
    (changed("annotations", 0, bbox=[1, 2, "3", 4]), "annotation 100 has the bbox"),
    (changed("annotations", 0, bbox=[50, 2, 30, 4]), "a.png: the box .* lies outside of its 60x40 pixels"),
    (changed("annotations", 0, bbox=[5, 2, 0, 4]), "a.png: the box .* is empty"),
    (changed("annotations", 0, bbox=None), r"annotations\[0\] has the bbox None"),
    (
        {**coco_content(), "annotations": [{"id": 1, "image_id": 10, "category_id": 7}]},
        r"annotations\[0\] has no 'bbox'",
    ),
    ({"images": []}, "not COCO's annotations"),
    ([], "not COCO's annotations"),
    ({**coco_content(), "images": [], "annotations": []}, "the split is empty"),
    ({**coco_content(), "annotations": []}, "there is no object on the pictures of"),
]


@pytest.mark.parametrize(("content", "told"), BROKEN_COCO, ids=[told[:40] for _, told in BROKEN_COCO])
def test_what_is_wrong_with_a_coco_file_is_told(labels, pictures, content, told):
    (labels / "coco.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=told) as error:
        read_objects(pictures, labels / "coco.json", CLASSES)
    assert "\n" not in str(error.value)


BROKEN_YOLO = [
    ("3 0.5 0.5 0.1 0.1\n", "a.txt: line 1: there is no class 3. The model has 3 classes, numbered from 0"),
    ("0 0.5 0.5 0.1 0.1\ncat 0.5 0.5 0.1 0.1\n", "a.txt: line 2, 'cat 0.5 0.5 0.1 0.1': 'cat' is no whole number"),
    ("0 0.5 0.5 0.1\n", "a.txt: line 1, '0 0.5 0.5 0.1': not a box. A line is"),
    ("0 0.5 nan 0.1 0.1\n", "not a box"),
    ("0 30 20 10 10\n", "not parts of the picture"),
    ("0 0.9 0.5 0.4 0.1\n", "a.png: the box .* lies outside of its 60x40 pixels"),
]


@pytest.mark.parametrize(("text", "told"), BROKEN_YOLO)
def test_what_is_wrong_with_a_yolo_file_is_told(labels, pictures, text, told):
    (labels / "yolo/a.txt").write_text(text)
    with pytest.raises(FormatError, match=told):
        read_objects(pictures, labels / "yolo", CLASSES)


def test_labels_and_pictures_that_do_not_belong_together_are_told(labels, pictures):
    def told(folder=pictures, form="voc"):
        with pytest.raises(FormatError) as error:
            read_objects(folder, labels / form if form else None, CLASSES)
        return str(error.value)

    assert "there are no such labels" in told(form="none")
    assert "no labels beside its pictures. Say where they are as data.labels" in told(form=None)
    (labels / "yolo/lost.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert "lost.txt: there is no picture for it" in told(form="yolo")
    (labels / "voc/b.xml").unlink()
    assert re.search("b.xml: .*b.png has no annotation. Label the picture, or take it out", told())
    voc_file(labels / "voc", "b", OBJECTS["b"], (99, 32))
    assert "b.png is 32x32 pixels, but its labels are for 32x99" in told()
    (labels / "voc/b.txt").write_text("")
    assert "voc: both .xml and .txt files" in told()
    (labels / "empty").mkdir()
    assert "no pictures in it: the split is empty" in told(labels / "empty")
    assert "no folder of pictures" in told(labels / "voc/a.xml")
    (pictures / "c.png").write_bytes(b"none")
    assert "c.png: not a readable picture" in told(form="coco.json")


def test_an_object_of_no_class_in_voc_is_named(labels, pictures):
    path = labels / "voc/a.xml"
    path.write_text(path.read_text().replace("traffic light", "lamp"))
    with pytest.raises(FormatError, match="a.xml: .*'lamp' is none of them"):
        read_objects(pictures, labels / "voc", CLASSES)


TRUTH = np.array([[0, 1, 2], [2, 255, 1]], np.uint8)
COLOURS = {"cat": (0, 0, 0), "dog": (128, 0, 0), "traffic light": (1, 2, 3)}
EDGE = (224, 224, 192)


def palette_picture(values):
    image = Image.fromarray(values, "P")
    image.putpalette(np.random.default_rng(0).integers(0, 255, 768).tolist())
    return image


def coloured(values):
    table = np.zeros((256, 3), np.uint8)
    table[:3], table[255] = list(COLOURS.values()), EDGE
    return table[values]


@pytest.mark.parametrize(
    "mode", ["numbers", "palette", "16 bits", "colours", "colours and alpha", "colours in a palette"]
)
def test_masks_in_all_forms(tmp_path, mode):
    colours = {"colours": COLOURS, "void_colours": (EDGE,)} if "colours" in mode else {}
    image = {
        "numbers": lambda: Image.fromarray(TRUTH),
        "palette": lambda: palette_picture(TRUTH),
        "16 bits": lambda: Image.fromarray(TRUTH.astype(np.uint16)),
        "colours": lambda: Image.fromarray(coloured(TRUTH)),
        "colours and alpha": lambda: Image.fromarray(coloured(TRUTH)).convert("RGBA"),
        "colours in a palette": lambda: Image.fromarray(coloured(TRUTH)).convert("P", palette=Image.Palette.ADAPTIVE),
    }[mode]()
    image.save(tmp_path / "a.png")
    mask = read_mask(tmp_path / "a.png", MaskForm(CLASSES, **colours))
    assert mask.tolist() == [[0, 1, 2], [2, VOID, 1]]


def test_a_mask_of_two_classes_may_be_black_and_white(tmp_path):
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1").save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png", MaskForm(["ground", "cell"])).tolist() == [[0, 1], [1, 0]]


def test_what_is_wrong_with_a_mask_is_told(tmp_path):
    path = tmp_path / "a.png"

    def told(image, **more):
        image.save(path)
        with pytest.raises(FormatError) as error:
            read_mask(path, MaskForm(CLASSES, **more))
        return str(error.value)

    Image.fromarray(TRUTH).save(path)
    with pytest.raises(FormatError, match="2 pixels are of class 2, but there are 2 classes from 0 on"):
        read_mask(path, MaskForm(CLASSES[:2]))
    assert "1 pixels are of class 255" in told(Image.fromarray(TRUTH), void=())
    assert "its pixels are colours (Pillow's mode RGB). Say which" in told(Image.fromarray(coloured(TRUTH)))
    assert "1 pixels have the colour [224, 224, 192], which is no class" in told(
        Image.fromarray(coloured(TRUTH)), colours=COLOURS
    )
    path.write_bytes(b"\x89PNG")
    with pytest.raises(FormatError, match="not a readable mask"):
        read_mask(path, MaskForm(CLASSES))


def test_masks_are_held_against_their_pictures(tmp_path, pictures):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name, size in SIZES.items():
        Image.fromarray(np.zeros(size, np.uint8)).save(masks / f"{name}.png")
    assert [path.name for path in find_masks(pictures, masks)[1]] == ["a.png", "b.png", "c.png"]
    Image.new("L", (9, 9)).save(masks / "b.png")
    with pytest.raises(FormatError, match="b.png: the mask is 9x9 pixels, but .*b.png is 32x32. Make them of one size"):
        find_masks(pictures, masks)
    (masks / "b.png").unlink()
    with pytest.raises(FormatError, match="b.png: .* has no mask"):
        find_masks(pictures, masks)
