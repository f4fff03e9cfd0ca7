"""TensorRT's UFF parser: registration, and the way through a graph; what each operation becomes: `uff_operations`."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from trtflow.formats import FormatError
from trtflow.formats.uff import MetaGraph, array_of, value_of
from trtflow.formats.uff.data import ORDERS
from trtflow.formats.uff.files import AGAIN, parsed
from trtflow.formats.uff.old_types import renumber_types
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.answers import Reporter, answers
from trtflow.reference.record.enumeration import members
from trtflow.reference.record.enums import DataType, UffInputOrder
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.scope import Scope
from trtflow.reference.record.uff_operations import OPERATIONS, add_plugin
from trtflow.reference.record.uff_values import Axes, Constant, Operand, Value
from trtflow.reference.record.values import Dims, Logger, Weights

Entry = TypeVar("Entry")
DATA_ORDERS = {ORDERS[name]: name for name in ("NC", "CN", "NC+", "N+C")}
KERNEL_ORDERS = {ORDERS[name]: name for name in ("KC", "CK", "+KC", "+CK")}


class UffParser(Scope, Reporter):
    """Reads UFF graphs into networks with an implicit batch.

    Attributes:
        plugin_namespace: where custom operations are looked up in the plugin registry.
    """

    read_only = ("uff_required_version_major", "uff_required_version_minor", "uff_required_version_patch")
    uff_required_version_major, uff_required_version_minor, uff_required_version_patch = 0, 6, 9

    def __init__(self) -> None:
        super().__init__()
        self.plugin_namespace = ""
        self._inputs: dict[str, tuple[Dims, UffInputOrder]] = {}
        self._outputs: list[str] = []

    @answers(False)
    def register_input(self, name: str, shape: Any = None, order: UffInputOrder = UffInputOrder.NCHW) -> bool:
        """Say which shape an input has, without the batch, and in which order that is.

        Returns:
            False, and a message in the log, of no name, no dimensions, one that is no size, or no order of TensorRT's.
        """
        self._inputs[_checked_name(name, "input")] = (_checked_dims(name, shape), _checked_order(name, order))
        return True

    @answers(False)
    def register_output(self, name: str) -> bool:
        """Say which node's value is an output; False, and a message in the log, without a name."""
        self._outputs.append(_checked_name(name, "output"))
        return True

    @answers(False)
    def parse(self, file: str, network: INetworkDefinition, weights_type: DataType = DataType.FLOAT) -> bool:
        """Add the layers of a UFF file; arguments and answers as of `parse_buffer`."""
        return self._parse(_read(file), file, network, weights_type)

    @answers(False)
    def parse_buffer(self, buffer: bytes, network: INetworkDefinition, weights_type: DataType = DataType.FLOAT) -> bool:
        """Add the layers of a UFF graph that the registered outputs depend on.

        Args:
            buffer: the graph.
            network: the network to add to, with an implicit batch.
            weights_type: FLOAT, or HALF for weights in half precision.

        Returns:
            False, and a message in the log, where the bytes are no UFF graph or a node lacks a field; of an operation
            that the parser lacks, an input that is not registered or does not fit, an output that is not there.
        """
        return self._parse(bytes(buffer), "UFF buffer", network, weights_type)

    def _parse(self, data: bytes, source: str, network: INetworkDefinition, weights_type: DataType) -> bool:
        self._logger = network.logger
        graph = parsed(data, source)
        for warning in renumber_types(graph, source):
            Logger().log(Logger.WARNING, warning)
        if not self._outputs:
            raise NetworkError("UFF", f"no output of {source} is registered", "Call register_output first.")
        parse = Parse(graph, source, network, weights_type, self._inputs, self.plugin_namespace)
        for name in self._outputs:
            parse.mark(name)
        return True


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise FormatError(file, f"cannot be read ({error.strerror})", "Give the path of a UFF file.") from error


def _checked_name(name: Any, what: str) -> str:
    if not isinstance(name, str) or not name:
        raise NetworkError("UFF", f"an {what} registered as {name!r}", f"Give the name of a node for the {what}.")
    return name


def _checked_dims(name: str, shape: Any) -> Dims:
    """Return registered dimensions, each a positive integer."""
    try:
        dims = Dims([operator.index(size) for size in shape])
    except (TypeError, ValueError):
        dims = Dims()
    if not dims or min(dims) < 1:
        remedy = "Give positive sizes without the batch, such as (3, 300, 300) for a picture in NCHW."
        raise NetworkError(name, f"registered with the dimensions {shape!r}", remedy)
    return dims


def _checked_order(name: str, order: Any) -> UffInputOrder:
    try:
        return UffInputOrder(order)
    except ValueError as error:
        known = ", ".join(f"UffInputOrder.{item.name}" for item in members(UffInputOrder))
        raise NetworkError(name, f"registered in the order {order!r}", f"Give one of {known}.") from error


