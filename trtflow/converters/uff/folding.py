"""What TensorFlow knows of a graph before it runs: values that depend on no input, and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from trtflow.formats.graphdef import owner

# TensorFlow's operations that do nothing to a value at inference.
PASSED_OVER = ("Identity", "StopGradient", "CheckNumerics", "PreventGradient", "Snapshot", "EnsureShape")
INPUTS = ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2")
WITHOUT_VALUE = ("Assert", "NoOp")
# A branch that is not taken has no value, so these are never computed ahead.
CONTROL_FLOW = ("Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond")


def known_ahead(graphdef: Any) -> tuple[dict[str, np.ndarray], dict[str, list[int | None]]]:
    """Return the values that depend on no input of the graph, and the shapes that are known, None for an open size.

    Both by the name of the node, or x:1 for the second output of x. Of a graph that TensorFlow cannot take, for
    graphsurgeon may leave it so, only the constants are known that stand there as such.
    """
    from trtflow.graphsurgeon.harmless import without_saving  # noqa: PLC0415 - loads TensorFlow, which takes seconds
    from trtflow.graphsurgeon.nodes import extract_numpy_array  # noqa: PLC0415

    graphdef = without_saving(graphdef)
    values = {node.name: extract_numpy_array(node) for node in graphdef.node if node.op == "Const"}
    graph = _imported(graphdef)
    if graph is None:
        return values, {}
    tensors = {key: tensor for op in graph.get_operations() for key, tensor in _outputs(op)}
    shapes = {key: tensor.shape.as_list() for key, tensor in tensors.items() if tensor.shape.rank is not None}
    sizes = _constant_sizes(graphdef, shapes)
    computed = _computable(graphdef, {*values, *sizes})
    feeds = {tensors[name]: _of_type(value, tensors[name]) for name, value in sizes.items()}
    wanted = {key: tensor for key, tensor in tensors.items() if owner(key) in computed}
    sizes = {tensor.op.name: value for tensor, value in feeds.items()}
    return {**values, **sizes, **_run(graph, wanted, feeds)}, shapes


def _outputs(operation: Any) -> Iterator[tuple[str, Any]]:
    for index, tensor in enumerate(operation.outputs):
        yield operation.name if index == 0 else f"{operation.name}:{index}", tensor


def _imported(graphdef: Any) -> Any:
    """Return the graph with a placeholder for each node that TensorFlow cannot take, such as a plugin's; else None.

    An input may be declared as TensorRT has it, [1, 3, 300, 300] over a graph of channels last or without its batch;
    TensorRT does not mind. So where TensorFlow finds that the graph cannot be, its inputs are declared otherwise.
    """
    graphs = []
    for declare in (_as_declared, _channels_last, _with_batch, _with_batch_and_channels_last, _undeclared):
        graph = _import(graphdef, declare)
        if graph is not None and not _has_groups(graph):
            return graph
        graphs += [graph] if graph is not None else []
    return next(iter(graphs), None)


def _has_groups(graph: Any) -> bool:
    """Whether a convolution has more channels than its kernel: it is in groups, which is rare, or declared wrongly."""
    for op in graph.get_operations():
        if op.type == "Conv2D" and op.get_attr("data_format") != b"NCHW":
            data, kernel = (value.shape for value in op.inputs)
            if data.rank == kernel.rank == 4 and None not in (data[3], kernel[2]) and data[3] != kernel[2]:
                return True
    return False


def _as_declared(sizes: list[int]) -> list[int] | None:
    return sizes


def _channels_last(sizes: list[int]) -> list[int] | None:
    return [sizes[0], *sizes[2:], sizes[1]] if len(sizes) == 4 else sizes


def _with_batch(sizes: list[int]) -> list[int] | None:
    return [-1, *sizes] if len(sizes) == 3 else sizes


def _with_batch_and_channels_last(sizes: list[int]) -> list[int] | None:
    return _channels_last([-1, *sizes]) if len(sizes) == 3 else sizes


def _undeclared(sizes: list[int]) -> list[int] | None:
    return None


def _import(graphdef: Any, declare: Callable[[list[int]], list[int] | None]) -> Any:
    """Return a graph with the shapes of its inputs declared in some way, or None where TensorFlow refuses it."""
    import tensorflow as tf  # noqa: PLC0415

    part = _importable(graphdef)
    for node in part.node:
        shape = node.attr["shape"].shape if node.op in INPUTS and "shape" in node.attr else None
        if shape is not None and not shape.unknown_rank:
            sizes = declare([dim.size for dim in shape.dim])
            shape.CopyFrom(_shape_of(sizes).as_proto())
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.import_graph_def(part, name="")
    except (ValueError, TypeError, KeyError, tf.errors.OpError):
        return None
    return graph


def _shape_of(sizes: list[int] | None) -> Any:
    import tensorflow as tf  # noqa: PLC0415

    return tf.TensorShape(None if sizes is None else [None if size < 0 else size for size in sizes])


def _importable(graphdef: Any) -> Any:
    """Return a graph without what TensorFlow cannot take: plugins, control inputs, its own notes."""
    import tensorflow as tf  # noqa: PLC0415

    replaced = {node.name for node in graphdef.node if not _is_whole(node)}
    part = tf.compat.v1.GraphDef()
    part.versions.CopyFrom(graphdef.versions)
    for node in graphdef.node:
        copy = part.node.add(name=node.name, op="Placeholder" if node.name in replaced else node.op)
        if node.name in replaced:
            copy.attr["dtype"].type = node.attr["T"].type or node.attr["dtype"].type or tf.float32.as_datatype_enum
            continue
        data = [source for source in node.input if not source.startswith("^")]
        copy.input.extend(owner(source) if owner(source) in replaced else source for source in data)
        for key, value in node.attr.items():
            if not key.startswith("_"):
                copy.attr[key].CopyFrom(value)
    return part


def _is_whole(node: Any) -> bool:
    """Whether a node is one of TensorFlow's, with all the attributes and inputs that it must have."""
    definition = definition_of(node.op)
    if definition is None or any(value.WhichOneof("value") == "func" for value in node.attr.values()):
        return False
    if any(attr.name not in node.attr for attr in definition.attr if not attr.HasField("default_value")):
        return False
    return sum(not source.startswith("^") for source in node.input) == count_inputs(definition, node)


