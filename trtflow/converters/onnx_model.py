"""An ONNX model cut down to the outputs that are wanted, with the sizes that it leaves open filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from trtflow.formats import FormatError, UserError
from trtflow.formats.damage import refuse_damage
from trtflow.formats.messages import check_texts
from trtflow.reference.record.onnx.parser import check_model

RUNTIME_DOMAINS = ("com.microsoft", "com.microsoft.nchwc")  # of operators that ONNX Runtime has besides
LISTED = 12  # names that an error has


def read_onnx(path: Path) -> onnx.ModelProto:
    """Return a model, with its weights wherever they are.

    Raises:
        FormatError: it is damaged, or no ONNX model.
    """
    also = (DecodeError, onnx.checker.ValidationError)
    with refuse_damage(path, "not an ONNX model, or a damaged one", "Export it again.", also):
        model = onnx.load(path, load_external_data=False)
        check_texts(model)
    with refuse_damage(path, "its weights lie in another file, which cannot be read", "Put it beside the model.", also):
        onnx.load_external_data_for_model(model, str(path.parent))
    with refuse_damage(path, "not an ONNX model, or a damaged one", "Export it again.", also):
        check_model(model)
    return model


def foreign_operators(model: onnx.ModelProto) -> list[str]:
    """Return the operators of a model that ONNX Runtime lacks: plugins of TensorRT's or of the user's own."""
    versions = {_plain(item.domain): item.version for item in model.opset_import}
    return [
        node.op_type
        for node in model.graph.node
        if node.domain not in RUNTIME_DOMAINS
        and not onnx.defs.has(node.op_type, versions.get(_plain(node.domain), 1), _plain(node.domain))
    ]


def _plain(domain: str) -> str:
    """Return a domain as ONNX registers it, whose own has two names."""
    return "" if domain == "ai.onnx" else domain


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that have to be fed: those that are no weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    """Return the sizes that a value declares, the batch too; -1 is an open one."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims]


