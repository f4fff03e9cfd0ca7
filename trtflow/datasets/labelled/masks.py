"""Masks of segmentation: a PNG file a picture, in which each pixel has the number or the colour of its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.labelled.boxes import label_of
from trtflow.datasets.labelled.lists import PictureSet, pictures_of
from trtflow.datasets.labelled.pictures import label_file, size_of
from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.pixels import check_pixels

VOID = -1  # of pixels that do not count
BORDER = 255  # the number of such pixels in a mask, as in Pascal VOC and Cityscapes
NUMBERS = ("1", "L", "P", "I", "I;16")  # modes of Pillow whose pixels are numbers
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class MaskForm:
    """What pixels of masks mean.

    Attributes:
        classes: names, in the model's order; a number of a pixel is a place in it.
        colours: by class, where pixels are colours.
        void: numbers, or places in `void_colours`, of pixels that do not count.
        void_colours: colours of such pixels.
    """

    classes: Sequence[str]
    colours: Mapping[str, Colour] = field(default_factory=dict)
    void: tuple[int, ...] = (BORDER,)
    void_colours: tuple[Colour, ...] = ()


def mask_form(data: Mapping[str, Any], classes: Sequence[str]) -> MaskForm:
    """Return what pixels mean as a YAML file's `data` says: `colours` and `void`.

    Raises:
        UserError: a colour is of no class.
    """
    colours, void = data.get("colours", {}), data.get("void", [BORDER])
    for name in colours:
        label_of(name, list(classes), Path("data.colours"), "the class")
    numbers = tuple(value for value in void if isinstance(value, int))
    of_colours = tuple((value[0], value[1], value[2]) for value in void if not isinstance(value, int))
    return MaskForm(classes, {name: tuple(colour) for name, colour in colours.items()}, numbers, of_colours)


def find_masks(place: Path, masks: Path, folder: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Return the pictures of a place and the mask of each, of the same name, of the same size.

    Args:
        place: of the pictures: their folder, or a list.
        masks: folder of the masks.
        folder: that names of a list start from.

    Raises:
        FormatError: there are no pictures, or one has no mask, or one of another size.
    """
    split = pictures_of(place, folder)
    return split.paths, masks_of(split, masks)


def masks_of(split: PictureSet, masks: Path) -> list[Path]:
    """Return the mask of each picture.

    Raises:
        FormatError: one has none, or one of another size.
    """
    pictures = split.paths
    paths = [label_file(picture, split.folder, masks, ".png") for picture in pictures]
    for picture, path in zip(pictures, paths, strict=True):
        if not path.exists():
            raise FormatError(path, f"{picture} has no mask", "Add it, or take the picture out.")
        (height, width), (rows, columns) = size_of(picture), size_of(path)
        if (height, width) != (rows, columns):
            fault = f"the mask is {columns}x{rows} pixels, but {picture} is {width}x{height}"
            raise FormatError(path, fault, "Make them of one size; scale masks without interpolation.")
    return paths


def read_mask(path: Path, form: MaskForm) -> np.ndarray:
    """Return the class of each pixel, int16 [H, W], `VOID` where it does not count.

    Raises:
        FormatError: it is no picture, or a number or colour in it is no class.
    """
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports what imports this

    bomb = (Image.DecompressionBombError,)
    with refuse_damage(path, "not a readable mask", "Make it again.", bomb), Image.open(path) as image:
        check_pixels(path, image.width, image.height)
        mode = image.mode
        pixels = np.asarray(image.convert("RGB") if form.colours else image).astype(np.int64)
    if form.colours:
        return _from_colours(path, pixels, form)
    if mode not in NUMBERS:
        fault = f"its pixels are colours (Pillow's mode {mode})"
        raise FormatError(path, fault, "Say which colour is which class as data.colours, or store class numbers.")
    return _from_numbers(path, pixels, form)


def _from_numbers(path: Path, pixels: np.ndarray, form: MaskForm) -> np.ndarray:
    void = np.isin(pixels, form.void)
    unknown = ~void & (pixels >= len(form.classes))
    if unknown.any():
        worst, count = np.unique(pixels[unknown], return_counts=True)
        fault = (
            f"{int(count[0])} pixels are of class {int(worst[0])}, but there are {len(form.classes)} classes from 0 on"
        )
        raise FormatError(path, fault, "Correct the mask, name all classes in data.classes, or set data.void.")
    return np.where(void, VOID, pixels).astype(np.int16)


def _from_colours(path: Path, pixels: np.ndarray, form: MaskForm) -> np.ndarray:
    """Return the classes of colours; each is one number of 24 bits, so that all pixels are looked up at once."""
    places = {_number(colour): form.classes.index(name) for name, colour in form.colours.items()}
    places |= {_number(colour): VOID for colour in form.void_colours}
    known = np.array(sorted(places))
    numbers = pixels @ np.array([1 << 16, 1 << 8, 1])
    found = np.searchsorted(known, numbers).clip(0, len(known) - 1)
    unknown = known[found] != numbers
    if unknown.any():
        colour = pixels[unknown][0].tolist()
        fault = f"{int((numbers == _number(colour)).sum())} pixels have the colour {colour}, which is no class"
        raise FormatError(path, fault, "Correct the mask, or add the colour to data.colours or data.void.")
    return np.array([places[number] for number in known.tolist()], np.int16)[found]


def _number(colour: Sequence[int]) -> int:
    red, green, blue = colour
    return (red << 16) | (green << 8) | blue
