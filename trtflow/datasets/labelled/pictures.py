"""Pictures in folders: which there are, and how large they are."""

from __future__ import annotations

from pathlib import Path

from trtflow.datasets.images import NETPBM, PICTURES, read_image
from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder, by name.

    Raises:
        FormatError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise FormatError(folder, "no folder of pictures", "Correct the path in data.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise FormatError(folder, "no pictures in it: the split is empty", f"Known are {', '.join(PICTURES)}.")
    return found


def size_of(path: Path) -> tuple[int, int]:
    """Return height and width of a picture, without reading its pixels.

    Raises:
        FormatError: it is none.
    """
    if path.suffix.lower() in NETPBM:
        height, width = read_image(path).shape[:2]
        return height, width
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports what imports this

    bomb = (Image.DecompressionBombError,)
    with refuse_damage(path, "not a readable picture", "Make or fetch it again.", bomb), Image.open(path) as image:
        return image.height, image.width


def check_size(path: Path, said: tuple[int, int], source: Path) -> None:
    """Refuse labels that were made for a picture of another size.

    Args:
        path: of the picture.
        said: height and width that its labels are for.
        source: file of the labels.

    Raises:
        FormatError: it has another size.
    """
    height, width = size_of(path)
    if (height, width) != said:
        fault = f"{path} is {width}x{height} pixels, but its labels are for {said[1]}x{said[0]}"
        raise FormatError(source, fault, "Take the picture that was labelled, or scale the labels with it.")


def label_file(picture: Path, folder: Path, labels: Path, ending: str) -> Path:
    """Return where the labels of a picture are: in the same place below `labels`, or nearer to it, or straight in it.

    Where none is there, the last is what is returned.
    """
    parts = picture.relative_to(folder).with_suffix(ending).parts
    places = [labels.joinpath(*parts[first:]) for first in range(len(parts))]
    return next((place for place in places if place.exists()), places[-1])
