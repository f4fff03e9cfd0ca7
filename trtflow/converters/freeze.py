"""Freezing: from TensorFlow's models with variables to one graph with constants, as converters take it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trtflow.formats import FormatError, UserError
from trtflow.formats.files import write_bytes

AGAIN = "Save the model again, or give the path of another."


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
        except (ValueError, OSError) as error:
            raise FormatError(source, f"not a Keras model ({error})", AGAIN) from error
    else:
        model = source
    signature = [tf.TensorSpec(value.shape, value.dtype, value.name) for value in model.inputs]

    def infer(*values: Any) -> Any:
        return model(values[0] if len(values) == 1 else list(values), training=False)

    return _freeze_function(tf.function(infer).get_concrete_function(*signature), inputs, outputs)


def freeze_saved_model(
    path: Path, inputs: Sequence[str] = (), outputs: Sequence[str] = (), signature: str = "serving_default"
) -> Any:
    """Return the frozen graph of a SavedModel's signature; names as in `freeze_keras`.

    Raises:
        FormatError: the folder is no SavedModel, or lacks that signature.
    """
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise FormatError(path, f"not a SavedModel ({error})", AGAIN) from error
    if signature not in loaded.signatures:
        raise FormatError(path, f"no signature {signature!r}; it has {', '.join(loaded.signatures) or 'none'}", AGAIN)
    return _freeze_function(loaded.signatures[signature], inputs, outputs)


def freeze_checkpoint(meta_graph: Path, checkpoint: Path, outputs: Sequence[str]) -> Any:
    """Return the frozen graph of a TensorFlow 1 meta graph with the variables of a checkpoint.

    Args:
        meta_graph: the .meta file.
        checkpoint: prefix of the checkpoint's files.
        outputs: nodes to keep, with all that they depend on.

    Raises:
        FormatError: a file is damaged, or a variable is not in the checkpoint.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        try:
            saver = tf.compat.v1.train.import_meta_graph(str(meta_graph), clear_devices=True)
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise FormatError(meta_graph, f"not a meta graph ({error})", AGAIN) from error
        try:
            saver.restore(session, str(checkpoint))
        except (ValueError, tf.errors.OpError) as error:
            fault = f"it cannot give the graph its variables ({str(error).splitlines()[0]})"
            raise FormatError(checkpoint, fault, "Take the checkpoint that belongs to the graph.") from error
        return freeze_session(session, outputs)


def freeze_session(session: Any, outputs: Sequence[str]) -> Any:
    """Return the graph of a TensorFlow 1 session with the variables' present values as constants.

    Raises:
        UserError: there is no such output.
    """
    graphdef = session.graph.as_graph_def()
    for name in outputs:
        _check_name(graphdef, name)
    frozen = tf.compat.v1.graph_util.convert_variables_to_constants(session, graphdef, list(outputs))
    return _tidied(tf.compat.v1.graph_util.remove_training_nodes(frozen, protected_nodes=list(outputs)))


def write_graph(graphdef: Any, path: Path) -> None:
    """Write a graph; the same graph gives the same bytes."""
    write_bytes(path, graphdef.SerializeToString(deterministic=True))


def _freeze_function(function: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    frozen = convert_variables_to_constants_v2(function)
    graphdef = frozen.graph.as_graph_def()
    names = {tensor.op.name: new for tensor, new in zip(frozen.inputs, inputs, strict=False)}
    for tensor, new in zip(frozen.outputs, outputs, strict=False):
        names[_source(graphdef, tensor.op.name)] = new
    _check_count("inputs", inputs, frozen.inputs)
    _check_count("outputs", outputs, frozen.outputs)
    kept = [names.get(name, name) for name in (_source(graphdef, tensor.op.name) for tensor in frozen.outputs)]
    return _tidied(tf.compat.v1.graph_util.extract_sub_graph(_renamed(graphdef, names), kept))


def _check_count(what: str, given: Sequence[str], there: Sequence[Any]) -> None:
    if given and len(given) != len(there):
        raise UserError(f"{len(given)} names for the model's {len(there)} {what}: {[item.op.name for item in there]}")


def _source(graphdef: Any, name: str) -> str:
    """Return the node that gives a value, past the identities that tf.function puts behind it."""
    nodes = {node.name: node for node in graphdef.node}
    while nodes[name].op in ("Identity", "NoOp"):
        name = nodes[name].input[0].lstrip("^").partition(":")[0]
    return name


def _renamed(graphdef: Any, names: dict[str, str]) -> Any:
    taken = {node.name for node in graphdef.node} - set(names)
    for new in names.values():
        if new in taken:
            raise UserError(f"the name {new!r} is taken by another node. Choose another.")
    for node in graphdef.node:
        node.name = names.get(node.name, node.name)
        for index, source in enumerate(node.input):
            owner, colon, place = source.partition(":")
            if owner in names:
                node.input[index] = names[owner] + colon + place
    return graphdef


def _tidied(graphdef: Any) -> Any:
    """Return a graph without what the conversion does not need: devices, functions, notes of the framework's."""
    copy = tf.compat.v1.GraphDef()
    copy.CopyFrom(graphdef)
    copy.ClearField("library")
    for node in copy.node:
        node.device = ""
        node.ClearField("experimental_debug_info")
        for key in [key for key in node.attr if key.startswith("_") and "_u_" not in key]:
            del node.attr[key]
    return copy


def _check_name(graphdef: Any, name: str) -> None:
    names = [node.name for node in graphdef.node]
    if name not in names:
        close = difflib.get_close_matches(name, names, 5) or names[-5:]
        raise UserError(f"no node {name!r} in the graph. Close to it are {', '.join(close)}.")
