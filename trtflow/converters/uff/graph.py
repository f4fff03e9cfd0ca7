"""A TensorFlow graph on its way to UFF: what is read of it, what has been written so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from trtflow.converters.uff.folding import PASSED_OVER, WITHOUT_VALUE, known_ahead
from trtflow.formats import UserError
from trtflow.formats.graphdef import owner
from trtflow.formats.uff import MetaGraph, Node, blob_of, data_of, dtype_of, orders_key

DATA = {"NHWC": "N+C", "NCHW": "NC+"}
AGAIN = "Freeze the model again."
INT32 = np.iinfo(np.int32)


class ConversionError(UserError):
    """A node that UFF cannot express."""

    def __init__(self, node: Any, fault: str, remedy: str) -> None:
        super().__init__(f"node {node.name!r} ({node.op}): {fault}. {remedy}")


class Conversion:
    """One conversion.

    Args:
        graphdef: the frozen graph.
        strict: whether an operation that UFF does not know is an error; otherwise it becomes a custom one.

    Attributes:
        uff: the graph that is written.
        custom: names of nodes that became custom ones, by operation.
        constants: values that depend on no input, by the name of what gives them: x, or x:1 for a second output.
        shapes: shapes as far as TensorFlow knows them, by the same names.
        pending: names of the values that the nodes written so far read.
        written: names of the nodes written so far.
    """

    def __init__(self, graphdef: Any, strict: bool) -> None:
        self.nodes = {node.name: node for node in graphdef.node}
        self.strict = strict
        self.uff = MetaGraph(version=1, descriptor_core_version=2)
        self.uff.descriptors.add(id="tensorflow_extension", version=1)
        self.graph = self.uff.graphs.add(id="main")
        self.custom: dict[str, list[str]] = {}
        self.constants, self.shapes = known_ahead(graphdef)
        self.pending: deque[str] = deque()
        self.written: set[str] = set()

    def inputs_of(self, node: Any) -> list[str]:
        """Return the names of what a node reads, past nodes that do nothing; control inputs are left out."""
        names = [self.source(name) for name in node.input if not name.startswith("^")]
        return [name for name in names if self.node(name).op not in WITHOUT_VALUE]

    def source(self, name: str) -> str:
        """Return the name of the node, or of its further output, that gives a value."""
        name = name.removesuffix(":0")
        node = self.node(name)
        while node.op in PASSED_OVER or node.op == "IdentityN":
            index = int(name.partition(":")[2] or 0) if node.op == "IdentityN" else 0
            name = node.input[index].removesuffix(":0")
            node = self.node(name)
        return name

    def node(self, name: str) -> Any:
        """Return the node that gives a value; a further output `x:1` is one of node x."""
        if owner(name) not in self.nodes:
            raise UserError(f"no node {owner(name)!r} in the graph, though another reads it. Freeze the graph again.")
        return self.nodes[owner(name)]

    def constant(self, node: Any, index: int, what: str) -> np.ndarray:
        """Return the value of an input that must be constant."""
        name = self.inputs_of(node)[index]
        if name not in self.constants:
            remedy = "Freeze the graph, or compute it before the network."
            raise ConversionError(node, f"its {what}, {name!r}, is not constant", remedy)
        return self.constants[name]

    def axis(self, axis: int, name: str, added: int = 0) -> int:
        """Return an axis of a value, counted from the front where the number of its axes, and `added`, is known."""
        return axis + len(self.shapes[name]) + added if axis < 0 and name in self.shapes else axis

    def add(self, node: Any, operation: str, inputs: Iterable[str], *, as_name: str = "", **fields: Any) -> None:
        """Write a node, under its own name or another; a field that is None is left out."""
        inputs = list(inputs)
        written = Node(id=as_name or node.name, operation=operation, inputs=[plain(item) for item in inputs])
        for item in inputs:
            if plain(item) != item and plain(item) in self.nodes:
                fault = f"UFF calls its input {item} {plain(item)}, which is the name of another node"
                raise ConversionError(node, fault, "Rename that node with graphsurgeon.")
        for key, value in fields.items():
            if value is not None:
                written.fields[key].CopyFrom(data_of(value))
        self.graph.nodes.append(written)
        self.written.add(written.id)
        self.pending.extend(inputs)

    def add_constant(self, name: str, array: np.ndarray) -> None:
        """Write a constant once; 64-bit and truth values become 32-bit ones, which is what TensorRT has."""
        if plain(name) in self.written:
            return
        array = _narrowed(array)
        if dtype_of(array.dtype) is None:
            raise UserError(f"the constant {name!r} is of type {array.dtype}, which UFF does not have.")
        node = Node(id=plain(name), operation="Const")
        node.fields["dtype"].CopyFrom(data_of(array.dtype))
        node.fields["shape"].CopyFrom(data_of(list(array.shape)))
        node.fields["values"].CopyFrom(blob_of(self.uff, plain(name), array))
        self.graph.nodes.append(node)
        self.written.add(node.id)

    def orders(self, *names: str) -> Any:
        """Return a field that refers to orders of axes."""
        return orders_key(self.uff, names)


def _narrowed(array: np.ndarray) -> np.ndarray:
    """Return an array in a type of UFF's where there is one; a bound such as the largest int64 becomes int32's."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        return array.astype(np.float32)
    if (
        array.dtype.kind == "b"
        or (array.dtype.kind in "iu" and dtype_of(array.dtype) is None)
        or array.dtype == np.int64
    ):
        return array.astype(np.int64).clip(INT32.min, INT32.max).astype(np.int32)
    return array


def plain(name: str) -> str:
    """Return how UFF names an output: x for the first of node x, x_1 for the second."""
    node, _, index = name.partition(":")
    return node if index in ("", "0") else f"{node}_{index}"


def text(node: Any, key: str, default: str = "") -> str:
    """Return a text attribute."""
    return node.attr[key].s.decode() if key in node.attr else default


def data_format(node: Any) -> str:
    """Return the order of a node's data, by UFF's name."""
    order = text(node, "data_format") or "NHWC"
    if order not in DATA:
        raise ConversionError(node, f"its data are {order}", "UFF has NHWC and NCHW.")
    return DATA[order]


def numpy_type(node: Any, key: str) -> np.dtype:
    """Return an attribute that is a type; where there is none, as graphsurgeon leaves nodes, that is float32."""
    import tensorflow as tf  # noqa: PLC0415

    number = node.attr[key].type if key in node.attr else 0
    try:
        return np.dtype(tf.as_dtype(number or tf.float32).as_numpy_dtype)
    except TypeError as error:
        raise ConversionError(node, f"its {key} {number} is no type of TensorFlow's", AGAIN) from error


Convert = Callable[[Conversion, Any], None]
_OPERATIONS: dict[str, Convert] = {}
Function = TypeVar("Function", bound=Convert)


def converts(*operations: str) -> Callable[[Function], Function]:
    """Register how operations of TensorFlow are written."""

    def register(function: Function) -> Function:
        _OPERATIONS.update(dict.fromkeys(operations, function))
        return function

    return register


def function_for(operation: str) -> Convert | None:
    """Return how an operation is written, or None."""
    return _OPERATIONS.get(operation)
