"""Pictures inside a page, as data: addresses."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trtflow.formats.damage import refuse_damage
from trtflow.formats.pixels import check_pixels

FULL, THUMBNAIL = 1600, 480  # pixels: the widest picture of a sample's page, and of a list
PLOT_COLOURS = 4096  # a picture of fewer is a plot, which lossy compression would blur
QUALITY = 80  # of all others


@dataclass(frozen=True)
class Picture:
    """A picture for an <img>: its address, which holds it, and its size in pixels."""

    address: str
    width: int
    height: int


def inline(path: Path, widest: int = FULL) -> Picture:
    """Return a picture as WebP, no wider than `widest` pixels; the same file gives the same bytes.

    Raises:
        FormatError: the file is no picture.
    """
    bomb = (Image.DecompressionBombError,)
    again = "Delete it and make it again with snakemake."
    with refuse_damage(path, "not a picture", again, bomb), Image.open(path) as opened:
        check_pixels(path, opened.width, opened.height)
        image = opened.convert("RGB")
    plot = image.getcolors(PLOT_COLOURS) is not None
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=plot and widest >= FULL, quality=QUALITY, method=4)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{data}", image.width, image.height)
