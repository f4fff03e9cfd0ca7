"""Classifiers of pictures as the files that engines are built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trtflow.families.classifiers.exporters import arrays_of, to_caffe, to_onnx
from trtflow.families.classifiers.network import Classifier
from trtflow.families.common import input_size
from trtflow.formats import UserError
from trtflow.formats.caffe import without_weights, write_caffemodel, write_prototxt
from trtflow.formats.checksums import write_checksums
from trtflow.formats.files import write_bytes


def write_forms(model: Classifier, forms: Sequence[str], folder: Path, pixels: str | None = None) -> None:
    """Write a network in each of the forms `caffe` and `onnx`, with the input's size and checksums.

    Args:
        model: the network.
        forms: which.
        folder: to write to.
        pixels: form of the pictures, where the sample takes several.

    Raises:
        UserError: there is no such form, or the network is not written so.
    """
    for form in forms:
        if form not in FORMS:
            raise UserError(f"source or programs: no form {form!r}. Known: {', '.join(FORMS)}.")
    _check(model, forms != ["caffe"])
    names = [name for form in forms for name in FORMS[form](model, folder)]
    input_size.write_input_size(folder, model.settings["size"], pixels=pixels)
    write_checksums(folder, [*names, input_size.NAME])


def write_graph(model: Classifier, path: Path) -> None:
    """Write a network as a frozen TensorFlow graph, which scripts/convert_to_uff.py makes UFF of."""
    # TensorFlow takes seconds to load
    from trtflow.families.classifiers.graph import to_graph  # noqa: PLC0415

    _check(model, True)
    graph = to_graph(model.layers, arrays_of(model), model.settings["size"])
    write_bytes(path, graph.SerializeToString(deterministic=True))


def _check(model: Classifier, others: bool) -> None:
    if others and model.settings["network"] == "googlenet":
        raise UserError(
            "GoogLeNet is exported to Caffe only, as sampleGoogleNet reads it. Leave the other formats out."
        )


def _write_caffe(model: Classifier, folder: Path) -> list[str]:
    net = to_caffe(model)
    write_prototxt(without_weights(net), folder / "model.prototxt")
    write_caffemodel(net, folder / "model.caffemodel")
    return ["model.prototxt", "model.caffemodel"]


def _write_onnx(model: Classifier, folder: Path) -> list[str]:
    write_bytes(folder / "model.onnx", to_onnx(model).SerializeToString(deterministic=True))
    return ["model.onnx"]


FORMS: dict[str, Callable[[Classifier, Path], list[str]]] = {"caffe": _write_caffe, "onnx": _write_onnx}
