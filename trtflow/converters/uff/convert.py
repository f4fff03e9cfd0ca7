"""The conversion as a whole, with the signatures of NVIDIA's `uff` package."""

from __future__ import annotations

import difflib
import inspect
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trtflow.converters.uff.operations  # noqa: F401 - registers them
from trtflow.converters.uff.custom import add_custom, report_custom
from trtflow.converters.uff.folding import INPUTS, PASSED_OVER, WITHOUT_VALUE, count_inputs, definition_of
from trtflow.converters.uff.graph import AGAIN, Conversion, ConversionError, function_for, plain
from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_bytes, write_text
from trtflow.formats.graphdef import owner
from trtflow.formats.uff import serialized, to_text
from trtflow.nvidia import nvidia_names

SILENT: Callable[[str], None] = lambda line: None  # noqa: E731 - a printer that prints nothing


def from_tensorflow_frozen_model(frozen_file: str | Path, output_nodes: Sequence[str] = (), **options: Any) -> Any:
    """Convert a frozen graph in a file; all else as `from_tensorflow`.

    Raises:
        FormatError: the file holds no frozen graph, or one that TensorFlow does not survive.
    """
    from trtflow.graphsurgeon.graph_file import read_graph_def  # noqa: PLC0415 - loads TensorFlow

    graphdef = read_graph_def(frozen_file)
    if not graphdef.node:
        remedy = "Give a frozen graph; scripts/freeze.py makes one of a SavedModel, a Keras model or a checkpoint."
        raise FormatError(frozen_file, "no TensorFlow graph, for it has no nodes", remedy)
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
    **ignored: Any,
) -> Any:
    """Convert a frozen TensorFlow graph to UFF; the same graph gives the same bytes.

    Args:
        graphdef: the graph, of TensorFlow 1 or 2, without variables.
        output_nodes: names of the nodes to mark as outputs; without any, those that no other node reads.
        preprocessor: a Python file with `preprocess(dynamic_graph)`, which changes the graph through graphsurgeon.
        output_filename: UFF file to write.
        text: whether to write the text form too, beside it as .pbtxt; without a file it is printed.
        quiet: whether to print nothing but warnings.
        list_nodes: print the graph's nodes, and return None.
        write_preprocessed: write the graph as the preprocessor left it, beside the output as .preprocessed.pb.
        debug_mode: print each node as it is converted.
        return_graph_info: whether to return the input and output nodes too.
        strict: whether an operation of TensorFlow's that UFF does not have is an error; otherwise it becomes a custom
            node, with a warning. Plugins, whose operations TensorFlow does not know, are custom nodes in any case.
        input_node: inputs to set anew, each as name,new_name,dtype,dim1,dim2,...
        ignored: what NVIDIA's passes over in silence, as Polygraphy's `save_preprocessed`; here with a warning.

    Returns:
        The UFF graph as bytes; with `return_graph_info` also the NodeDefs of the inputs, and those of the outputs.

    Raises:
        UserError: there is no such output, or a node that cannot be converted, which is named.
    """
    for name in ignored:
        near = difflib.get_close_matches(name, inspect.signature(from_tensorflow).parameters, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        print(
            f"warning: from_tensorflow has no option {name!r}, and passes it over as NVIDIA's does.{hint}",
            file=sys.stderr,
        )
    say = SILENT if quiet else print
    prepared = _prepared(graphdef, preprocessor)
    outputs = list(dict.fromkeys(_name(prepared, name) for name in output_nodes)) or _leaves(prepared)
    for setting in input_node:
        _set_input(prepared, setting)
    if write_preprocessed:
        target = Path(output_filename or "graph").with_suffix(".preprocessed.pb")
        write_bytes(target, prepared.SerializeToString(deterministic=True))
    if list_nodes:
        for index, node in enumerate(prepared.node):
            print(f'{index + 1} {node.op}: "{node.name}"')
        return None
    conversion = Conversion(prepared, strict)
    _convert(conversion, outputs, print if debug_mode else SILENT)
    report_custom(conversion, say)
    inputs = [node.id for node in conversion.graph.nodes if node.operation == "Input"]
    say(f"{len(conversion.graph.nodes)} nodes; inputs: {', '.join(inputs)}; outputs: {', '.join(outputs)}")
    data = _write(conversion, output_filename, text, say)
    if not return_graph_info:
        return data
    return (data, *([conversion.nodes[name] for name in names] for names in (inputs, outputs)))


def _prepared(graphdef: Any, preprocessor: str | Path | None) -> Any:
    """Return the graph after the user's changes, and with what several nodes say in TensorFlow 1 said by one."""
    from trtflow.graphsurgeon import DynamicGraph, extras  # noqa: PLC0415 - loads TensorFlow

    graph = DynamicGraph(graphdef)
    if preprocessor is not None:
        _preprocess(graph, Path(preprocessor))
    extras.process_dilated_conv(graph)
    extras.process_softmax(graph)
    return graph.as_graph_def()


def _write(conversion: Conversion, path: str | Path | None, text: bool, say: Callable[[str], None]) -> bytes:
    """Write the graph, and its text form if that is asked for; return the bytes."""
    data = serialized(conversion.uff)
    if path is None:
        if text:
            print(to_text(conversion.uff))
        return data
    write_bytes(path, data)
    say(f"UFF written to {path}")
    if text:
        write_text(Path(path).with_suffix(".pbtxt"), to_text(conversion.uff))
        say(f"text form written to {Path(path).with_suffix('.pbtxt')}")
    return data


def _preprocess(graph: Any, path: Path) -> None:
    """Run `preprocess(graph)` of a user's file, which may import NVIDIA's packages by their names."""
    if not path.exists():
        raise UserError(f"{path}: no such file. Give the path of a Python file with preprocess(dynamic_graph).")
    with nvidia_names():
        sys.path.insert(0, str(path.parent.resolve()))
        try:
            names = runpy.run_path(str(path))
            if "preprocess" not in names:
                raise UserError(f"{path}: it has no function preprocess(dynamic_graph). Write one.")
            try:
                names["preprocess"](graph)
            except ValueError as error:  # how such files refuse a graph that they are not for
                raise UserError(f"{path}: {error}. Give the graph that this file is for.") from error
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
    name = _name(graphdef, name)
    if any(node.name == new_name != name for node in graphdef.node):
        raise UserError(f"{setting!r}: the graph has a node {new_name!r} already. Choose another name.")
    node = next(node for node in graphdef.node if node.name == name)
    for other in graphdef.node:
        others = [new_name if source.removesuffix(":0") == name else source for source in other.input]
        del other.input[:]
        other.input.extend(others)
    node.Clear()
    node.name, node.op = new_name, "Placeholder"
    node.attr["dtype"].type = dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape([None if size < 0 else size for size in shape]).as_proto())


