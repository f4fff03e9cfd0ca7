"""Pictures of ILSVRC 2012's validation set, out of its archive, in the layout of `digit_pictures`.

Who is registered at image-net.org may have the archive. Labels and names of the classes are those of Caffe's
caffe_ilsvrc12.tar.gz: `val.txt` (a line `ILSVRC2012_val_00000001.JPEG 65` for each) and `synset_words.txt`
(`n01440764 tench, Tinca tinca`). Pictures are scaled to 256 pixels on the shorter side, and the middle is cut out, as
the networks were tested.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.datasets.digit_pictures import NAMES, list_split, read_classes, read_images, read_labels, read_listing
from trtflow.datasets.images import fit, read_image
from trtflow.datasets.splits import deal
from trtflow.datasets.tars import Tar, open_tar
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import read_lines
from trtflow.formats.files import atomic_path, write_text
from trtflow.job import Job
from trtflow.steps import required

__all__ = ["read_classes", "read_images", "read_labels"]

SPLITS = ("val", "calibration")
SIZE = 224  # side of a picture where none is given, pixels
SCALED = 256  # pixels of the shorter side before the middle is cut out
AGAIN = "Fetch it again."


def make_data(job: Job) -> None:
    """Take pictures to score and to calibrate with."""
    root, size = job.output("classes").parent, job.setting("model.size", SIZE)
    if not 0 < size <= SCALED:
        raise UserError(f"{job.sample}: model.size {size} is not 1 to {SCALED}. Set it to a size that ILSVRC has.")
    counts = {split: required(job, f"splits.{split}") for split in SPLITS}
    sources = (job.input("archive"), job.input("labels"), job.input("words"))
    write_pictures(root, *sources, counts, size, job.setting("splits.seed", 0))
    for split in SPLITS:
        list_split(root, split, job.outputs[split])


def write_pictures(
    root: Path, archive: Path, listing: Path, words: Path, counts: Mapping[str, int], size: int, seed: int
) -> None:
    """Write pictures of each split below `root`, their lists, and the names of the classes; none is in two splits.

    Args:
        root: where to write.
        archive: ILSVRC2012_img_val.tar.
        listing: val.txt of Caffe's.
        words: synset_words.txt of Caffe's.
        counts: pictures of each split.
        size: side of the pictures, pixels, at most `SCALED`.
        seed: of the order in which they are dealt out.

    Raises:
        FormatError: a file is not what it should be, or lacks a picture.
        UserError: more pictures are wanted than the list has.
    """
    classes = read_words(words)
    listed = read_listing(listing, len(classes))
    chosen = deal(str(listing), np.random.default_rng(seed).permutation(len(listed)), counts)
    with open_tar(archive, AGAIN, packed=False) as pictures:
        for split, places in chosen.items():
            _write_split(root, split, pictures, [listed[place] for place in places], size)
    write_text(root / NAMES, "".join(f"{name}\n" for name in classes))


def read_words(path: Path) -> list[str]:
    """Return the names of the classes, the first of each; one that stands for two classes has its number beside it."""
    lines = [re.fullmatch(r"(n\d{8}) ([^,]+)(,.*)?", line) for line in read_lines(path, AGAIN)]
    if not lines or None in lines:
        place = lines.index(None) + 1 if lines else 1
        raise FormatError(path, f"line {place} is not a number of WordNet and names", AGAIN)
    pairs = [(match[1], match[2]) for match in lines if match]
    times = Counter(name for _, name in pairs)
    return [f"{name} ({number})" if times[name] > 1 else name for number, name in pairs]


def _write_split(root: Path, split: str, pictures: Tar, entries: list[tuple[str, int]], size: int) -> None:
    from PIL import Image  # noqa: PLC0415 - reading a split needs no Pillow

    lines = []
    for index, (source, label) in enumerate(entries):
        whole = fit(_picture(pictures, source), SCALED)
        edge = (SCALED - size) // 2
        name = f"{split}/{index:06d}.jpg"
        with atomic_path(root / name, durable=False) as temporary:
            middle = whole[edge : edge + size, edge : edge + size]
            Image.fromarray(middle).save(temporary, "JPEG", quality=95, subsampling=0)
        lines.append(f"{name} {label}\n")
    write_text(root / f"{split}.txt", "".join(lines))


def _picture(pictures: Tar, name: str) -> np.ndarray:
    """Return a picture of the archive, uint8 [H, W, 3]."""
    content = pictures.read(name)
    if content is None:
        raise FormatError(pictures.path, f"it has no {name!r}", "Take the archive of all of val.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        path.write_bytes(content)
        return read_image(path)
