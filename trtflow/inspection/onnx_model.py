"""An ONNX model: its nodes, with the shapes that ONNX infers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from trtflow.formats import FormatError
from trtflow.inspection.description import Description, Layer, Tensor

DEQUANTISED = "DequantizeLinear"
QUANTISING = ("QuantizeLinear", DEQUANTISED)
INT8 = "int8"
AGAIN = "Export the model again."
INVENTED = re.compile(r"unk__\d+")  # what ONNX's inference and tf2onnx call a size that they do not know


def describe_onnx(path: Path) -> Description:
    """Return what an ONNX model holds; weights in other files need not be there.

    Raises:
        FormatError: the file is damaged, or no ONNX model.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise FormatError(path, "not an ONNX model, or a damaged one", AGAIN) from error
    if not model.graph.node:
        raise FormatError(path, "not an ONNX model, or a damaged one: it has no nodes", AGAIN)
    opsets = [f"{item.domain} {item.version}".strip() for item in model.opset_import]
    described = Description(str(path), "ONNX", {"opset": ", ".join(opsets), "IR": model.ir_version})
    if model.producer_name:
        described.facts["by"] = f"{model.producer_name} {model.producer_version}".strip()
    graph = _with_shapes(model, described.notes).graph
    _name_sizes((*graph.input, *graph.value_info, *graph.output), described.notes)
    sizes = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
    sizes |= {tensor.values.name: prod(tensor.dims) for tensor in graph.sparse_initializer}
    tensors = {value.name: tensor_of(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    described.inputs = [tensors[value.name] for value in graph.input if value.name not in sizes]
    described.outputs = [tensors[value.name] for value in graph.output]
    described.layers = _layers(graph, tensors, sizes)
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in graph.node for attribute in node.attribute):
        described.notes.append("what stands inside If, Loop and Scan is not listed")
    return described


def tensor_of(value: Any) -> Tensor:
    """Return name, type and shape of a ValueInfoProto, as far as it tells."""
    kind = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name if kind.elem_type else None
    return Tensor(value.name, dtype, [_size(dim) for dim in kind.shape.dim] if kind.HasField("shape") else None)


def _size(dim: Any) -> int | str:
    return dim.dim_value if dim.HasField("dim_value") else dim.dim_param or -1


def _with_shapes(model: Any, notes: list[str]) -> Any:
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        notes.append(f"no shapes but those that the file states: {str(error).splitlines()[0]}")
        return model


def _name_sizes(values: Iterable[Any], notes: list[str]) -> None:
    """Put d1, d2 … in place of invented names of sizes: equal ones stay equal, and none is a name of the model's."""
    dims = [dim for value in values for dim in value.type.tensor_type.shape.dim if dim.dim_param]
    taken = {dim.dim_param for dim in dims}
    free: Iterator[str] = (name for number in count(1) if (name := f"d{number}") not in taken)
    names: dict[str, str] = {}
    for dim in dims:
        if INVENTED.fullmatch(dim.dim_param):
            if dim.dim_param not in names:
                names[dim.dim_param] = next(free)
            dim.dim_param = names[dim.dim_param]
    if names:
        given = list(names.values())
        which = given[0] if len(given) == 1 else f"{given[0]} to {given[-1]}"
        notes.append(f"{which}: dynamic, known only when the model runs; the model has no name for {_them(given)}")


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _layers(graph: Any, tensors: Mapping[str, Tensor], sizes: Mapping[str, int]) -> list[Layer]:
    producers = {name: node for node in graph.node for name in node.output}
    layers = []
    for index, node in enumerate(graph.node):
        outputs = [tensors.get(name, Tensor(name)) for name in node.output if name]
        layers.append(
            Layer(
                node.name or f"{node.op_type}_{index}",
                f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type,
                [name for name in node.input if name and name not in sizes],
                outputs,
                _precision(node, outputs, producers),
                sum(sizes.get(name, 0) for name in node.input),
            )
        )
    return layers


def _precision(node: Any, outputs: list[Tensor], producers: Mapping[str, Any]) -> str | None:
    """Return int8 where a node reads what a DequantizeLinear gives, else the type of its first output."""
    sources = [producers[name].op_type for name in node.input if name in producers]
    if node.op_type not in QUANTISING and DEQUANTISED in sources:
        return INT8
    return outputs[0].dtype if outputs else None
