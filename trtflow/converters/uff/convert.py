"""The conversion as a whole, with the signatures of NVIDIA's `uff` package."""

from __future__ import annotations

import difflib
import re
import runpy
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import trtflow.converters.uff.operations  # noqa: F401 - registers them
from trtflow.converters.nvidia_names import nvidia_names
from trtflow.converters.uff.graph import INPUTS, WITHOUT_VALUE, Conversion, ConversionError, function_for, plain
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_bytes, write_text
from trtflow.formats.uff import serialized, to_text
from trtflow.graphsurgeon import DynamicGraph, extras

SUFFIX = re.compile(r"_u_(int|float|str|bool|ilist|flist|slist|blist)$")  # graphsurgeon's, on a plugin's attributes


def from_tensorflow_frozen_model(frozen_file: str | Path, output_nodes: Sequence[str] = (), **options: Any) -> Any:
    """Convert a frozen graph in a file; all else as `from_tensorflow`.

    Raises:
        FormatError: the file holds no frozen graph.
    """
    import tensorflow as tf  # noqa: PLC0415 - takes seconds
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    graphdef = tf.compat.v1.GraphDef()
    try:
        graphdef.ParseFromString(Path(frozen_file).read_bytes())
    except DecodeError as error:
        raise FormatError(frozen_file, "not a TensorFlow graph, or a damaged one", "Freeze the model again.") from error
    if not graphdef.node:
        raise FormatError(frozen_file, "a graph without nodes", "Freeze the model again.")
    return from_tensorflow(graphdef, output_nodes, **options)


def from_tensorflow(
    graphdef: Any,
    output_nodes: Sequence[str] = (),
    preprocessor: str | Path | None = None,
    output_filename: str | Path | None = None,
    text: bool = False,
    quiet: bool = False,
    list_nodes: bool = False,
    write_preprocessed: bool = False,
    debug_mode: bool = False,
    return_graph_info: bool = False,
    strict: bool = False,
    input_node: Sequence[str] = (),
) -> Any:
    """Convert a frozen TensorFlow graph to UFF; the same graph gives the same bytes.

    Args:
        graphdef: the graph, of TensorFlow 1 or 2, without variables.
        output_nodes: names of the nodes to mark as outputs; without any, those that no other node reads.
        preprocessor: a Python file with `preprocess(dynamic_graph)`, which changes the graph through graphsurgeon.
        output_filename: UFF file to write.
        text: whether to write the text form too, beside it as .pbtxt.
        quiet: whether to print nothing but warnings.
        list_nodes: print the graph's nodes, and return None.
        write_preprocessed: write the graph as the preprocessor left it, beside the output as .preprocessed.pb.
        debug_mode: print each node as it is converted.
        return_graph_info: whether to return the names of inputs and outputs too.
        strict: whether an operation that UFF does not know is an error; else it becomes a custom one, with a warning.
        input_node: inputs to set anew, each as name,new_name,dtype,dim1,dim2,...

    Returns:
        The UFF graph as bytes; with `return_graph_info` also the list of inputs and that of outputs.

    Raises:
        UserError: there is no such output, or a node that cannot be converted, which is named.
    """
    say: Callable[[str], None] = (lambda line: None) if quiet else print
    graph = DynamicGraph(graphdef)
    if preprocessor is not None:
        _preprocess(graph, Path(preprocessor))
    extras.process_dilated_conv(graph)
    extras.process_softmax(graph)
    prepared = graph.as_graph_def()
    for setting in input_node:
        _set_input(prepared, setting)
    if write_preprocessed:
        target = Path(output_filename or "graph").with_suffix(".preprocessed.pb")
        write_bytes(target, prepared.SerializeToString(deterministic=True))
    if list_nodes:
        for index, node in enumerate(prepared.node):
            print(f'{index + 1} {node.op}: "{node.name}"')
        return None
    outputs = [_output(prepared, name) for name in output_nodes] or _leaves(prepared)
    conversion = Conversion(prepared, strict)
    _convert(conversion, outputs, print if debug_mode else lambda line: None)
    data = serialized(conversion.uff)
    inputs = [node.id for node in conversion.graph.nodes if node.operation == "Input"]
    say(f"{len(conversion.graph.nodes)} nodes; inputs: {', '.join(inputs)}; outputs: {', '.join(outputs)}")
    if output_filename is not None:
        write_bytes(output_filename, data)
        say(f"written to {output_filename}")
        if text:
            write_text(Path(output_filename).with_suffix(".pbtxt"), to_text(conversion.uff))
    elif text:
        print(to_text(conversion.uff))
    return (data, inputs, outputs) if return_graph_info else data


def _preprocess(graph: DynamicGraph, path: Path) -> None:
    """Run `preprocess(graph)` of a user's file, which may import NVIDIA's packages by their names."""
    if not path.exists():
        raise UserError(f"{path}: no such file. Give the path of a Python file with preprocess(dynamic_graph).")
    with nvidia_names():
        sys.path.insert(0, str(path.parent.resolve()))
        try:
            names = runpy.run_path(str(path))
            if "preprocess" not in names:
                raise UserError(f"{path}: it has no function preprocess(dynamic_graph). Write one.")
            names["preprocess"](graph)
        finally:
            sys.path.pop(0)


