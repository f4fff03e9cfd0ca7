"""Networks of Darknet with seeded weights at small sizes, and what OpenCV's DNN makes of the same two files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from trtflow.converters.darknet import INPUT, convert
from trtflow.formats import FormatError
from trtflow.formats.darknet import (
    Header,
    Layer,
    Section,
    Values,
    input_shape,
    read_cfg,
    resolve,
    shapes_of,
    write_cfg,
    write_weights,
)

SIZES = ((64, 96), (128, 128), (128, 256))  # height and width, until one suits all strides
BORDER = 8  # pixels that a [crop] cuts away in all
NARROWER = 4  # factor on the filters, where the groups allow it
TOLERANCE = 1e-3  # of an output's largest value


def random_values(layers: Sequence[Layer], seed: int = 0) -> dict[int, Values]:
    """Seeded weights that keep the maps of a deep network of one size.

    Variances are large: OpenCV adds 1e-6 to them, the converter and Darknet's GPU code 1e-5, and the difference must
    not show.
    """
    rng = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...], norm: bool) -> np.ndarray:
        values = rng.random(shape, np.float32)
        if name == "variances":
            return 30 + 40 * values
        if name == "scales":
            return np.float32(0.5) + values / 2
        if name == "weights" and len(shape) > 1:
            return (values - np.float32(0.5)) * np.float32((24 if norm else 3.4) * np.prod(shape[1:]) ** -0.5)
        return (values - np.float32(0.5)) / 2

    found = {}
    for layer in layers:
        shapes = shapes_of(layer)
        if shapes:
            found[layer.index] = {name: draw(name, shape, "variances" in shapes) for name, shape in shapes.items()}
    return found


def narrow(sections: Sequence[Section], factor: int) -> list[Section]:
    """Return sections with fewer filters, but for those that a head reads."""
    heads = ("yolo", "region", "Gaussian_yolo", "detection")
    narrowed = []
    for place, section in enumerate(sections):
        options = dict(section.options)
        follower = sections[place + 1].kind if place + 1 < len(sections) else ""
        for key in ("filters", "groups"):
            count = int(options.get(key, "0").partition("#")[0] or 0) if section.kind == "convolutional" else 0
            if count > factor and count % factor == 0 and follower not in heads:
                options[key] = str(count // factor)
        narrowed.append(Section(section.kind, options, section.line, section.repeats))
    return narrowed


def resized(sections: Sequence[Section], height: int, width: int) -> list[Section]:
    """Return sections for a picture of another size; a [crop] gets that size, and the picture its border beyond."""
    cuts = {"crop_height": str(height), "crop_width": str(width)}
    border = BORDER if any(section.kind == "crop" for section in sections) else 0
    sides = {"height": str(height + border), "width": str(width + border)}
    return [
        Section(section.kind, section.options | (sides if place == 0 else cuts if section.kind == "crop" else {}))
        for place, section in enumerate(sections)
    ]


def small(path: Path) -> list[Section]:
    """Return the sections of a `.cfg`, narrower and for a smaller picture where that can be.

    Raises:
        FormatError: the network is refused at its own size too.
    """
    sections = read_cfg(path)
    resolve(sections, path)
    for factor in (NARROWER, 1):
        for height, width in SIZES:
            candidate = resized(narrow(sections, factor), height, width)
            try:
                resolve(candidate, path)
            except FormatError:
                continue
            return candidate
    return sections


def written(folder: Path, sections: Sequence[Section], seed: int = 0) -> tuple[Path, Path]:
    """Write a network with seeded weights; return the paths of both files."""
    cfg, weights = folder / "network.cfg", folder / "network.weights"
    write_cfg(cfg, sections)
    layers = resolve(sections, cfg)
    write_weights(weights, Header(), layers, random_values(layers, seed))
    return cfg, weights


def picture_of(cfg: Path, seed: int = 1) -> np.ndarray:
    """Return a random picture, float32 [1, channels, height, width]."""
    return np.random.default_rng(seed).random((1, *input_shape(read_cfg(cfg), cfg)), np.float32)


def converted_outputs(layers: Sequence[Layer], values: dict[int, Values], picture: np.ndarray) -> list[np.ndarray]:
    """Return what the converted network gives in ONNX Runtime."""
    model, _ = convert(layers, values, picture.shape[1:])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {INPUT: picture})


def opencv_outputs(cfg: Path, weights: Path, layers: Sequence[Layer], picture: np.ndarray) -> list[np.ndarray]:
    """Return what OpenCV's DNN computes of the same outputs; raises cv2.error where it does not read the network."""
    import cv2  # noqa: PLC0415 - a test that needs it asks for it

    network = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    network.setInput(picture)
    heads = [layer for layer in layers if layer.is_head]
    if not heads:
        return [network.forward()]
    # before a head OpenCV brings channels to the end
    return [map_.transpose(0, 3, 1, 2) for map_ in network.forward([f"permute_{layer.index}" for layer in heads])]


def distance(mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> float:
    """Return the largest difference of outputs, in parts of the largest value of each."""
    assert len(mine) == len(theirs) > 0
    found = []
    for one, other in zip(mine, theirs, strict=True):
        assert one.size == other.size
        assert np.isfinite(one).all()
        found.append(np.abs(one.ravel() - other.ravel()).max() / np.abs(other).max())
    return float(max(found))
