"""Tries SSD's deploy files with random weights: the converter's network, and migrate's meaning, against OpenCV's DNN.

    PYTHONPATH=. python tests/reference/try_ssd_files.py FILE ...

Each network is a sixteenth as wide as its file says, and detects from a score of 0.01 on: random weights are unsure.
Printed are, a line a file, how many detections OpenCV has, and the share of them that the converted file's engine and
migrate's meaning have too: of the same class, scores within 1e-4 and edges, clipped to the picture, within 2e-3. Not
all need be: of random boxes some overlap as much as the limit, and TensorRT's sizes are rounded otherwise.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from caffe_weights import random_weights
from try_caffe_networks import ask_reference, narrowed

from trtflow.formats import UserError
from trtflow.formats.caffe import (
    convert_ssd_prototxt,
    network_inputs,
    read_prototxt,
    write_caffemodel,
    write_prototxt,
)

FACTOR, THRESHOLD = 16, 0.01
SCORE, EDGE = 1e-4, 2e-3
FOUND = "detection_out"


def share_found(detections: np.ndarray, wanted: np.ndarray) -> float:
    """Return which share of detections [K, 7] wanted are among others, edges clipped to the picture."""
    near = np.float32([0.1, SCORE, *[EDGE] * 4])
    clipped = wanted[:, 1:].copy()
    clipped[:, 2:] = clipped[:, 2:].clip(0, 1)
    return float(np.mean([(np.abs(detections[:, 1:] - row) <= near).all(1).any() for row in clipped]))


def compare_detections(path: Path, folder: Path) -> tuple[int, int, dict[str, float]]:
    """Return how many detections of a picture of noise OpenCV has, how many the engine counts, and what share is found.

    Args:
        path: a deploy file whose detections are called detection_out.
        folder: where to write the network.

    Raises:
        UserError: the file is refused, or TensorRT ignores something in it.
    """
    net = narrowed(read_prototxt(path), FACTOR)
    (detection,) = (layer for layer in net.layer if layer.type == "DetectionOutput")
    detection.detection_output_param.confidence_threshold = THRESHOLD
    write_prototxt(convert_ssd_prototxt(net), folder / "tensorrt.prototxt")
    write_caffemodel(random_weights(net), folder / "net.caffemodel")
    write_prototxt(net, folder / "net.prototxt")
    ((name, shape),) = network_inputs(net).items()
    pictures = {name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    other = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    other.setInput(pictures[name])
    wanted = other.forward().reshape(-1, 7)
    outputs, said = ask_reference(folder, pictures, [FOUND, "keep_count"], False)
    if said:
        raise UserError(f"{path}: TensorRT ignores {said[0]}.")
    meant, _ = ask_reference(folder, pictures, [FOUND], True)
    counted = int(outputs["keep_count"].ravel().view(np.int32)[0])
    found = {"converted": outputs[FOUND].reshape(-1, 7)[:counted], "migrate": meant[FOUND].reshape(-1, 7)}
    return len(wanted), counted, {way: share_found(rows, wanted) for way, rows in found.items()}


def main(paths: list[Path]) -> None:
    """Try each file."""
    for path in paths:
        with tempfile.TemporaryDirectory() as name:
            try:
                count, counted, shares = compare_detections(path, Path(name))
            except UserError as error:
                print(f"{path.name}: refused: {error}", flush=True)
                continue
        told = ", ".join(f"{share:.3f} of them {way}" for way, share in shares.items())
        print(f"{path.name}: {count} detections, {counted} counted; {told}", flush=True)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
