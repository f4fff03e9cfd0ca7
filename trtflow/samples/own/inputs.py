"""What an input of the user's model takes of each item: a picture, an array, or columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from trtflow.datasets.images import fit, read_image
from trtflow.datasets.own import INPUTS, PICTURE, TABLES, Items
from trtflow.datasets.placement import put
from trtflow.formats import FormatError, UserError

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in most libraries
CROP = "crop"  # the middle of a picture; all other ways show the whole of it
PLAIN = {"colour": "rgb", "mean": 0, "scale": 1, "channels_last": False, "resize": CROP}


@dataclass(frozen=True)
class Input:
    """An input.

    Attributes:
        name: the model's.
        shape: without the batch.
        dtype: NumPy's name of what the model takes.
        source: the array or the columns of the data that it is made of; empty for what has its name, or for all.
        turned: whether arrays may have channels last or fewer dimensions, as TensorFlow has them and UFF has not.
        pictures: how pictures are prepared: colour, mean, scale, channels_last, resize.
    """

    name: str
    shape: Sequence[int]
    dtype: str = "float32"
    source: Sequence[str] = ()
    pictures: Mapping[str, Any] | None = None
    turned: bool = False

    def prepare(self, items: Items, others: Sequence[str] = ()) -> np.ndarray:
        """Return what the input takes of items, [N, *shape] in its dtype.

        Args:
            items: of the data.
            others: columns of which it is made where none has its name.

        Raises:
            FormatError: the data have no such column, or values of another shape.
        """
        names = self.source or self._found(items, others)
        values = items.column(names[0], f"input {self.name!r}")
        if not isinstance(values, np.ndarray):
            return self._pictures(items.source, values)
        if values.dtype.kind == "U" or (self.pictures and values.dtype.kind in "iu" and values.ndim == 1):
            return self._pictures(items.source, items.pictures(names[0], f"input {self.name!r}"))
        return self._numbers(items.numbers(names, f"input {self.name!r}"), items.source)

    def fitted(self, items: Items) -> list[np.ndarray]:
        """Return the pictures of items in the input's size, uint8 [H, W, 3] each: `valued` is what it takes of them.

        Raises:
            FormatError: the data have no pictures for it.
        """
        paths = items.pictures(self._found(items, ())[0] if not self.source else self.source[0], f"input {self.name!r}")
        self._check_layout(items.source)
        return [self._fitted(read_image(path)) for path in paths]

    def valued(self, fitted: Sequence[np.ndarray]) -> np.ndarray:
        """Return what the input takes of pictures in its size, [N, *shape] in its dtype."""
        return np.stack([self._valued(pixels) for pixels in fitted]).astype(self.dtype, copy=False)

    def _found(self, items: Items, others: Sequence[str]) -> Sequence[str]:
        """Return the columns of an input that names none."""
        for name in (self.name, INPUTS, PICTURE):
            if name in items.columns:
                return [name]
        return others if items.source.suffix in TABLES and others else [self.name]

    def _numbers(self, values: np.ndarray, source: Path) -> np.ndarray:
        """Return numbers in the input's shape and dtype."""
        shape, kind = tuple(self.shape), np.dtype(self.dtype)
        if source.suffix in TABLES and prod(values.shape[1:]) == prod(shape):
            values = values.reshape(len(values), *shape)
        if self.turned and values.ndim == 4 and values.shape[1:] != shape:
            values = np.moveaxis(values, -1, 1)
        if self.turned and [size for size in values.shape[1:] if size > 1] == [size for size in shape if size > 1]:
            values = values.reshape(len(values), *shape)
        if values.shape[1:] != shape:
            fault = f"inputs of shape {values.shape[1:]}, but input {self.name!r} takes {shape}"
            raise FormatError(source, fault, f"Correct the data, or what inputs.{self.name} takes of them.")
        if kind.kind in "iub" and values.dtype.kind == "f" and not (values == np.floor(values)).all():
            raise FormatError(source, f"input {self.name!r} takes whole numbers, {kind}", "Correct the data.")
        return np.ascontiguousarray(values, kind)

    def _pictures(self, source: Path, paths: Sequence[Path]) -> np.ndarray:
        """Return pictures fitted, in the model's colours, (p - mean) * scale."""
        self._check_layout(source)
        pictures = [self._valued(self._fitted(read_image(path))) for path in paths]
        return np.stack(pictures).astype(self.dtype, copy=False)

    def _check_layout(self, source: Path) -> None:
        if self._layout() is None:
            fault = f"pictures, but input {self.name!r} takes {tuple(self.shape)}"
            raise FormatError(source, fault, "Give arrays in an .npz file, or set pictures.channels_last and colour.")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of pictures that the input takes.

        Raises:
            UserError: it takes none.
        """
        layout = self._layout()
        if layout is None:
            raise UserError(f"input {self.name!r} of shape {tuple(self.shape)} takes no pictures, in which places are.")
        return layout[1:]

    @property
    def resize(self) -> str:
        """How a picture gets into the input."""
        return str(self._options["resize"])

    def _layout(self) -> tuple[int, int, int] | None:
        """Return channels, height and width of pictures that the input takes; None where it takes none."""
        if len(self.shape) == 2:
            return 1, self.shape[0], self.shape[1]
        if len(self.shape) != 3:
            return None
        first, second, third = self.shape
        sizes = (third, first, second) if self._options["channels_last"] else (first, second, third)
        return sizes if sizes[0] == (1 if self._options["colour"] == "grey" else 3) else None

    @property
    def _options(self) -> dict[str, Any]:
        return {**PLAIN, **({"colour": "grey"} if len(self.shape) == 2 else {}), **(self.pictures or {})}

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        size, resize = self.size, self.resize
        return _sized(image, *size) if resize == CROP else put(image, size, resize)

    def _valued(self, pixels: np.ndarray) -> np.ndarray:
        options, values = self._options, pixels.astype(np.float32)
        colour = options["colour"]
        values = values[..., ::-1] if colour == "bgr" else (values @ GREY)[..., None] if colour == "grey" else values
        mean, scale = (np.array(options[key], np.float32) for key in ("mean", "scale"))
        values = (values - mean) * scale
        values = values if options["channels_last"] else values.transpose(2, 0, 1)
        return np.ascontiguousarray(values.reshape(tuple(self.shape)))


def _sized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture in the model's size: the middle of it for a square, else all of it."""
    if height == width:
        return fit(image, height)
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
