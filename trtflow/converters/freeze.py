"""Freezing: from TensorFlow's models with variables to one graph with constants, as converters take it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_bytes
from trtflow.formats.messages import parse_message
from trtflow.graphsurgeon.graph_file import first_line, read_graph_def
from trtflow.graphsurgeon.harmless import check_harmless

AGAIN = "Save the model again, or give the path of another."
MATCHING = "Take the checkpoint that belongs to the graph."
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
PASSED = ("Identity", "NoOp")  # what tf.function puts behind an output


def freeze_keras(source: Any, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> Any:
    """Return the frozen graph of a Keras model for inference.

    Args:
        source: a model, or the path of a .keras or .h5 file.
        inputs: new names for the placeholders, in the model's order.
        outputs: new names for the nodes that give the outputs.

    Raises:
        FormatError: the file is no Keras model.
    """
    import keras  # noqa: PLC0415

    if isinstance(source, (str, Path)):
        try:
            model = keras.saving.load_model(source, compile=False)
        except (ValueError, TypeError, OSError) as error:  # a class of the user's that is not known is a TypeError
            raise FormatError(source, f"not a Keras model ({first_line(error)})", AGAIN) from error
    else:
        model = source
    signature = [tf.TensorSpec(value.shape, value.dtype, value.name) for value in model.inputs]

    def infer(*values: Any) -> Any:
        return model(values[0] if len(values) == 1 else list(values), training=False)

    return _freeze_function(tf.function(infer).get_concrete_function(*signature), inputs, outputs)


def freeze_saved_model(
    path: Path, inputs: Sequence[str] = (), outputs: Sequence[str] = (), signature: str = "serving_default"
) -> Any:
    """Return the frozen graph of a SavedModel's signature, of TensorFlow 1 or 2.

    Args:
        path: its folder.
        inputs: new names for the placeholders, in the order of their old names.
        outputs: new names for the nodes that give the outputs, in the order of the signature's keys.
        signature: its name.

    Raises:
        FormatError: the folder is no SavedModel, or a damaged one, or lacks that signature.
    """
    _check_saved_model(path)
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, IndexError, tf.errors.OpError) as error:  # IndexError: values that are cut off
        raise FormatError(path, f"not a SavedModel ({first_line(error)})", AGAIN) from error
    if signature not in loaded.signatures:
        raise FormatError(path, f"no signature {signature!r}; it has {', '.join(loaded.signatures) or 'none'}", AGAIN)
    return _freeze_function(loaded.signatures[signature], inputs, outputs)


def _check_saved_model(path: Path) -> None:
    """Refuse a model that does more than restore its variables when it is loaded."""
    file = path / "saved_model.pb"
    if file.is_file():  # TensorFlow tells of others
        model = _message(SavedModel(), file, "not a SavedModel")
        for part in model.meta_graphs:
            check_harmless(file, part.graph_def, saved=True)


def _message(message: Any, path: Path, fault: str) -> Any:
    """Return a file's message, which TensorFlow will read again."""
    try:
        return parse_message(message, path.read_bytes())
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(path, f"{fault} ({first_line(error)})", AGAIN) from error


def freeze_checkpoint(graph: Path, checkpoint: Path, outputs: Sequence[str]) -> Any:
    """Return the frozen graph of TensorFlow 1 with the variables of a checkpoint.

    Args:
        graph: a meta graph, .meta, or a graph, .pb or, as text, .pbtxt.
        checkpoint: prefix of the checkpoint's files.
        outputs: nodes to keep, with all that they depend on.

    Raises:
        FormatError: a file is damaged, or a variable is not in the checkpoint.
        UserError: there is no such output.
    """
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        if graph.suffix == ".meta":
            _restore_meta_graph(session, graph, checkpoint)
        else:
            _restore_graph(session, graph, checkpoint, outputs)
        return freeze_session(session, outputs)


def _restore_meta_graph(session: Any, path: Path, checkpoint: Path) -> None:
    meta = _message(tf.compat.v1.MetaGraphDef(), path, "not a meta graph")
    check_harmless(path, meta.graph_def, saved=True)
    try:
        saver = tf.compat.v1.train.import_meta_graph(str(path), clear_devices=True)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise FormatError(path, f"not a meta graph ({first_line(error)})", AGAIN) from error
    if saver is None:
        raise FormatError(path, "no variables in the graph", "Freeze another, or convert this one as it is.")
    try:
        saver.restore(session, str(checkpoint))
    except (ValueError, tf.errors.OpError) as error:
        missing = re.search(r"Key (\S+) not found in checkpoint", str(error))
        fault = f"it lacks the variable {missing[1]!r}" if missing else first_line(error)
        raise FormatError(checkpoint, f"it cannot give the graph its variables ({fault})", MATCHING) from error