class Parse:
    """One parse: the graph, the network, and the values so far.

    Attributes:
        source: what errors call the graph: its file.
        inputs: shape and order of each input that is registered.
        axes: reshapes and transposes of values.
        namespace: where the plugin registry is asked for custom operations.
    """

    def __init__(
        self,
        meta: MetaGraph,
        source: str,
        network: INetworkDefinition,
        weights_type: DataType,
        inputs: dict[str, tuple[Dims, UffInputOrder]],
        namespace: str,
    ) -> None:
        self.meta, self.source, self.network, self.inputs = meta, source, network, inputs
        self.weights_type, self.namespace = weights_type, namespace
        self.nodes = {node.id: node for node in meta.graphs[0].nodes}
        self.axes = Axes(network)
        self.values: dict[str, Operand] = {}
        self.check_inputs()

    def check_inputs(self) -> None:
        """Refuse registered names that are no inputs of the graph."""
        known = [node.id for node in self.nodes.values() if node.operation == "Input"]
        for name in self.inputs:
            if name not in known:
                remedy = f"Its inputs are {', '.join(known) or 'none'}."
                raise NetworkError(name, f"registered as an input, but {self.source} has none of that name", remedy)

    def mark(self, name: str) -> None:
        """Parse what an output depends on, and mark it; its tensor takes the registered name."""
        owner = self.nodes.get(self.owner(name))
        if owner is None:
            names = [node.id for node in self.nodes.values() if node.operation not in ("Const", "MarkOutput")]
            close = difflib.get_close_matches(name, names, 3) or names[:3]
            remedy = f"Register the name of a node; close to it are {', '.join(close)}."
            raise NetworkError(name, f"registered as an output, but {self.source} has no such node", remedy)
        marked = owner.operation == "MarkOutput"
        if marked and len(owner.inputs) != 1:
            raise NetworkError(
                name, f"marks {len(owner.inputs)} outputs in {self.source}", "Register the nodes themselves."
            )
        value = self.value(owner.inputs[0] if marked else name)
        if marked and len(names := self.outputs_of(owner.inputs[0])) > 1:
            for output in names:  # a plugin's, which keep their names: NMS and NMS_1 in sampleUffSSD
                self.mark(output)
            return
        if isinstance(value, Constant):
            raise NetworkError(name, "this output is constant", "Register one that depends on an input.")
        # As TensorRT's parser gives it: in the graph's own order, where that is known.
        tensor = (self.axes.as_meant(value) if value.logical else value).tensor
        if tensor is not value.tensor and tensor.producer is not None:
            tensor.producer.name = f"{name}_transpose"
            if value.tensor.name == name:
                value.tensor.name = f"{name}_channels_first"
        if tensor.producer is None or tensor.is_network_output:
            layer = self.network.add_identity(tensor)
            layer.name = f"{name}_output"
            tensor = layer.outputs[0]
        tensor.name = name
        self.network.mark_output(tensor)

    def value(self, name: str) -> Operand:
        """Return the value of a node's output, parsing what it depends on first; no recursion, as graphs are deep."""
        pending = [name]
        while pending:
            current = pending[-1]
            if current in self.values:
                pending.pop()
                continue
            node = self.nodes[self.owner(current)]
            missing = [source for source in node.inputs if source not in self.values]
            if missing:
                self.check_source(node, missing[0], pending)
                pending.append(missing[0])
                continue
            self.parse_node(node)
            if current not in self.values:
                raise NetworkError(node.id, f"{self.source} asks for its output {current!r}, which it does not have")
        return self.values[name]

    def check_source(self, node: Any, source: str, pending: Sequence[str]) -> None:
        """Refuse inputs of a node that are not there or lead back to it."""
        if self.owner(source) not in self.nodes:
            raise NetworkError(node.id, f"it reads {source!r}, which {self.source} does not have", AGAIN)
        if source in pending:
            raise NetworkError(node.id, f"its inputs depend on its own output in {self.source}", AGAIN)

    def owner(self, name: str) -> str:
        """Return the node that an output belongs to: x_1 is the second output of node x."""
        owner, _, index = name.rpartition("_")
        return name if name in self.nodes or not index.isdigit() else owner

    def parse_node(self, node: Any) -> None:
        """Add the layers of a node whose inputs are there.

        Raises:
            NetworkError: it cannot be added; names the node, its operation and the graph.
        """
        function, least = OPERATIONS.get(node.operation, (add_plugin, 0))
        if function is add_plugin and not node.operation.startswith("_"):
            known = sorted(name for name in OPERATIONS if not name.startswith("_"))
            remedy = f"It has {', '.join(known)}; others must be plugins, as custom operations."
            raise NetworkError(node.id, f"the UFF parser has no operation {node.operation!r} ({self.source})", remedy)
        if len(node.inputs) < least:
            fault = f"node {node.id!r} ({node.operation}) has {len(node.inputs)} inputs, needs {least}"
            raise FormatError(self.source, fault, AGAIN)
        first = self.network.num_layers
        try:
            result = function(self, node, self.operands(node))
            results = result if isinstance(result, list) else [result]
            self.name_layers(node, first, results)
            for index, value in enumerate(results):
                self.values[node.id if index == 0 else f"{node.id}_{index}"] = value
        except (NetworkError, ValueError) as error:
            if str(error).startswith(f"layer {node.id!r}"):
                raise
            fault = f"its operation {node.operation} in {self.source} fails: {str(error).rstrip('.')}"
            raise NetworkError(node.id, fault) from error

    def operands(self, node: Any) -> list[Operand]:
        """Return the values that a node reads.

        A Concat that reads a plugin of several outputs by the plugin's own name reads them all: collapsing a namespace
        leaves one input of the six that go from GridAnchor_TRT to concat_priorbox (guide §13.4).
        """
        names = list(node.inputs)
        if node.operation == "Concat":
            names = [output for name in names for output in self.outputs_of(name)]
        return [self.values[name] for name in names]

    def outputs_of(self, name: str) -> list[str]:
        """Return the names of all outputs of a node that is a plugin; of another node, or of one output, the name."""
        node, further = self.nodes.get(name), []
        if node is not None and node.operation.startswith("_"):
            further = list(takewhile(self.values.__contains__, (f"{name}_{index}" for index in count(1))))
        return [name, *further]

    def name_layers(self, node: Any, first: int, results: Sequence[Operand]) -> None:
        """Name the layer that gives a node's value by the node, and its tensors by the outputs; check their shapes."""
        for index, value in enumerate(results):
            producer = value.tensor.producer if isinstance(value, Value) else None
            if producer is not None and producer in list(self.network)[first:]:
                producer.name = node.id
                value.tensor.name = node.id if index == 0 else f"{node.id}_{index}"  # type: ignore[union-attr]
                producer.output_shape(index)

    def field(self, node: Any, key: str, default: Any = None) -> Any:
        """Return a field of a node, or the default where it has none."""
        return value_of(node.fields[key]) if key in node.fields else default

    def need_field(self, node: Any, key: str) -> Any:
        """Return a field that a node must have."""
        if key not in node.fields:
            raise FormatError(self.source, f"node {node.id!r} ({node.operation}) has no field {key!r}", AGAIN)
        return value_of(node.fields[key])

    def function(self, node: Any, known: dict[str, Entry]) -> Entry:
        """Return the entry of a table that a node's function names."""
        name = self.need_field(node, "func")
        if name not in known:
            fault = f"unknown function {name!r} of {node.operation} in {self.source}"
            raise NetworkError(node.id, fault, f"Known: {', '.join(known)}.")
        return known[name]

    def orders(self, node: Any, default: Sequence[str] = ()) -> list[str]:
        """Return the orders of a node's inputs by their names: data first, then the kernel where the node has one."""
        if "inputs_orders" not in node.fields and default:
            return list(default)
        self.need_field(node, "inputs_orders")
        entries = value_of(self.meta.referenced_data[node.fields["inputs_orders"].ref])
        tables = (DATA_ORDERS, KERNEL_ORDERS)
        try:
            return [tables[min(index, 1)][entry] for index, entry in enumerate(entries)]
        except (KeyError, TypeError) as error:
            fault = f"node {node.id!r} ({node.operation}) has unknown orders of axes {entries}"
            raise FormatError(self.source, fault, AGAIN) from error

    def weights(self, array: np.ndarray) -> Weights:
        """Return weights in the type that the parser was asked for."""
        return Weights(array.astype(np.float16 if self.weights_type == DataType.HALF else np.float32))

    def values_of(self, node: Any) -> np.ndarray:
        """Return the values of a constant's node."""
        dtype, shape = self.field(node, "dtype") or np.dtype(np.float32), self.field(node, "shape") or []
        self.need_field(node, "values")
        try:
            return array_of(self.meta, node.fields["values"], dtype, shape)
        except ValueError as error:
            raise FormatError(self.source, f"constant {node.id!r}: {error}", AGAIN) from error

    def need(self, node: Any, operand: Operand, what: str) -> np.ndarray:
        """Return an operand that must be constant."""
        if not isinstance(operand, Constant):
            raise NetworkError(node.id, f"its {what} depends on an input", "TensorRT needs it as a constant.")
        return operand.array

    def need_value(self, node: Any, operand: Operand) -> Value:
        """Return an operand that must not be constant."""
        if not isinstance(operand, Value):
            raise NetworkError(node.id, "its data is constant", "Fold it before the conversion.")
        return operand

    def need_axis(self, node: Any, axis: int, value: Value, what: str) -> int:
        """Return an axis of the graph, counted from the front, that must not be the batch."""
        counted = axis + value.rank if axis < 0 else axis
        if not 0 < counted < value.rank:
            fault = f"{what} along axis {axis} of a value of shape {self.axes.shape(value)}"
            raise NetworkError(node.id, fault, "Choose one of its axes behind the batch.")
        return counted
