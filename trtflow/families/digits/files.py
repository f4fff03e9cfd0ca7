"""Digit networks as the files that engines are built from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from trtflow.families.digits.exporters import arrays_of, to_caffe, to_onnx, to_wts
from trtflow.families.digits.network import LeNet, ZooNet, load_network
from trtflow.formats import UserError
from trtflow.formats.arrays import write_arrays
from trtflow.formats.caffe import without_weights, write_binaryproto, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import write_bytes
from trtflow.formats.wts import write_wts


def write_form(checkpoint: Path, form: str, folder: Path) -> None:
    """Write a trained network in a form, `caffe`, `wts`, `arrays` or `onnx`, with checksums.

    Raises:
        UserError: there is no such form, or it is another network's.
        FormatError: the checkpoint is damaged.
    """
    if form not in FORMS:
        raise UserError(f"source: no form {form!r}. Known: {', '.join(FORMS)}.")
    kind, write = FORMS[form]
    write_checksums(folder, write(load_network(checkpoint, kind), folder))


def _write_caffe(model: LeNet, folder: Path) -> list[str]:
    net = to_caffe(model)
    write_prototxt(without_weights(net), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    return ["model.prototxt", "model.caffemodel", *_write_mean(model, folder)]


def _write_mean(model: LeNet, folder: Path) -> list[str]:
    """Write the mean picture, where there is one, as Caffe's compute_image_mean does."""
    if not model.mean.any():
        return []
    write_binaryproto(model.mean.numpy()[None], folder / "mean.binaryproto")
    return ["mean.binaryproto"]


def _write_wts(model: LeNet, folder: Path) -> list[str]:
    write_wts(folder / "model.wts", to_wts(model))
    return ["model.wts", *_write_mean(model, folder)]


def _write_arrays(model: LeNet, folder: Path) -> list[str]:
    """Write weights.npz by PyTorch's names."""
    write_arrays(folder / "weights.npz", arrays_of(model))
    return ["weights.npz"]


def _write_onnx(model: ZooNet, folder: Path) -> list[str]:
    write_bytes(folder / "model.onnx", to_onnx(model).SerializeToString(deterministic=True))
    return ["model.onnx"]


FORMS: dict[str, tuple[type[nn.Module], Callable[..., list[str]]]] = {
    "caffe": (LeNet, _write_caffe),
    "wts": (LeNet, _write_wts),
    "arrays": (LeNet, _write_arrays),
    "onnx": (ZooNet, _write_onnx),
}
