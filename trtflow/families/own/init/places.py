"""Where pictures and their labels are, in the folders that people have: COCO, Pascal VOC, YOLO, masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trtflow.datasets.labelled import pictures as labelled
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import read_json

PICTURES = ("images", "JPEGImages", "imgs", "image", "pictures")  # folders of pictures, in that of a data set
BOXES = ("labels", "Annotations", "annotations", "xmls")  # of their boxes
MASKS = ("masks", "SegmentationClass", "mask", "annotations", "labels")  # of their masks
HELD_OUT = ("val", "valid", "validation", "test")  # splits, the one to score first
COCO_PARTS = {"images", "annotations", "categories"}
LOOKED_AT = 20  # pictures, to see whether labels are theirs
LARGEST_JSON = 512 << 20  # bytes of a file that is looked into


@dataclass(frozen=True)
class Places:
    """Where data are.

    Attributes:
        val: the items: a folder of pictures, or a file.
        labels: of boxes; None where there are none.
        masks: None where there are none.
        left: what is left to the user, a sentence each.
    """

    val: Path
    labels: Path | None = None
    masks: Path | None = None
    left: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, str]:
        """The keys of a YAML file's `data`."""
        named = {"val": self.val, "labels": self.labels, "masks": self.masks}
        return {key: str(place) for key, place in named.items() if place is not None}


def find_places(data: Path, labels: Path | None, masks: Path | None) -> Places:
    """Return where pictures and labels are.

    Args:
        data: what the user calls the data: a file, a folder of pictures, or that of a data set with both.
        labels: of boxes, where the user says it.
        masks: the same of masks.

    Raises:
        UserError: the user said both, or what is not there, or of data that are no pictures.
    """
    if labels and masks:
        raise UserError("--labels and --masks: boxes or masks? Give one of both.")
    for place in (labels, masks):
        if place and not place.exists():
            raise UserError(f"{place}: no such file or folder. Correct --labels or --masks.")
    if not data.is_dir():
        if labels or masks:
            raise UserError(f"{data}: labels of boxes and masks are of pictures in a folder. Give that as --data.")
        return Places(data)
    folder = _pictures(data)
    if labels or masks:
        return Places(folder, labels, masks)
    boxes = next((place for place in _beside(data, folder, BOXES) if _has(place, folder, (".xml", ".txt"))), None)
    found, left = boxes or next(_coco_files(data, folder), None), tuple(_split(data, folder))
    if found:
        return Places(folder, labels=found, left=left)
    held = next((place for place in _beside(data, folder, MASKS) if _has(place, folder, (".png",))), None)
    return Places(folder, masks=held, left=left) if held else Places(data)


def _split(data: Path, folder: Path) -> Iterator[str]:
    """Yield a sentence where Pascal VOC's lists say which pictures of a folder are held out, for all are taken."""
    lists = [data / "ImageSets" / part / f"{split}.txt" for part in ("Main", "Segmentation") for split in HELD_OUT]
    held = next((path for path in lists if path.is_file()), None)
    if held is not None:
        count = sum(1 for line in held.read_text(errors="replace").splitlines() if line.strip())
        yield f"data.val: all pictures of {folder}; {held} has {count} of them, give these a folder of their own"


def _pictures(data: Path) -> Path:
    """Return the folder of the pictures of a data set, that of the split to score where there are several."""
    folder = next((data / name for name in PICTURES if (data / name).is_dir()), None)
    if folder is None:  # a folder a split, each with pictures and labels, as Roboflow has it
        splits = [data / split / name for split in HELD_OUT for name in PICTURES]
        return next((place for place in splits if place.is_dir()), data)
    return next((folder / split for split in HELD_OUT if (folder / split).is_dir()), folder)


def _beside(data: Path, folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Yield where labels of the pictures of a folder may lie, of usual names: in the place of `images`, or in it."""
    for place in range(len(folder.parts) - 1, -1, -1):
        if folder.parts[place] in PICTURES:
            for name in names:
                yield Path(*folder.parts[:place], name, *folder.parts[place + 1 :])
            break
    yield from (data / name for name in names)
    if folder == data:
        yield folder


def _has(labels: Path, folder: Path, endings: tuple[str, ...]) -> bool:
    """Whether a folder has the labels of most of the first pictures of another."""
    if not labels.is_dir():
        return False
    try:
        some = labelled.find_pictures(folder)[:LOOKED_AT]
    except FormatError:
        return False
    files = [[labelled.label_file(picture, folder, labels, ending) for picture in some] for ending in endings]
    return any(
        sum(path.exists() and path != picture for path, picture in zip(its, some, strict=True)) * 2 > len(some)
        for its in files
    )


def _coco_files(data: Path, folder: Path) -> Iterator[Path]:
    """Yield COCO's files in or beside a folder of pictures, those that are named as its split first."""
    places = [folder, folder.parent, data, *(base / "annotations" for base in (data, data.parent))]
    files = dict.fromkeys(path for place in places for path in sorted(place.glob("*.json")))
    for path in sorted(files, key=lambda path: (folder.name not in path.stem, "instances" not in path.stem)):
        if path.stat().st_size <= LARGEST_JSON and _is_coco(path, folder):
            yield path


def _is_coco(path: Path, folder: Path) -> bool:
    """Whether a file is of COCO's form, and some of its first pictures lie in a folder."""
    try:
        content = read_json(path)
    except FormatError:
        return False
    if not isinstance(content, dict) or not set(content) >= COCO_PARTS or not isinstance(content["images"], list):
        return False
    first = [image for image in content["images"][:LOOKED_AT] if isinstance(image, dict)]
    return any((folder / str(image.get("file_name"))).is_file() for image in first)