def _restore_graph(session: Any, path: Path, checkpoint: Path, outputs: Sequence[str]) -> None:
    """Import a graph, and assign the variables that the outputs depend on by their names."""
    graphdef = read_graph_def(path)
    names = [_checked_name(graphdef, name) for name in outputs]
    for node in graphdef.node:
        node.device = ""
    try:
        tf.import_graph_def(graphdef, name="")
        reader = tf.train.load_checkpoint(str(checkpoint))
        there = sorted(reader.get_variable_to_dtype_map())
        for node in tf.compat.v1.graph_util.extract_sub_graph(graphdef, names).node:
            if node.op in VARIABLES and node.name in there:
                session.run(_assignment(session.graph, node, reader.get_tensor(node.name)))
            elif node.op in VARIABLES:
                close = difflib.get_close_matches(node.name, there, 5) or there[:5]
                fault = f"it lacks the variable {node.name!r}; close to it are {', '.join(close)}"
                raise FormatError(checkpoint, fault, MATCHING)
    except (ValueError, tf.errors.OpError) as error:
        raise FormatError(checkpoint, f"it does not fit {path} ({first_line(error)})", MATCHING) from error


def _assignment(graph: Any, node: Any, value: Any) -> Any:
    variable = graph.get_tensor_by_name(f"{node.name}:0")
    if node.op == "VarHandleOp":
        return tf.raw_ops.AssignVariableOp(resource=variable, value=value)
    return tf.compat.v1.assign(variable, value)


def freeze_session(session: Any, outputs: Sequence[str]) -> Any:
    """Return the graph of a TensorFlow 1 session with the variables' present values as constants.

    Raises:
        UserError: there is no such output.
    """
    graphdef = session.graph.as_graph_def()
    names = [_checked_name(graphdef, name) for name in outputs]
    return _tidied(tf.compat.v1.graph_util.convert_variables_to_constants(session, graphdef, names), names)


def write_graph(graphdef: Any, path: Path) -> None:
    """Write a graph; the same graph gives the same bytes."""
    write_bytes(path, graphdef.SerializeToString(deterministic=True))


def _freeze_function(function: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    frozen = convert_variables_to_constants_v2(function)
    _check_count("inputs", inputs, frozen.inputs)
    _check_count("outputs", outputs, frozen.outputs)
    graphdef = frozen.graph.as_graph_def()
    sources = _sources(graphdef, [tensor.op.name for tensor in frozen.outputs])
    names = {tensor.op.name: new for tensor, new in zip(frozen.inputs, inputs, strict=False)}
    names.update(zip(sources, outputs, strict=False))
    kept = [names.get(name, name) for name in sources]
    return _tidied(tf.compat.v1.graph_util.extract_sub_graph(_renamed(graphdef, names), kept), kept)


def _check_count(what: str, given: Sequence[str], there: Sequence[Any]) -> None:
    if given and len(given) != len(there):
        raise UserError(f"{len(given)} names for the model's {len(there)} {what}: {[item.op.name for item in there]}")


def _sources(graphdef: Any, outputs: Sequence[str]) -> list[str]:
    """Return the nodes that give the outputs, past the identities that tf.function puts behind them.

    An identity is not passed where it alone can bear the output's name: behind a placeholder, a further output of a
    node, or a node that gives another output already.
    """
    nodes = {node.name: node for node in graphdef.node}
    found: list[str] = []
    for name in outputs:
        found.append(_source(nodes, name, found))
    return found


def _source(nodes: dict[str, Any], name: str, taken: Sequence[str]) -> str:
    if nodes[name].op not in PASSED:
        return name
    source, _, index = nodes[name].input[0].lstrip("^").partition(":")
    if index not in ("", "0") or nodes[source].op == "Placeholder" or source in taken:
        return name
    return _source(nodes, source, taken)


def _renamed(graphdef: Any, names: dict[str, str]) -> Any:
    taken = {node.name for node in graphdef.node} - set(names)
    for new in names.values():
        if new in taken:
            raise UserError(f"the name {new!r} is taken by another node. Choose another.")
        taken.add(new)
    for node in graphdef.node:
        node.name = names.get(node.name, node.name)
        for index, source in enumerate(node.input):
            owner, colon, place = source.partition(":")
            if owner in names:
                node.input[index] = names[owner] + colon + place
    return graphdef


def _tidied(graphdef: Any, outputs: Sequence[str]) -> Any:
    """Return a graph without what inference does not need: identities, devices, functions, the framework's notes."""
    tidied = tf.compat.v1.graph_util.remove_training_nodes(graphdef, protected_nodes=list(outputs))
    if not any(value.HasField("func") or value.list.func for node in tidied.node for value in node.attr.values()):
        tidied.ClearField("library")
    tidied.versions.CopyFrom(graphdef.versions)
    for node in tidied.node:
        node.device = ""
        node.ClearField("experimental_debug_info")
        for key in [key for key in node.attr if key.startswith("_") and "_u_" not in key]:
            del node.attr[key]
    return tidied


def _checked_name(graphdef: Any, name: str) -> str:
    """Return a node's name, without :0, or say which are like it."""
    found, names = name.removesuffix(":0"), [node.name for node in graphdef.node]
    if found not in names:
        close = difflib.get_close_matches(found, names, 5) or names[-5:]
        raise UserError(f"no node {name!r} in the graph. Close to it are {', '.join(close)}.")
    return found
