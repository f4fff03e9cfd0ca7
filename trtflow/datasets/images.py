"""Pictures from files, and what the networks want to see of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.netpbm import read_picture
from trtflow.formats.pixels import check_pixels

BGR_MEANS = np.array([104, 117, 123], np.float32)  # of VGG's training set; guide §16.2
FASTER_RCNN_MEANS = np.array([102.9801, 115.9465, 122.7717], np.float32)  # the same, as its authors have them; §12.2
IMAGENET_MEANS = np.array([0.485, 0.456, 0.406], np.float32)  # red, green, blue, of pixels from 0 to 1
IMAGENET_DEVIATIONS = np.array([0.229, 0.224, 0.225], np.float32)
CENTRE, SPREAD = np.float32(0.45), np.float32(0.225)  # what introductory_parser_samples takes for all three colours
NETPBM = (".ppm", ".pgm", ".pnm")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", *NETPBM, ".webp", ".tif", ".tiff")  # endings of the user's own
WIDE_MODES = ("I", "F")  # and I;16 in its byte orders: Pillow would clip their values to 255, not scale them


def read_image(path: Path) -> np.ndarray:
    """Return a picture as uint8 [H, W, 3], red, green, blue.

    Raises:
        FormatError: the file is damaged, too large, or grey with more than 8 bits a pixel.
    """
    if path.suffix in NETPBM:
        return read_picture(path)
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    bomb = (Image.DecompressionBombError,)
    with refuse_damage(path, "not a readable picture", "Make or fetch it again.", bomb), Image.open(path) as image:
        check_pixels(path, image.width, image.height)
        if image.mode.partition(";")[0] in WIDE_MODES:
            fault = f"its pixels have more than 8 bits (Pillow's mode {image.mode})"
            raise FormatError(path, fault, "Convert it to 8 bits first.")
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def read_sized_image(path: Path, size: int, width: int | None = None) -> np.ndarray:
    """Return a picture as uint8 [size, width, 3], or a square one; one of another size is an error."""
    image, wanted = read_image(path), (size, width or size)
    if image.shape[:2] != wanted:
        fault = f"the picture is {image.shape[1]}x{image.shape[0]}, but the network takes {wanted[1]}x{wanted[0]}"
        raise FormatError(path, fault, "Scale it first; boxes in relative coordinates stay valid.")
    return image


def fit(image: np.ndarray, size: int) -> np.ndarray:
    """Scale a picture so that its shorter side fits and cut out the middle, as ImageNet's pictures are.

    Args:
        image: uint8 [H, W, 3]; one of the right size comes back as it is.
        size: side of the square, pixels.

    Returns:
        uint8 [size, size, 3].
    """
    if image.shape[:2] == (size, size):
        return image
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    height, width = image.shape[:2]
    factor = size / min(height, width)
    scaled = (max(size, round(width * factor)), max(size, round(height * factor)))
    whole = np.asarray(Image.fromarray(image).resize(scaled, Image.Resampling.BICUBIC))
    top, left = (whole.shape[0] - size) // 2, (whole.shape[1] - size) // 2
    return whole[top : top + size, left : left + size]


def to_bgr_input(images: Sequence[np.ndarray], means: np.ndarray = BGR_MEANS) -> np.ndarray:
    """Return pictures as a network of the VGG family takes them (guide §16.2).

    Args:
        images: uint8 [H, W, 3], red, green, blue, all of one size.
        means: of blue, green and red, float32 [3].

    Returns:
        float32 [N, 3, H, W], blue, green, red, minus the means.
    """
    batch = np.stack(images)[..., ::-1].astype(np.float32) - means
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def to_faster_rcnn_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return `to_bgr_input` of pictures with the means of Faster R-CNN's authors (guide §12.2)."""
    return to_bgr_input(images, FASTER_RCNN_MEANS)


def to_unit_input(images: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return pictures as YOLOv3 takes them (guide ch. 23): squeezed into a square, bicubic, over 255.

    Args:
        images: uint8 [H, W, 3], red, green, blue, of any sizes.
        size: pixels of a side of the network's input.

    Returns:
        float32 [N, 3, size, size], red, green, blue from 0 to 1.
    """
    from PIL import Image  # noqa: PLC0415 - not in the engine environment, which imports this

    fitted = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in images]
    batch = np.stack([np.asarray(image) for image in fitted]).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def to_imagenet_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return uint8 [H, W, 3] pictures as sampleINT8API 5.1 does: float32 [N, 3, H, W], ImageNet's moments taken out."""
    batch = (np.stack(images).astype(np.float32) / 255 - IMAGENET_MEANS) / IMAGENET_DEVIATIONS
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def to_centred_input(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return uint8 [H, W, 3] pictures as introductory_parser_samples does: float32 [N, 3, H, W], (p/255 - .45)/.225."""
    batch = (np.stack(images).astype(np.float32) / 255 - CENTRE) / SPREAD
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


FORMS = {"bgr": to_bgr_input, "imagenet": to_imagenet_input, "centred": to_centred_input}


def read_pictures(paths: Sequence[Path], pixels: str, size: int) -> np.ndarray:
    """Return pictures as a network takes them.

    Args:
        paths: the files.
        pixels: name of their form, of `FORMS`.
        size: side of the network's input, pixels; see `fit`.

    Returns:
        float32 [N, 3, size, size].
    """
    return FORMS[pixels]([fit(read_image(path), size) for path in paths])
