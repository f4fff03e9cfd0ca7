"""From the files that people have to the files that TensorRT's parsers take, and the names that these ask for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtflow.converters.uff_shapes import dimensions_of
from trtflow.formats import FormatError, UserError
from trtflow.formats.caffe import (
    NetParameter,
    convert_ssd_prototxt,
    inference_layers,
    network_inputs,
    read_caffemodel,
    read_prototxt,
    write_prototxt,
)
from trtflow.formats.damage import refuse_damage
from trtflow.formats.files import copy_file
from trtflow.formats.uff import MetaGraph
from trtflow.formats.uff.files import AGAIN, read_uff
from trtflow.runtime.model_file import ModelFile

FORMS = {".prototxt": "caffe", ".caffemodel": "caffe", ".onnx": "onnx", ".uff": "uff", ".pb": "tensorflow"}
Shapes = Mapping[str, Sequence[int]]


def import_model(
    path: Path,
    folder: Path,
    *,
    deploy: Path | None = None,
    inputs: Shapes | None = None,
    outputs: Sequence[str] = (),
    preprocessor: Path | None = None,
    input_shape: Sequence[int] | None = None,
) -> ModelFile:
    """Put a model into a folder in the form that TensorRT's parsers take.

    Args:
        path: a caffemodel or its prototxt, an ONNX or UFF file, or a frozen TensorFlow graph (.pb).
        folder: where model.caffemodel and model.prototxt, model.onnx or model.uff are written.
        deploy: the prototxt of a caffemodel; None for the one beside it that has its name.
        inputs: shape without the batch by name, of inputs that a UFF or TensorFlow graph says nothing or something
            else of (C, H, W), or whose sizes an ONNX model leaves open.
        outputs: names of the outputs; without any, what no layer reads, what UFF has marked, or an ONNX model's own.
            An ONNX model is cut down to what these need, and one of a later opset than TensorRT 8.6 reads is brought
            down to that.
        preprocessor: for a TensorFlow graph, a Python file with `preprocess(dynamic_graph)`.
        input_shape: the same as `inputs`, of a graph's only input, whatever its name.

    Raises:
        FormatError: a file is damaged, or not of the form that its name says.
        UserError: there is no such input or output, or the form is not known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    form = FORMS.get(path.suffix)
    if form is None:
        raise UserError(f"{path}: no known form. Give a file that ends in {', '.join(FORMS)}.")
    if not path.exists():
        raise UserError(f"{path}: no such file. Correct the path of the model.")
    if form == "caffe":
        return _import_caffe(path, deploy, folder, outputs)
    if form == "onnx":
        return _import_onnx(path, folder, outputs, inputs or {})
    target = folder / "model.uff"
    if form == "tensorflow":
        from trtflow.converters.uff.convert import from_tensorflow_frozen_model  # noqa: PLC0415 - loads TensorFlow

        from_tensorflow_frozen_model(
            path, outputs, preprocessor=preprocessor, output_filename=target, quiet=True, strict=True
        )
    else:
        copy_file(path, target)
    graph = read_uff(target)
    if input_shape is not None:
        inputs = {node.id: input_shape for node in graph.graphs[0].nodes if node.operation == "Input"}
    shapes = _uff_inputs(graph, path, inputs or {})
    return ModelFile("uff", target, None, shapes, _uff_outputs(graph, path, outputs), turned=True)


def _import_caffe(path: Path, deploy: Path | None, folder: Path, outputs: Sequence[str]) -> ModelFile:
    model = path.with_suffix(".caffemodel") if path.suffix == ".prototxt" else path
    deploy = deploy or (path if path.suffix == ".prototxt" else path.with_suffix(".prototxt"))
    for file, option in ((model, "Give the caffemodel, and --deploy"), (deploy, "Name it with --deploy")):
        if not file.exists():
            raise UserError(f"{file}: no such file, which {path} needs. {option}.")
    net = read_prototxt(deploy)
    read_caffemodel(model, may_be_empty=True)
    if any(layer.type == "DetectionOutput" and len(layer.top) == 1 for layer in net.layer):
        net = convert_ssd_prototxt(net)  # the SSD authors' own form
    target, prototxt = folder / "model.caffemodel", folder / "model.prototxt"
    copy_file(model, target)
    write_prototxt(net, prototxt)
    return ModelFile("caffe", target, prototxt, _caffe_inputs(net, deploy), _caffe_outputs(net, deploy, outputs))


def _caffe_inputs(net: NetParameter, path: Path) -> dict[str, list[int]]:
    try:
        found = network_inputs(net)
    except UserError as error:
        raise FormatError(path, str(error), "Correct the prototxt.") from error
    if not found:
        raise FormatError(path, "the network declares no input", "Take the deploy prototxt, not the one for training.")
    return {name: shape[1:] for name, shape in found.items()}


def _caffe_outputs(net: NetParameter, path: Path, outputs: Sequence[str]) -> list[str]:
    """Return the blobs that no layer reads, in their order, or those that are wanted."""
    layers = inference_layers(net)
    tops = list(dict.fromkeys(name for layer in layers for name in layer.top))
    read = {name for layer in layers for name in layer.bottom if name not in layer.top}
    for name in outputs:
        if name not in tops:
            raise UserError(f"{path}: no blob {name!r}. {_close(name, tops)}")
    return list(outputs) or [name for name in tops if name not in read]


def _import_onnx(path: Path, folder: Path, outputs: Sequence[str], shapes: Shapes) -> ModelFile:
    import onnx  # noqa: PLC0415 - who migrates from the other forms needs it later only

    from trtflow.converters import onnx_model  # noqa: PLC0415 - as above
    from trtflow.converters.onnx_ml import plain  # noqa: PLC0415
    from trtflow.reference.record.onnx.brought_down import bring_down  # noqa: PLC0415

    model = onnx_model.read_onnx(path)
    try:
        model = onnx_model.pruned(model, outputs or onnx_model.tensor_outputs(model), shapes)
        model = bring_down(plain(model))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    onnx_model.refuse_foreign(path, model)
    target = folder / "model.onnx"
    onnx.save(model, target)  # in one file, wherever the weights were
    inputs = {value.name: onnx_model.shape_of(value)[1:] for value in onnx_model.graph_inputs(model)}
    return ModelFile("onnx", target, None, inputs, [value.name for value in model.graph.output])


def _uff_inputs(graph: MetaGraph, path: Path, given: Shapes) -> dict[str, list[int]]:
    nodes = {node.id: node for node in graph.graphs[0].nodes if node.operation == "Input"}
    for name in given:
        if name not in nodes:
            raise UserError(f"{path}: no input {name!r}. {_close(name, list(nodes))}")
    with refuse_damage(path, "a UFF graph with a node that cannot be read", AGAIN):
        return {
            name: list(given[name]) if name in given else dimensions_of(node, graph, path)
            for name, node in nodes.items()
        }


def _uff_outputs(graph: MetaGraph, path: Path, outputs: Sequence[str]) -> list[str]:
    nodes = graph.graphs[0].nodes
    marked = [node.inputs[0] for node in nodes if node.operation == "MarkOutput" and node.inputs]
    if not outputs and not marked:
        raise UserError(f"{path}: it marks no output. Name one: --output NAME")
    return [name.removesuffix(":0") for name in outputs] or marked


def _close(name: str, known: Sequence[str]) -> str:
    return f"Close to it are {', '.join(difflib.get_close_matches(name, known, 3) or known[-3:]) or 'none'}."