def dtype_of(value: onnx.ValueInfoProto) -> str:
    """Return NumPy's name of a value's type."""
    return str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def pruned(
    model: onnx.ModelProto, outputs: Sequence[str] = (), shapes: Mapping[str, Sequence[int]] = {}
) -> onnx.ModelProto:
    """Return a model with nothing in it that the wanted outputs do not need.

    Args:
        model: it is left as it is.
        outputs: names of outputs, or of any tensors; without any the model's own outputs.
        shapes: sizes of inputs behind the batch, by name, where the model leaves them open.

    Raises:
        UserError: there is no such tensor or input, or a shape contradicts the model's.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    kept = _needed(graph, list(outputs) or [value.name for value in graph.output])
    nodes = [node for node, keep in zip(graph.node, kept.nodes, strict=True) if keep]
    ends = [_end(model, name) for name in outputs] if outputs else list(graph.output)
    for field, values in (("node", nodes), ("output", ends)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    for field in ("input", "initializer", "value_info"):
        values = [value for value in getattr(graph, field) if value.name in kept.tensors]
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(copies)
    for name, shape in shapes.items():
        _fix(found, name, shape)
    return found


class _Needed:
    """Which nodes of a graph are needed, in its order, and which tensors these read or write."""

    def __init__(self, nodes: list[bool], tensors: set[str]) -> None:
        self.nodes, self.tensors = nodes, tensors


def _needed(graph: onnx.GraphProto, outputs: Sequence[str]) -> _Needed:
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    there = {*makers, *(value.name for value in graph.input), *(value.name for value in graph.initializer)}
    for name in outputs:
        if name not in there:
            known = ", ".join([value.name for value in graph.output][:LISTED])
            raise UserError(f"no output {name!r} in the model. It has {known}; any tensor in it will do too.")
    pending, tensors, nodes = list(outputs), set(outputs), [False] * len(graph.node)
    while pending:
        place = makers.get(pending.pop())
        if place is None or nodes[place]:
            continue
        nodes[place] = True
        read = {*_reads(graph.node[place]), *graph.node[place].output} - tensors
        tensors |= read
        pending += read
    return _Needed(nodes, tensors)


def _reads(node: onnx.NodeProto) -> set[str]:
    """Return the tensors that a node reads, those of graphs within it included."""
    found = set(node.input)
    for attribute in node.attribute:
        for inner in [attribute.g, *attribute.graphs] if attribute.type in (attribute.GRAPH, attribute.GRAPHS) else []:
            for within in inner.node:
                found |= _reads(within)
    return found - {""}


def _end(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    """Return the declaration of a tensor that becomes an output."""
    for value in model.graph.output:
        if value.name == name:
            if not value.type.HasField("tensor_type"):
                raise UserError(
                    f"output {name!r} is no tensor but a {value.type.WhichOneof('value')}. {_way_out(model, name)}"
                )
            return value
    inferred = onnx.shape_inference.infer_shapes(model)
    for value in inferred.graph.value_info:
        if value.name == name:
            return value
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _way_out(model: onnx.ModelProto, name: str) -> str:
    """Return which tensor to name in place of an output that a ZipMap makes."""
    for node in model.graph.node:
        if name in node.output and node.op_type == "ZipMap":
            return f"Name {node.input[0]!r}, the tensor that it is made of."
    return "Export the model without it, as skl2onnx does with zipmap=False."


def tensor_outputs(model: onnx.ModelProto) -> list[str]:
    """Return the outputs that make sense: tensors of numbers, of a ZipMap the tensor that it is made of.

    What scikit-learn's converters write besides, the likeliest class, is whole numbers or text, and left out.

    Raises:
        UserError: there are none.
    """
    names = []
    floats = any(node.domain == "ai.onnx.ml" for node in model.graph.node)
    for value in model.graph.output:
        zipped = [node.input[0] for node in model.graph.node if value.name in node.output and node.op_type == "ZipMap"]
        if zipped:
            names.append(zipped[0])
        elif value.type.HasField("tensor_type") and not _is_class(value, floats):
            names.append(value.name)
    if not names:
        told = ", ".join(f"{value.name} ({value.type.WhichOneof('value')})" for value in model.graph.output)
        raise UserError(f"no output is a tensor of numbers: {told or 'there is none'}. Export it with such outputs.")
    return names


def _is_class(value: onnx.ValueInfoProto, floats: bool) -> bool:
    kind = value.type.tensor_type.elem_type
    return kind == TensorProto.STRING or (floats and kind in (TensorProto.INT64, TensorProto.INT32))


def _fix(model: onnx.ModelProto, name: str, shape: Sequence[int]) -> None:
    """Set the sizes of an input behind its batch, and forget those inside, which follow from them."""
    inputs = {value.name: value for value in graph_inputs(model)}
    if name not in inputs:
        raise UserError(f"no input {name!r} in the model. It has {', '.join(inputs)}.")
    declared = shape_of(inputs[name])
    fits = len(declared) == len(shape) + 1 and all(
        size in (-1, given) for size, given in zip(declared[1:], shape, strict=True)
    )
    if not fits and declared:
        raise UserError(
            f"input {name!r} has the shape {declared}, to which {list(shape)} behind the batch does not fit."
        )
    if -1 not in declared[1:]:
        return
    for dim, size in zip(inputs[name].type.tensor_type.shape.dim[1:], shape, strict=True):
        dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim[1:]:
            if not dim.HasField("dim_value"):
                dim.Clear()


def refuse_foreign(path: Path, model: onnx.ModelProto) -> None:
    """Refuse types that no engine takes as an input.

    Raises:
        FormatError: an input is of text, or of no tensor.
    """
    for value in graph_inputs(model):
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type" or value.type.tensor_type.elem_type == TensorProto.STRING:
            fault = f"input {value.name!r} is {'text' if kind == 'tensor_type' else f'a {kind}'}"
            raise FormatError(path, fault, "Export the model with numbers as inputs.")
