"""Where a picture lies in a network's input: stretched over all of it, or scaled as it is with a border around.

Who prepares a picture and who brings boxes or masks back to it must agree to the pixel, so both ask here. `letterbox`
is what YOLOv5 and its kin do (github.com/ultralytics/yolov5, utils/augmentations.py); `corner` is YOLOX's, the picture
in the left upper corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trtflow.formats import UserError

BORDER = 114  # grey of the border, as the networks were trained with


@dataclass(frozen=True)
class Placement:
    """The rectangle of a network's input that a picture fills, in pixels: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int


def _stretch(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    return Placement(0, 0, shape[1], shape[0])


def _scaled(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of a picture that keeps its proportions."""
    factor = min(shape[0] / size[0], shape[1] / size[1])
    return max(1, round(size[1] * factor)), max(1, round(size[0] * factor))


def _letterbox(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    width, height = _scaled(size, shape)
    # of an odd border the smaller half comes first
    return Placement((shape[1] - width) // 2, (shape[0] - height) // 2, width, height)


def _corner(size: tuple[int, int], shape: tuple[int, int]) -> Placement:
    return Placement(0, 0, *_scaled(size, shape))


PLACEMENTS = {"stretch": _stretch, "letterbox": _letterbox, "corner": _corner}


def place(size: tuple[int, int], shape: tuple[int, int], resize: str) -> Placement:
    """Return where a picture lies.

    Args:
        size: height and width of the picture.
        shape: height and width of the network's input.
        resize: stretch, letterbox or corner.

    Raises:
        UserError: there is no such way.
    """
    if resize not in PLACEMENTS:
        raise UserError(f"data.pictures.resize: unknown {resize!r}. Known: {', '.join(PLACEMENTS)}.")
    return PLACEMENTS[resize](size, shape)


def put(image: np.ndarray, shape: tuple[int, int], resize: str) -> np.ndarray:
    """Return a picture, uint8 [H, W, 3], as a network's input shows it, uint8 [*shape, 3]; bilinear."""
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    where = place((image.shape[0], image.shape[1]), shape, resize)
    scaled = Image.fromarray(image).resize((where.width, where.height), Image.Resampling.BILINEAR)
    canvas = np.full((*shape, image.shape[2]), BORDER, np.uint8)
    canvas[where.top : where.top + where.height, where.left : where.left + where.width] = np.asarray(scaled)
    return canvas


def boxes_in_picture(boxes: np.ndarray, size: tuple[int, int], shape: tuple[int, int], resize: str) -> np.ndarray:
    """Return boxes of a network's input as those of the picture that it shows, cut off where the picture ends.

    Args:
        boxes: float [n, 4], xmin, ymin, xmax, ymax, where 1 is a side of the input.
        size: height and width of the picture.
        shape: height and width of the input.
        resize: how it was placed.

    Returns:
        float [n, 4], where 1 is a side of the picture.
    """
    where = place(size, shape, resize)
    offset = np.array([where.left, where.top] * 2, boxes.dtype)
    sides = np.array([where.width, where.height] * 2, boxes.dtype)
    whole = np.array([shape[1], shape[0]] * 2, boxes.dtype)
    return ((boxes * whole - offset) / sides).clip(0, 1)


def map_in_picture(values: np.ndarray, size: tuple[int, int], shape: tuple[int, int], resize: str) -> np.ndarray:
    """Return a map [h, w] over a network's input, of any resolution, as one [H, W] over the picture: nearest cells.

    Arguments as of `boxes_in_picture`.
    """
    where = place(size, shape, resize)
    rows = where.top + (np.arange(size[0]) + 0.5) * where.height / size[0]
    columns = where.left + (np.arange(size[1]) + 0.5) * where.width / size[1]
    places = [
        np.floor(along * cells / side).astype(np.int64).clip(0, cells - 1)
        for along, cells, side in zip((rows, columns), values.shape, shape, strict=True)
    ]
    return values[np.ix_(*places)]