def _name(graphdef: Any, name: str) -> str:
    """Return a node's name, without :0, or say which are like it."""
    names = [node.name for node in graphdef.node]
    found = name.removesuffix(":0")
    if found in names:
        return found
    close = difflib.get_close_matches(found, names, 5) or names[-5:]
    raise UserError(f"no node {name!r} in the graph. Close to it are {', '.join(close)} (convert-to-uff -l lists all).")


def _leaves(graphdef: Any) -> list[str]:
    """Return the names of the nodes that compute something that no other reads."""
    read = {owner(source) for node in graphdef.node for source in node.input}
    leaves = [
        node.name
        for node in graphdef.node
        if node.name not in read and node.op not in (*WITHOUT_VALUE, *INPUTS, "Const")
    ]
    if not leaves:
        raise UserError("the graph has no output: each node's value is read by another. Name the outputs (-O).")
    return leaves


def _convert(conversion: Conversion, outputs: list[str], debug: Callable[[str], None]) -> None:
    """Write the nodes that the outputs depend on, an output before what it reads."""
    for index, name in enumerate(outputs):
        conversion.graph.nodes.add(id=f"MarkOutput_{index}", operation="MarkOutput", inputs=[plain(name)])
    conversion.pending.extend(outputs)
    shown = 0
    while conversion.pending:
        _convert_value(conversion, conversion.pending.popleft())
        for node in conversion.graph.nodes[shown:]:
            debug(f"{node.operation} {node.id} <- {', '.join(node.inputs)}")
        shown = len(conversion.graph.nodes)
    if conversion.custom:
        conversion.uff.descriptors.add(id="custom", version=1)


def _convert_value(conversion: Conversion, name: str) -> None:
    """Write the node that gives a value, unless it is there already."""
    if plain(name) in conversion.written:
        return
    if name in conversion.constants:
        conversion.add_constant(name, conversion.constants[name])
        return
    node = conversion.node(name)
    if node.name in conversion.written:  # by another of its outputs
        return
    if node.op in PASSED_OVER or node.op == "IdentityN":  # an output; any other is passed over
        conversion.add(node, "Identity", [conversion.source(name)])
        return
    _check_inputs(node)
    try:
        (function_for(node.op) or add_custom)(conversion, node)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ConversionError(node, f"damaged, or not of its operation's form ({error})", AGAIN) from error


def _check_inputs(node: Any) -> None:
    """Refuse a node of TensorFlow's that reads less than its operation must; a Concat of graphsurgeon's has no axis."""
    definition = definition_of(node.op)
    given = sum(not source.startswith("^") for source in node.input)
    if definition is not None and given < count_inputs(definition, node):
        fault = f"it has {given} inputs, needs {count_inputs(definition, node)}"
        raise ConversionError(node, fault, "Freeze the model again, or correct what preprocess removes.")