def _set_input(graphdef: Any, setting: str) -> None:
    """Replace a node by an input: name,new_name,dtype,dim1,dim2,..."""
    import tensorflow as tf  # noqa: PLC0415

    name, *rest = setting.split(",")
    try:
        new_name, dtype, shape = rest[0], tf.as_dtype(rest[1]), [int(size) for size in rest[2:]]
    except (IndexError, TypeError, ValueError) as error:
        raise UserError(f"{setting!r} is no input: write name,new_name,dtype,dim1,dim2,... ({error})") from error
    node = next(node for node in graphdef.node if node.name == _output(graphdef, name))
    for other in graphdef.node:
        others = [new_name if source.removesuffix(":0") == name else source for source in other.input]
        del other.input[:]
        other.input.extend(others)
    node.Clear()
    node.name, node.op = new_name, "Placeholder"
    node.attr["dtype"].type = dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape([None if size < 0 else size for size in shape]).as_proto())


def _output(graphdef: Any, name: str) -> str:
    """Return a node's name, or say which are like it."""
    names = [node.name for node in graphdef.node]
    found = name.removesuffix(":0")
    if found in names:
        return found
    close = difflib.get_close_matches(found, names, 5) or names[-5:]
    raise UserError(f"no node {name!r} in the graph. Close to it are {', '.join(close)} (convert-to-uff -l lists all).")


def _leaves(graphdef: Any) -> list[str]:
    """Return the names of nodes that no other reads and that have a value."""
    read = {source.partition(":")[0].lstrip("^") for node in graphdef.node for source in node.input}
    return [node.name for node in graphdef.node if node.name not in read and node.op not in (*WITHOUT_VALUE, "Const")]


def _convert(conversion: Conversion, outputs: list[str], debug: Callable[[str], None]) -> None:
    """Write the nodes that the outputs depend on, an output before what it reads."""
    for index, name in enumerate(outputs):
        marker = conversion.graph.nodes.add(id=f"MarkOutput_{index}", operation="MarkOutput", inputs=[plain(name)])
        debug(f"{marker.id}: MarkOutput")
    pending, seen = deque(outputs), set(outputs)
    while pending:
        name = pending.popleft()
        node = conversion.node(name)
        before = len(conversion.graph.nodes)
        if name in conversion.constants:
            conversion.add_constant(name, conversion.constants[name])
        else:
            _convert_node(conversion, node, is_output=name in outputs)
        for written in list(conversion.graph.nodes)[before:]:
            debug(f"{written.id}: {written.operation} <- {', '.join(written.inputs)}")
            for source in written.inputs:
                owner = _owner(conversion, source)
                if owner is not None and owner not in seen:
                    seen.add(owner)
                    pending.append(owner)
    for operation, names in conversion.custom.items():
        print(f"warning: UFF has no {operation}; custom nodes _{operation}: {', '.join(names)}", file=sys.stderr)
    if conversion.custom:
        conversion.uff.descriptors.add(id="custom", version=1)


def _owner(conversion: Conversion, source: str) -> str | None:
    """Return the node of TensorFlow's that gives an input of a written node, or None where it was made up here."""
    if source in conversion.nodes:
        return source
    owner, _, index = source.rpartition("_")
    return owner if index.isdigit() and owner in conversion.nodes else None


def _convert_node(conversion: Conversion, node: Any, is_output: bool) -> None:
    if node.op in ("Identity", "StopGradient", "CheckNumerics", "PreventGradient", "Snapshot", "EnsureShape"):
        assert is_output, node.name  # others are passed over
        conversion.add(node, "Identity", conversion.inputs_of(node))
        return
    function = function_for(node.op)
    if function is not None:
        function(conversion, node)
        return
    if conversion.strict:
        remedy = "Map it to a plugin with graphsurgeon, or convert without --strict to get a custom node."
        raise ConversionError(node, "UFF has no such operation", remedy)
    conversion.custom.setdefault(node.op, []).append(node.name)
    inputs = [] if node.op in INPUTS else conversion.inputs_of(node)
    conversion.add(node, f"_{node.op}", inputs, **_attributes(node))


def _attributes(node: Any) -> dict[str, Any]:
    """Return the fields of a custom node: what graphsurgeon gave a plugin, or else TensorFlow's own attributes."""
    own = {key: value for key, value in node.attr.items() if not key.startswith("_") or SUFFIX.search(key)}
    fields = {SUFFIX.sub("", key): _attribute(value) for key, value in sorted(own.items())}
    return {key: value for key, value in fields.items() if value is not None}


def _attribute(value: Any) -> Any:
    """Return an attribute's value; text stands as Python writes bytes, b'VALID', as NVIDIA's converter has it."""
    import tensorflow as tf  # noqa: PLC0415

    kind = value.WhichOneof("value")
    if kind == "type":
        dtype = tf.as_dtype(value.type)
        return np.dtype(dtype.as_numpy_dtype) if dtype.as_numpy_dtype in UFF_TYPES else None
    if kind == "shape":
        return [dim.size for dim in value.shape.dim]
    if kind == "list":
        lists = (value.list.i, value.list.f, value.list.b, [repr(item) for item in value.list.s])
        return next((list(items) for items in lists if len(items)), [])
    converted = {"i": int, "f": float, "b": bool, "s": repr}
    return converted[kind](getattr(value, kind)) if kind in converted else None


UFF_TYPES = (np.int8, np.int16, np.int32, np.int64, np.float16, np.float32)
