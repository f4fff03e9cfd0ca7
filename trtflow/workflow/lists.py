"""Lists of the user's pictures, as far as a plan looks into them: which files they name."""

from __future__ import annotations

import os
from collections.abc import Iterator

LISTS = (".txt", ".json")  # endings; of COCO's .json, which may be large, all that lies in the folder counts
TABLES = (".csv", ".parquet")
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".pnm", ".webp", ".tif", ".tiff")


def is_list(place: str) -> bool:
    """Whether a place of pictures is a list of them, in a folder that is said besides."""
    return os.path.splitext(place)[1].lower() in LISTS and not os.path.isdir(place)


def is_table(place: str) -> bool:
    """Whether data are a table, whose columns may name pictures in a folder that is said besides."""
    return place.lower().endswith(TABLES)


def listed_files(place: str, folder: str) -> Iterator[str]:
    """Yield the pictures that a text file names, those that are there, or the folder of those that COCO's file does."""
    if not place.lower().endswith(".txt"):
        yield folder
        return
    with open(place, encoding="utf-8", errors="replace") as file:
        names = [line.strip() for line in file if line.strip()]
    for name in names:
        for stem in (name, *name.rsplit(maxsplit=1)[:1]):
            there = [f"{stem}{ending}" for ending in ("", *ENDINGS, *map(str.upper, ENDINGS))]
            found = next((path for path in (os.path.join(folder, file) for file in there) if os.path.isfile(path)), "")
            if found:
                yield found
                break
