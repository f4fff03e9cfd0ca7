"""Pictures and objects of detectors' data sets, to train on and to ask networks about, and detections in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from trtflow.datasets.digit_scenes import CLASSES
from trtflow.datasets.images import read_image, read_sized_image
from trtflow.datasets.manifest import read_split
from trtflow.datasets.voc import Annotation, image_path, read_image_set
from trtflow.datasets.voc import read_split as read_annotations
from trtflow.formats.arrays import write_arrays
from trtflow.progress import track

BATCH_SIZE = 8
Pictures = list[np.ndarray]


def read_scenes(manifest: Path, size: int | None = None) -> tuple[np.ndarray, list[Annotation]]:
    """Return pictures to train on, uint8 [n, H, W, 3], and the objects of each.

    Args:
        manifest: of the split, all of whose pictures have one size.
        size: pixels of a side that they must have; None for that of the first.
    """
    folder, split = read_split(manifest), manifest.stem
    annotations = read_annotations(folder, split, CLASSES)
    sides = (size,) if size else annotations[0].size
    return np.stack([read_sized_image(image_path(folder, item.image_id), *sides) for item in annotations]), annotations


def picture_batches(
    manifest: Path, count: int = BATCH_SIZE, read: Callable[[Path], np.ndarray] = read_image
) -> Iterator[Pictures]:
    """Yield the pictures of a split in their order, `count` at a time, uint8 [H, W, 3] each."""
    folder = read_split(manifest)
    ids = read_image_set(folder, manifest.stem)
    for first in track(range(0, len(ids), count), "Predicting"):
        yield [read(image_path(folder, name)) for name in ids[first : first + count]]


def write_detections(path: Path, manifest: Path, detections: np.ndarray, **more: np.ndarray) -> None:
    """Write detections, the guide's tuples of 7 (§16.5), with the names of the pictures.

    Args:
        path: npz file to write.
        manifest: of the pictures' split.
        detections: float32 [N, K, 7], whose first column becomes the number in the split, not in the batch.
        **more: other arrays to write.
    """
    ids = read_image_set(manifest.with_suffix(""), manifest.stem)
    detections[:, :, 0] = np.arange(len(ids))[:, None]
    write_arrays(path, {"detections": detections, **more, "images": np.array(ids)})
