"""The usual ways in which pictures become what a model takes: those that `trtflow init` tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MEAN, SCALE = (123.675, 116.28, 103.53), (0.017125, 0.017507, 0.017429)  # ImageNet's, of pixels from 0 to 255
CAFFE = (104, 117, 123)  # ImageNet's mean in BGR, as Caffe's models of it take
UNIT = round(1 / 255, 9)
Values = float | tuple[float, ...]


@dataclass(frozen=True)
class Preparation:
    """A pixel p from 0 to 255 becomes (p - mean) * scale.

    Attributes:
        name: what people call it.
        colour: rgb, bgr or grey.
        mean, scale: one number, or one a colour, in the model's order.
        odd: whether few models are of it.
    """

    name: str
    colour: str
    mean: Values
    scale: Values
    odd: bool = False

    @property
    def mirrored(self) -> Preparation:
        """The same with the colours in the other order."""
        other = {"rgb": "bgr", "bgr": "rgb"}[self.colour]
        return Preparation(f"{self.name}, in {other.upper()}", other, _turned(self.mean), _turned(self.scale), odd=True)

    def told(self, pictures: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a YAML file says of pictures, prepared so."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in self._values().items()}
        return {**pictures, **values}

    def _values(self) -> dict[str, Any]:
        return {"colour": self.colour, "mean": self.mean, "scale": self.scale}


COLOURED = (
    Preparation("0 to 1", "rgb", 0, UNIT),
    Preparation("-1 to 1", "rgb", 127.5, round(1 / 127.5, 9)),
    Preparation("ImageNet's mean and scale", "rgb", MEAN, SCALE),
    Preparation("0 to 255", "rgb", 0, 1),
    Preparation("Caffe's mean", "bgr", CAFFE, 1),
)
GREY = (
    Preparation("0 to 1", "grey", 0, UNIT),
    Preparation("-1 to 1", "grey", 127.5, round(1 / 127.5, 9)),
    Preparation("MNIST's mean and scale", "grey", 33.318, 0.012728),
    Preparation("0 to 255", "grey", 0, 1),
    Preparation("1 to 0, black for white", "grey", 255, -UNIT, odd=True),
)
PIXELS = Preparation("as they are", "rgb", 0, 1)


def usual_preparations(pictures: Mapping[str, Any], dtype: str) -> list[Preparation]:
    """Return the ways to try, the one that is guessed first.

    Args:
        pictures: what is guessed.
        dtype: of the input; whole numbers are pixels as they are.
    """
    if np.dtype(dtype).kind != "f":
        return [] if pictures["colour"] == "grey" else [PIXELS]
    return list(GREY if pictures["colour"] == "grey" else COLOURED)


def _turned(values: Values) -> Values:
    return values[::-1] if isinstance(values, tuple) else values
