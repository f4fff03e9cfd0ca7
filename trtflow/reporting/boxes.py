"""Boxes on pictures: the guide's red rectangles (§16.2, §16.5), and a version with labels for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trtflow.formats.files import atomic_path

RED = (255, 0, 0)
GREEN = (0, 255, 0)
VISUAL_THRESHOLD = 0.6  # the guide's kVISUAL_THRESHOLD, §16.5
# Paul Tol's muted colours, which people with colour blindness can tell apart.
PALETTE = ("#CC6677", "#332288", "#DDCC77", "#117733", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499", "#DDDDDD")
DARK = {"#332288", "#117733", "#882255", "#AA4499"}  # those that take white text
SCALE = 2  # of the labelled pictures: text needs pixels
DASH = 5  # pixels of a stroke and of a gap

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def visible(rows: np.ndarray, threshold: float = VISUAL_THRESHOLD) -> np.ndarray:
    """Return those of an image's detections, float32 [K, 7], whose score is at least `threshold`."""
    return rows[(rows[:, 1] >= 0) & (rows[:, 2] >= threshold)]


def draw_boxes(image: np.ndarray, boxes: np.ndarray, colour: tuple[int, int, int] = RED) -> np.ndarray:
    """Return a copy of a picture with rectangles one pixel wide.

    Args:
        image: uint8 [H, W, 3].
        boxes: float [n, 4], xmin, ymin, xmax, ymax from 0 to 1; what lies outside is drawn on the border.
        colour: red, green, blue.
    """
    picture = image.copy()
    for left, top, right, bottom in _corners(boxes, image.shape[1], image.shape[0]):
        picture[[top, bottom], left : right + 1] = colour
        picture[top : bottom + 1, [left, right]] = colour
    return picture


def _corners(boxes: np.ndarray, width: int, height: int) -> Iterator[tuple[int, ...]]:
    """Yield the first and last pixel of each box: left, top, right, bottom."""
    size = np.array([width, height, width, height])
    yield from (tuple(map(int, box)) for box in np.rint(boxes * size).clip(0, size - 1))


def draw_labelled_boxes(
    image: np.ndarray, rows: np.ndarray, classes: Sequence[str], truth: np.ndarray | None = None
) -> np.ndarray:
    """Return a picture of twice the size with boxes in the colours of their classes, and names and scores.

    Args:
        image: uint8 [H, W, 3].
        rows: detections to draw, float32 [n, 7].
        classes: names by label.
        truth: float [m, 4], true boxes from 0 to 1, dashed.
    """
    picture = Image.fromarray(image).resize((image.shape[1] * SCALE, image.shape[0] * SCALE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(8 * SCALE)
    for box in _corners(np.zeros((0, 4)) if truth is None else truth, *picture.size):
        _dashed_rectangle(draw, box)
    for row, box in zip(rows, _corners(rows[:, 3:], *picture.size), strict=True):
        colour = PALETTE[(int(row[1]) - 1) % len(PALETTE)]
        draw.rectangle(box, outline=colour, width=SCALE)
        _label(draw, box, f"{classes[int(row[1])]}  {row[2]:.2f}", colour, font)
    return np.asarray(picture)


def _label(draw: ImageDraw.ImageDraw, box: tuple[int, ...], text: str, colour: str, font: Font) -> None:
    """Write on the upper edge of a box, or below it where the picture ends."""
    _, _, width, height = map(int, draw.textbbox((3, 2), text, font=font))
    left = max(min(box[0], draw.im.size[0] - width - 4), 0)
    top = box[1] - height - 3 if box[1] > height + 3 else box[1]
    draw.rectangle((left, top, left + width + 3, top + height + 3), fill=colour)
    draw.text((left + 3, top + 2), text, fill="white" if colour in DARK else "black", font=font)


def _dashed_rectangle(draw: ImageDraw.ImageDraw, box: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    for x in range(left, right + 1, 2 * DASH):
        end = min(x + DASH, right)
        draw.line([(x, top), (end, top)], fill=GREEN)
        draw.line([(x, bottom), (end, bottom)], fill=GREEN)
    for y in range(top, bottom + 1, 2 * DASH):
        end = min(y + DASH, bottom)
        draw.line([(left, y), (left, end)], fill=GREEN)
        draw.line([(right, y), (right, end)], fill=GREEN)


def of_one_size(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return pictures, uint8 [H, W, 3], in the middle of white ones that are large enough for each of them."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    found = []
    for picture in pictures:
        canvas = np.full((height, width, 3), 255, np.uint8)
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        found.append(canvas)
    return found


def contact_sheet(pictures: Sequence[np.ndarray], columns: int = 4, gap: int = 8) -> np.ndarray:
    """Return pictures of one size, uint8 [H, W, 3] each, in a grid on white, row by row."""
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (
            gap + place * (side + gap) for place, side in zip(divmod(index, columns), (height, width), strict=True)
        )
        sheet[top : top + height, left : left + width] = picture
    return sheet


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a picture, uint8 [H, W, 3], as PNG."""
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, "PNG")  # optimize=True takes five times the time for 4 % of the size
