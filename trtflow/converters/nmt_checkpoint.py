"""From a checkpoint of TensorFlow's NMT framework to the weight files of sampleNMT (guide §11.5)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.nmt_weights import CELLS, MATRICES, Recurrent, write_matrix, write_recurrent

FROM_TENSORFLOW = (2, 0, 1, 3)  # TensorFlow stacks the gates i, c, f, o; the files have f, i, c, o
FORGET = 0
FORGET_BIAS = 1.0  # TensorFlow adds it when the cell runs, TensorRT does not


def convert(blobs: Mapping[str, np.ndarray], folder: Path, checkpoint: Path) -> None:
    """Write the seven files into a folder.

    Args:
        blobs: variables by name, `_` for `/`, as `trtflow.converters.checkpoint.read_checkpoint` returns them.
        folder: where to write.
        checkpoint: where they come from, for errors.

    Raises:
        FormatError: a variable is missing, or sizes disagree.
    """
    for name, variable in MATRICES.items():
        write_matrix(folder / f"{name}.bin", _variable(blobs, variable, checkpoint))
    for name, cell in CELLS.items():
        layers = 1
        while _key(f"{cell % layers}kernel") in blobs:
            layers += 1
        pairs = [
            (_variable(blobs, f"{cell % layer}kernel", checkpoint), _variable(blobs, f"{cell % layer}bias", checkpoint))
            for layer in range(layers)
        ]
        write_recurrent(folder / f"{name}.bin", _recurrent(pairs, checkpoint))


def _key(variable: str) -> str:
    return variable.replace("/", "_")


def _variable(blobs: Mapping[str, np.ndarray], name: str, checkpoint: Path) -> np.ndarray:
    if _key(name) not in blobs:
        raise FormatError(checkpoint, f"it has no variable {name!r}", "Take one of a unidirectional, Luong model.")
    return blobs[_key(name)]


def _recurrent(pairs: list[tuple[np.ndarray, np.ndarray]], checkpoint: Path) -> Recurrent:
    """Convert kernels [inputs + H, 4 H] and biases [4 H] of the layers."""
    kernels, biases = [], []
    for kernel, bias in pairs:
        units = len(bias) // 4
        if kernel.shape[1] != len(bias) or len(kernel) <= units:
            fault = f"a kernel of shape {kernel.shape} and a bias of {len(bias)} are of no LSTM cell"
            raise FormatError(checkpoint, fault, "Take one of BasicLSTMCells.")
        gates = kernel.T.reshape(4, units, -1)[list(FROM_TENSORFLOW)]
        kernels.append((gates[:, :, :-units], gates[:, :, -units:]))
        both = np.stack([bias.reshape(4, units)[list(FROM_TENSORFLOW)], np.zeros((4, units), np.float32)])
        both[0, FORGET] += FORGET_BIAS
        biases.append(both)
    return Recurrent(kernels, np.stack(biases))
