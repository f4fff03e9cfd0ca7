"""Models that say where something is: labels, masks and outputs, held against one another before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.labelled import read_objects
from trtflow.datasets.labelled.masks import VOID, find_masks, mask_form, read_mask
from trtflow.datasets.placement import PLACEMENTS
from trtflow.decoders import gives_lists
from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import refuse_damage
from trtflow.samples.own import OwnSample
from trtflow.samples.own.inputs import CROP

PLACES, STRETCH = ("detection", "segmentation"), "stretch"  # tasks that ask where, and how they see pictures
Shapes = Mapping[str, tuple[int, ...]]


def has_lists(told: Mapping[str, Any], outputs: int) -> bool:
    """Whether outputs are lists of detections, which have no batch, by what `decoding_told` returned."""
    return bool(told) and gives_lists(told["decoding"]["name"], outputs)


def decoding_told(own: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return what `sample.json` says of how a detector's outputs are read; default boxes as numbers.

    Raises:
        UserError: a detector's file says nothing of it, or the default boxes are none.
    """
    if task != "detection":
        return {}
    told = dict(own["decoding"])
    if "priors" in told:
        path = Path(told["priors"])
        with refuse_damage(path, "not an array", "Write it with numpy.save."):
            values = np.load(path, allow_pickle=False)
        if values.ndim != 2 or values.shape[1] != 4 or values.dtype.kind not in "fiu":
            raise FormatError(path, f"{values.dtype} of shape {values.shape}", "Write default boxes [P, 4].")
        told["priors"] = values.astype(float).tolist()
    return {"decoding": told}


def check_answers(sample: OwnSample, own: Mapping[str, Any], answers: Mapping[str, np.ndarray], batch: int) -> None:
    """Read the answers to a batch of noise as those of the engines will be read.

    Raises:
        UserError: they are not what the task reads.
    """
    try:
        sample.postprocess({**{name: np.zeros((batch, 1)) for name in sample.inputs}, **answers})
    except UserError as error:
        raise UserError(f"{own['model']['file']}: {error}") from error


def check_objects(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold a detector's pictures against their labels, and how they get into the input against what can be undone.

    Raises:
        UserError: they disagree.
    """
    data = own["data"]
    labelled = read_objects(Path(data["val"]), Path(data["labels"]), sample.classes, sample.folder)
    labelled.of(sample.read_images(Path(data["val"]), "val")[1], Path(data["labels"]))
    check_whole(sample)


def check_masks(sample: OwnSample, own: Mapping[str, Any], outputs: Shapes) -> None:
    """Hold the pictures of a segmentation, its classes and outputs against its masks.

    Raises:
        UserError: they disagree.
    """
    check_whole(sample)
    form, shape = mask_form(own["data"], sample.classes), outputs[sample.OUTPUT]
    maps = len(shape) == 3 and len(sample.classes) in (shape[0], shape[2])
    alone = len(shape) == 2 or (len(shape) == 3 and shape[0] == 1)
    if not maps and not alone:
        fault = f"output {sample.OUTPUT!r} of shape {tuple(shape)} is no map of {len(sample.classes)} classes"
        raise UserError(
            f"{own['model']['file']}: {fault}. Name as many classes in data.classes, in the model's order, or another "
            "output first in outputs."
        )
    counted = 0
    for path in find_masks(Path(own["data"]["val"]), Path(own["data"]["masks"]), sample.folder)[1]:
        counted += int((read_mask(path, form) != VOID).sum())
    if not counted:
        fault = "no pixel of any mask counts: all are of data.void"
        raise FormatError(
            Path(own["data"]["masks"]), fault, "Give masks with classes, or set data.void to other numbers."
        )


def check_whole(sample: OwnSample) -> None:
    """Refuse to cut off what is to be found.

    Raises:
        UserError: the input shows pictures' middles, or takes none.
    """
    taken = sample.inputs[sample.INPUT]
    if taken.size and taken.resize == CROP:
        ways = ", ".join(PLACEMENTS)
        raise UserError(f"data.pictures.resize: crop cuts off objects that are to be found. Take one of {ways}.")
