"""Masks over pictures: what a model says of each pixel, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from trtflow.reporting.boxes import PALETTE

OPACITY = 0.55  # of the colour of a class over a picture
VOID_COLOUR = (255, 255, 255)
GAP = 8  # pixels between pictures
ROW = 22  # pixels of a line of the legend
FONT = 14
CELL = 256  # pixels of a side of a picture in a sheet


def colours_of(classes: Sequence[str]) -> np.ndarray:
    """Return the colours of classes, uint8 [classes, 3]; beyond ten they repeat, each time darker."""
    table = [ImageColor.getrgb(colour) for colour in PALETTE]
    rounds = [(table[place % len(table)], place // len(table)) for place in range(len(classes))]
    return np.array([[channel // (1 + turn) for channel in colour] for colour, turn in rounds], np.uint8)


def draw_mask(image: np.ndarray, mask: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return a picture with the colour of its class over each pixel.

    Args:
        image: uint8 [H, W, 3].
        mask: int [H, W], classes; below 0 what does not count, which is white.
        colours: uint8 [classes, 3].
    """
    table = np.concatenate([colours, np.array([VOID_COLOUR], np.uint8)])
    over = table[np.where(mask < 0, len(colours), mask)]
    return np.rint(image * (1 - OPACITY) + over * OPACITY).astype(np.uint8)


def mask_sheet(rows: Sequence[Sequence[np.ndarray]], headings: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return pictures in rows under headings, above a legend of the classes, uint8 [H, W, 3] on white.

    Args:
        rows: uint8 [H, W, 3] each, as many as headings; each is scaled into a square cell.
        headings: of the columns, such as truth and answer.
        classes: names by label.
    """
    font = ImageFont.load_default(FONT)
    width = len(headings) * (CELL + GAP) + GAP
    places = legend_places(classes, width, font)
    legend = (max(line for line, _ in places) + 1) * ROW
    sheet = Image.new("RGB", (width, ROW + len(rows) * (CELL + GAP) + legend + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for column, heading in enumerate(headings):
        draw.text((GAP + column * (CELL + GAP), 4), heading, fill="black", font=font)
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            cell = into_cell(picture)
            left, top = GAP + column * (CELL + GAP), ROW + number * (CELL + GAP)
            sheet.paste(cell, (left + (CELL - cell.width) // 2, top + (CELL - cell.height) // 2))
    first = ROW + len(rows) * (CELL + GAP)
    for name, colour, (line, left) in zip(classes, colours_of(classes).tolist(), places, strict=True):
        top = first + line * ROW
        draw.rectangle((left, top + 3, left + 14, top + 17), fill=tuple(colour), outline="black")
        draw.text((left + 20, top + 2), name, fill="black", font=font)
    return np.asarray(sheet)


def into_cell(picture: np.ndarray) -> Image.Image:
    """Return a picture with its longer side `CELL` pixels long."""
    factor = CELL / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BICUBIC)


def legend_places(classes: Sequence[str], width: int, font: Any) -> list[tuple[int, int]]:
    """Return line and left edge of each class's entry, which follow each other as words do."""
    places, line, left = [], 0, GAP
    for name in classes:
        length = 20 + int(font.getlength(name)) + 16
        if left > GAP and left + length > width:
            line, left = line + 1, GAP
        places.append((line, left))
        left += length
    return places
