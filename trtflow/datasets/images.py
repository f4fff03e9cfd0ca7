"""Pictures from files, and what the networks want to see of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.netpbm import read_ppm

BGR_MEANS = np.array([104, 117, 123], np.float32)  # of VGG's training set; guide §16.2


def read_image(path: Path) -> np.ndarray:
    """Return a picture as uint8 [H, W, 3], red, green, blue."""
    if path.suffix == ".ppm":
        return read_ppm(path)
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - not in the engine environment, which imports this

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FormatError(path, f"not a readable picture ({error})", "Make or fetch it again.") from error


def read_sized_image(path: Path, size: int) -> np.ndarray:
    """Return a square picture as uint8 [size, size, 3]; one of another size is an error."""
    image = read_image(path)
    if image.shape[:2] != (size, size):
        fault = f"the picture is {image.shape[1]}x{image.shape[0]}, but the network takes {size}x{size}"
        raise FormatError(path, fault, "Scale it first; boxes in relative coordinates stay valid.")
    return image


def to_bgr_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures as a network of the VGG family takes them (guide §16.2).

    Args:
        images: uint8 [H, W, 3], red, green, blue, all of one size.

    Returns:
        float32 [N, 3, H, W], blue, green, red, minus the means 104, 117, 123.
    """
    batch = np.stack(images)[..., ::-1].astype(np.float32) - BGR_MEANS
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def to_signed_unit_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures as TensorFlow's InceptionV2 takes them (guide §13.3).

    Args:
        images: uint8 [H, W, 3], red, green, blue, all of one size.

    Returns:
        float32 [N, 3, H, W], red, green, blue from -1 to 1.
    """
    batch = np.stack(images).astype(np.float32) * np.float32(2 / 255) - 1
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