def count_inputs(definition: Any, node: Any) -> int:
    """Return how many inputs a node of an operation has."""
    return sum(_count(argument, node) for argument in definition.input_arg)


def _count(argument: Any, node: Any) -> int:
    """Return how many inputs of a node one argument of its operation stands for."""
    if argument.number_attr:
        return int(node.attr[argument.number_attr].i)
    return len(node.attr[argument.type_list_attr].list.type) if argument.type_list_attr else 1


def definition_of(operation: str) -> Any:
    """Return TensorFlow's definition of an operation, or None where it has none, as for TensorRT's plugins."""
    from tensorflow.python.framework import op_def_registry  # noqa: PLC0415

    return op_def_registry.get(operation)


def _constant_sizes(graphdef: Any, shapes: dict[str, list[int | None]]) -> dict[str, np.ndarray]:
    """Return the values of nodes that ask for a shape which is wholly known."""
    found = {}
    for node in graphdef.node:
        shape: Sequence[int | None] = shapes.get(node.input[0].removesuffix(":0"), [None]) if node.input else [None]
        if None in shape:
            continue
        if node.op == "Shape":
            found[node.name] = np.array(shape)
        elif node.op == "Size":
            found[node.name] = np.array(math.prod(size for size in shape if size is not None))
        elif node.op == "Rank":
            found[node.name] = np.array(len(shape))
    return found


def _of_type(value: np.ndarray, tensor: Any) -> np.ndarray:
    return np.asarray(value, tensor.dtype.as_numpy_dtype)


def _computable(graphdef: Any, given: set[str]) -> set[str]:
    """Return the nodes that can be computed from constants alone and give the same each time."""
    nodes = {node.name: node for node in graphdef.node}
    known, computed = set(given), set()
    for name in _in_order(nodes):
        node, sources = nodes[name], [owner(source) for source in nodes[name].input]
        if name in known or not sources or not known.issuperset(sources) or not _may_compute(node):
            continue
        known.add(name)
        if node.op not in PASSED_OVER:
            computed.add(name)
    return computed


def _may_compute(node: Any) -> bool:
    if node.op in (*WITHOUT_VALUE, *CONTROL_FLOW) or not _is_whole(node):
        return False
    if node.op == "PlaceholderWithDefault":  # a number such as a dropout's rate; what has axes is an input
        shape = node.attr["shape"].shape
        return not shape.unknown_rank and not shape.dim
    return not definition_of(node.op).is_stateful


def _in_order(nodes: dict[str, Any]) -> list[str]:
    """Return the names of nodes such that each follows those it reads."""
    ordered: dict[str, None] = {}
    entered: set[str] = set()
    stack = [(name, False) for name in reversed(nodes)]
    while stack:
        name, is_left = stack.pop()
        if is_left:
            ordered[name] = None
        elif name in nodes and name not in entered:
            entered.add(name)
            stack.append((name, True))
            stack += [(owner(source), False) for source in nodes[name].input]
    return list(ordered)


def _run(graph: Any, wanted: dict[str, Any], feeds: dict[Any, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the values of tensors; those that TensorFlow cannot compute on the CPU are left out."""
    import tensorflow as tf  # noqa: PLC0415

    if not wanted:
        return {}
    config = tf.compat.v1.ConfigProto(
        device_count={"GPU": 0}, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
    )
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        try:
            return {key: np.asarray(value) for key, value in session.run(wanted, feeds).items()}
        except tf.errors.OpError:
            found = {}
            for key, tensor in wanted.items():
                with suppress(tf.errors.OpError):
                    found[key] = np.asarray(session.run(tensor, feeds))
            return found
