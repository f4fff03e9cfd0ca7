"""Pascal VOC's annotations, an XML file a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtflow.datasets.labelled.pictures import check_size, label_file
from trtflow.datasets.voc import Annotation, read_annotation
from trtflow.formats import FormatError

BACKGROUND = "background"


def read_voc(labels: Path, folder: Path, pictures: Sequence[Path], classes: Sequence[str]) -> list[Annotation]:
    """Return the objects of each picture.

    Args:
        labels: folder of the annotations.
        folder: of the pictures.
        pictures: in the folder.
        classes: names, without a background.

    Raises:
        FormatError: a picture has none, or it is damaged, of another size, or has an object of no class.
    """
    found = []
    for picture in pictures:
        path = label_file(picture, folder, labels, ".xml")
        if not path.exists():
            raise FormatError(path, f"{picture} has no annotation", "Label the picture, or take it out.")
        found.append(read_annotation(path, (BACKGROUND, *classes)))
        check_size(picture, found[-1].size, path)
    return found
