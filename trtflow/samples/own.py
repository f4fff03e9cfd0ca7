"""A classifier of the user's own: one YAML file says what other samples say in code (docs/your-own-model.md).

The workflow writes what it says, and the model's names and shapes, to `sample.json` beside the model; this reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from trtflow.datasets.images import fit, read_image
from trtflow.formats import FormatError, UserError
from trtflow.formats.arrays import read_arrays
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import read_json
from trtflow.runtime.model_file import ModelFile
from trtflow.runtime.outputs import softmax

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm")
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in most libraries
Items = Sequence[Path] | np.ndarray


@dataclass(frozen=True)
class OwnSample:
    """A sample with the attributes that a sample's module has.

    Attributes:
        INPUT: name of the one input.
        OUTPUT: name of the output that is scored.
        EXPLICIT_BATCH: whether the model says its batch.
        classes: their names, in the order of the output.
        logits: whether a softmax is still to be taken.
        shape: of the input, without the batch.
        pictures: how pictures are prepared: colour, mean, scale, channels_last.
        calibration: how many items calibrate.
    """

    INPUT: str
    OUTPUT: str
    EXPLICIT_BATCH: bool
    model: ModelFile
    classes: list[str]
    logits: bool
    shape: tuple[int, ...]
    pictures: dict[str, Any]
    calibration: int

    def read_images(self, root: Path, split: str) -> tuple[Items, list[str]]:
        """Return pictures by their paths, or arrays, and the items' names; to calibrate, some of all parts.

        Args:
            root: folder of pictures, at any depth, or .npz file with `inputs`.
            split: val or calibration.

        Raises:
            FormatError: there are too few.
        """
        items, names = self._items(root)
        if split != "calibration":
            return items, names
        if len(names) < self.calibration:
            fault = f"{len(names)} items, but the calibration takes {self.calibration}"
            raise FormatError(root, fault, "Add some, or lower calibration.batches.")
        places = [place * len(names) // self.calibration for place in range(self.calibration)]
        chosen = items[places] if isinstance(items, np.ndarray) else [items[place] for place in places]
        return chosen, [names[place] for place in places]

    def read_truth(self, root: Path) -> np.ndarray:
        """Return the class of each item of the held-out data, int64 [N]: `labels` of a .npz, or the pictures' folders.

        Raises:
            FormatError: a label is no class of the model's.
        """
        items, _ = self._items(root)
        known = f"The model's {len(self.classes)} classes are {', '.join(self.classes[:20])}."
        if not isinstance(items, np.ndarray):
            unknown = [path for path in items if path.parent.name not in self.classes]
            if unknown:
                raise FormatError(unknown[0], f"its folder {unknown[0].parent.name!r} is no class", known)
            return np.array([self.classes.index(path.parent.name) for path in items], np.int64)
        (labels,) = read_arrays(root, "labels")
        if labels.shape != (len(items),) or labels.dtype.kind not in "iu":
            fault = f"labels are {labels.dtype} of shape {labels.shape}, for {len(items)} inputs"
            raise FormatError(root, fault, "Give one integer an input, counted from 0.")
        if labels.min() < 0 or labels.max() >= len(self.classes):
            raise FormatError(root, f"labels from {labels.min()} to {labels.max()}", known)
        return labels.astype(np.int64)

    def preprocess(self, items: Items, export: Path) -> np.ndarray:
        """Return float32 [N, *shape]: arrays as they are, pictures fitted, in the model's colours, (p - mean) * scale.

        Raises:
            UserError: arrays have another shape.
        """
        if isinstance(items, np.ndarray):
            if items.shape[1:] != self.shape:
                fault = f"inputs of shape {items.shape[1:]}, but input {self.INPUT!r} takes {self.shape}"
                raise UserError(f"the data have {fault}. Correct the data, or model.inputs.")
            return np.ascontiguousarray(items, np.float32)
        return np.stack([self._picture(read_image(path)) for path in items])

    def define_network(self, trt: ModuleType, network: Any, export: Path) -> None:
        """Parse the model."""
        self.model.define(trt, network)

    def postprocess(self, outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the probabilities of the classes, float32 [N, classes]."""
        values = outputs[self.OUTPUT]
        values = values.reshape(len(values), -1)
        return {"probabilities": softmax(values) if self.logits else values}

    def _items(self, root: Path) -> tuple[Items, list[str]]:
        if root.suffix == ".npz":
            (inputs,) = read_arrays(root, "inputs")
            names = [str(place) for place in range(len(inputs))]
            items: Items = inputs
        else:
            items = sorted(path for path in root.rglob("*") if path.suffix.lower() in PICTURES)
            names = [path.relative_to(root).as_posix() for path in items]
        if not names:
            raise FormatError(root, "no pictures, and no .npz file", f"Known are {', '.join(PICTURES)}.")
        return items, names

    def _picture(self, image: np.ndarray) -> np.ndarray:
        channels_last = self.pictures["channels_last"]
        height, width = self.shape[:2] if channels_last else self.shape[1:]
        values = _sized(image, height, width).astype(np.float32)
        colour = self.pictures["colour"]
        values = values[..., ::-1] if colour == "bgr" else (values @ GREY)[..., None] if colour == "grey" else values
        mean, scale = (np.array(self.pictures[key], np.float32) for key in ("mean", "scale"))
        values = (values - mean) * scale
        return np.ascontiguousarray(values if channels_last else values.transpose(2, 0, 1))


def _sized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture in the model's size: the middle of it for a square, else all of it."""
    if height == width:
        return fit(image, height)
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def read_own(path: Path) -> OwnSample:
    """Return the sample that a `sample.json` describes.

    Raises:
        FormatError: it is damaged.
    """
    with refuse_damage(path, "not a sample of the user's own", "Make it again with snakemake."):
        values = read_json(path)
        model = ModelFile.from_json(values["model"], path.parent)
        ((name, shape),) = model.inputs.items()
        keys = ("classes", "logits", "pictures", "calibration")
        settings = {key: values[key] for key in keys}
        return OwnSample(name, values["output"], model.explicit_batch, model, shape=tuple(shape), **settings)
