"""One parse of a model: its values so far, what is known of them, and the layers that they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trtflow.formats import UserError
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layer import ILayer
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.constants import given_by
from trtflow.reference.record.onnx.errors import ErrorCode, Refusal, UnknownRank, UnsupportedForm
from trtflow.reference.record.onnx.folding import fold, has_kernel
from trtflow.reference.record.onnx.inference import Inference, Told, title
from trtflow.reference.record.onnx.known_values import as_known, known_results
from trtflow.reference.record.onnx.loops import varying_size
from trtflow.reference.record.onnx.narrow_types import as_read, as_weights, read_by_quantisers
from trtflow.reference.record.onnx.operators import check_layers, check_node, is_beyond
from trtflow.reference.record.onnx.opsets import Around, around_of, bring, drop, parts_of
from trtflow.reference.record.onnx.outcomes import check_shapes, exactly, is_whole, memory, row
from trtflow.reference.record.onnx.registry import (
    BODIES,
    OPERATORS,
    OPSET,
    OWN_DOMAINS,
    PLUGINS,
    UNFOLDED,
    Operand,
    captured,
    graphs_of,
    schema_of,
)
from trtflow.reference.record.onnx.sizes import fixed
from trtflow.reference.record.onnx.types import OTHERS, SINGLE, TYPES, check_rank, dtype_of, in_single, narrowed
from trtflow.reference.record.onnx_layer import IOnnxLayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import ILogger, Logger, Weights

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
INT8 = onnx.TensorProto.INT8
Fail = Callable[..., bool]  # takes ErrorCode, text, node and the name of a wrong input


class Parse:
    """One parse.

    Attributes:
        graph, opset: of the model; nodes come to importers as opset 17 has them.
        network: what layers are added to.
        values: each value so far: a tensor, or an array where it is constant.
        told: what is known of each of them.
        weights: names of the values that TensorRT holds as weights: initializers and what Constant gives.
        results: what is known of the outputs of the node that is being added.
        beyond: whether operators are taken that TensorRT lacks; `used_beyond` names those that there were.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        network: INetworkDefinition,
        logger: ILogger,
        fail: Fail,
        beyond: bool,
        places: Sequence[int] | None = None,
    ) -> None:
        self.graph, self.network, self.logger, self._fail = model.graph, network, logger, fail
        # of the nodes in the model as it was given, which errors name
        self._places = range(len(model.graph.node)) if places is None else places
        self.beyond = beyond
        self.used_beyond: dict[str, None] = {}
        self.opset = next((item.version for item in model.opset_import if item.domain in OWN_DOMAINS), OPSET)
        self.opsets = [item for item in model.opset_import if item.domain not in OWN_DOMAINS]
        self.opsets.append(helper.make_opsetid("", OPSET))
        self.values: dict[str, Operand] = {}
        self.told: dict[str, Told] = {}
        self.weights: set[str] = set()
        self._steps = set(read_by_quantisers(model.graph))
        self.warned: set[str] = set()
        self._names: dict[tuple[int, int], str] = {}  # of weights, by the memory that they lie in
        self._kept: list[np.ndarray] = []
        self.inference = Inference(OPSET)
        self.results: list[Told] = []
        self._declared = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
        self._outputs = {value.name for value in model.graph.output}

    def run(self) -> None:
        """Add everything; what is wrong with a node is told, and those that depend on it are passed over."""
        try:
            for initializer in self.graph.initializer:
                self.add_initializer(initializer)
        except Refusal as refusal:
            self._fail(refusal.code, str(refusal), -1, "")
            return
        for value in self.graph.input:
            try:
                if value.name not in self.values:
                    self.add_input(value)
            except Refusal as refusal:
                self._fail(refusal.code, str(refusal), -1, value.name)
                return
        for index, node in zip(self._places, self.graph.node, strict=True):
            where = f"node {index}, {node.name!r} ({node.op_type})"
            try:
                self.add(node)
            except Refusal as refusal:
                self._fail(refusal.code, f"{where}: {refusal}", index)
            except (UserError, UnsupportedForm) as error:
                self._fail(ErrorCode.UNSUPPORTED_NODE, f"{where}: {error}", index)
            except Exception as error:  # a node may be wrong in more ways than are foreseen
                fault = f"{where}: it cannot be read ({type(error).__name__}: {error})"
                self._fail(ErrorCode.INTERNAL_ERROR, f"{fault}. Check it with onnx.checker, and simplify it.", index)
        for value in self.graph.output:
            try:
                self.mark(value)
            except Refusal as refusal:
                self._fail(refusal.code, f"output {value.name!r}: {refusal}", -1)

    def add_initializer(self, initializer: onnx.TensorProto) -> None:
        """Note a constant of the model."""
        if initializer.data_type not in TYPES:
            kind = onnx.TensorProto.DataType.Name(initializer.data_type)
            raise Refusal("Failed to import initializer.", f"{initializer.name!r} is of type {kind}. {OTHERS}")
        self._hold(initializer.name, numpy_helper.to_array(initializer))

    def add_input(self, value: onnx.ValueInfoProto) -> None:
        """Add an input of the network."""
        tensor = value.type.tensor_type
        dtype = dtype_of(tensor.elem_type, value.name)
        check_rank("Failed to convert ONNX dimensions to TensorRT dimensions.", value.name, tensor.shape.dim)
        if not tensor.HasField("shape"):
            raise Refusal(f"The number of dimensions of the input {value.name!r} is not known", "Give it a shape.")
        sizes = []
        for axis, dim in enumerate(tensor.shape.dim):
            name = dim.dim_param or f"{value.name}.{axis}"
            sizes.append(
                dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else self.inference.named(name)
            )
        self.values[value.name] = self.network.add_input(value.name, dtype, fixed(tuple(sizes)))
        self.told[value.name] = Told(tensor.elem_type, tuple(sizes))

    def constant(self, name: str, array: np.ndarray) -> None:
        """Note a constant value."""
        self.values[name] = array
        elem_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        self.told[name] = Told(elem_type, array.shape, as_known(array), array)

    def mark(self, value: onnx.ValueInfoProto) -> None:
        """Mark an output."""
        name = value.name
        found = self.values.get(name)
        if found is None:
            if not any(name in node.output for node in self.graph.node):
                raise Refusal("The output tensor was not registered.", "Nothing gives it.", ErrorCode.INVALID_GRAPH)
            return
        dtype = dtype_of(value.type.tensor_type.elem_type, name)
        tensor = self.tensor(found, name)
        if tensor.is_network_input and tensor.name == name:
            tensor.name = f"__{name}"
            self.warn(f"{name!r} is an input and an output: TensorRT calls the input {tensor.name!r}.")
        elif tensor.is_network_output and tensor.name == name:
            return  # the same output again
        if tensor.is_network_input or tensor.is_network_output:
            tensor = self.network.add_identity(tensor).outputs[0]
        halves = {dtype, tensor.native_dtype} == {DataType.FLOAT, DataType.HALF}  # which the builder converts
        if TYPES.get(self.told[name].elem_type) != dtype and not halves:
            declared, made = dtype.name, TYPES[self.told[name].elem_type].name
            raise Refusal(
                "For INT32 tensors, the output type must also be INT32.",
                f"It is declared as {declared}, but what gives it makes {made}.",
            )
        tensor.name = name
        self.network.mark_output(tensor)
        if tensor.dtype != dtype:  # also of a constant, which the network has in float32
            tensor.dtype = dtype

    def add(self, node: onnx.NodeProto) -> None:
        """Add a node of the model: what it says in opset 17."""
        if node.domain not in OWN_DOMAINS:
            self.step(node)
            return
        self._check_inputs(node)
        operands = [self.values[name] if name else None for name in node.input]
        if self._is_plugin(node, operands):
            return
        if onnx.defs.has(node.op_type, OPSET, "") and is_beyond(node):  # whatever form of it a later opset has
            check_node(self, node, operands)
        parts = parts_of(node, self.opset, self.around())
        for part in parts or ():
            for made in bring(part, self.opset, replace(self.around(), plain=True)):
                self.step(made)
        for made in bring(node, self.opset, self.around()) if parts is None else ():
            self.step(made)

    def step(self, node: onnx.NodeProto) -> None:
        """Add a node of opset 17: fold it, make TensorRT's own layer of it, or keep it as it is."""
        self._check_inputs(node)
        node = as_read(self, node)
        if node.op_type == "If" and isinstance(self.values[node.input[0]], np.ndarray):
            self._inline(node)
            return
        operands = [self.values[name] if name else None for name in node.input]
        if self._is_plugin(node, operands) or self._is_constant(node):
            return
        check_node(self, node, operands)
        for check in BODIES if any(graphs_of(node)) else ():
            check(self, node)
        if schema_of(node, OPSET) is None:  # an operator that TensorRT has, and ONNX of that opset has not
            self._add_own(node, operands)
            return
        self._drop_unknown(node)
        self.results = results = self._infer(node)
        if self._fold(node, operands, results):
            return
        for told in results:
            dtype_of(told.elem_type, node.output[0])
            if told.shape is None:
                raise UnknownRank
            check_rank(f"Invalid Node - {title(node)}", node.output[0], told.shape)
        self._add_layers(node, operands, results)

    def _drop_unknown(self, node: onnx.NodeProto) -> None:
        """Leave out attributes that an operator has not; the checker passes them where it is newer than the model."""
        known = schema_of(node, OPSET).attributes
        for name in [item.name for item in node.attribute if item.name not in known]:
            self.warn(
                f"node {node.name!r} ({node.op_type}): TensorRT passes over {name!r}, which is no attribute of it."
            )
            drop(node, name)

    def warn(self, message: str) -> None:
        """Log what a user should know of a model that is taken, once."""
        if message in self.warned:
            return
        self.warned.add(message)
        self.logger.log(Logger.WARNING, message)

    def is_weights(self, name: str) -> bool:
        """Whether TensorRT has a value as weights, and not as the output of a layer."""
        return not name or name in self.weights

    def is_output(self, name: str) -> bool:
        """Whether a value is an output of the model."""
        return name in self._outputs

    def keep(self, node: onnx.NodeProto, operands: list[Operand | None], results: list[Told]) -> list[ITensor | None]:
        """Add a node as it is, in single precision where it computes in half or double."""
        every = [name for name in dict.fromkeys([*node.input, *captured(node)]) if name]
        self.inference.check_types(in_single(node), self._single_told(node), self.opsets)  # as ONNX Runtime does
        constants: dict[str, Any] = {name: value for name in every if is_whole(value := self.values[name])}
        names = [name for name in every if name not in constants]
        tensors = [self.tensor(self.values[name], name) for name in names]
        given = [SINGLE.get(self.told[name].elem_type, self.told[name].elem_type) for name in names]
        layer = IOnnxLayer(
            self.network,
            tensors,
            in_single(node),
            names,
            constants,
            (given, [SINGLE.get(told.elem_type, told.elem_type) for told in results]),
            [fixed(told.shape or ()) for told in results],
            [TYPES[told.elem_type] for told in results],
            [row(told) for told in results],
            varying_size(node),
        )
        made = iter(self.network.add_layer(layer).outputs)
        return [next(made) if name else None for name in node.output]

    def can_keep(self, node: onnx.NodeProto) -> bool:
        """Whether ONNX Runtime has kernels for a node as `keep` adds it."""
        return has_kernel(self.inference.alone(in_single(node), self._single_told(node), self.opsets))

    def _single_told(self, node: onnx.NodeProto) -> dict[str, Told]:
        """Return what is known of what a node reads, floats in single precision."""
        told = {name: self.told[name] for name in (*node.input, *captured(node)) if name}
        return {name: Told(SINGLE.get(item.elem_type, item.elem_type), item.shape) for name, item in told.items()}

    def tensor(self, value: Operand | None, name: str) -> ITensor:
        """Return a value as a tensor; of a constant it is a layer's."""
        if isinstance(value, ITensor):
            return value
        assert value is not None
        array = narrowed(value)
        weights = Weights(array)
        weights.name = self._names.get(memory(value), "") if value.size else ""
        if array.dtype == np.int32 and (array != value).any():
            self.warn(f"{weights.name or name!r} has numbers outside INT32: TensorRT has the nearest that are in it.")
        layer = self.network.add_constant(array.shape, weights)
        layer.name = f"{name}_constant"
        layer.outputs[0].name = f"{name}_constant_{self.network.num_layers}"
        return layer.outputs[0]

    def ranked(self, value: Operand, rank: int, name: str) -> ITensor:
        """Return a value with 1s in front up to a rank, as ONNX stretches."""
        if isinstance(value, np.ndarray):
            return self.tensor(value.reshape((1,) * (rank - value.ndim) + value.shape), name)
        if len(value.shape) == rank:
            return value
        if list(value.shape).count(-1) > 1:
            raise UnsupportedForm
        layer = self.network.add_shuffle(value)
        layer.reshape_dims = (1,) * (rank - len(value.shape)) + tuple(value.shape)
        return layer.outputs[0]

    def _check_inputs(self, node: onnx.NodeProto) -> None:
        missing = [name for name in (*node.input, *captured(node)) if name and name not in self.values]
        if missing:
            known = any(missing[0] in other.output for other in self.graph.node)
            name = missing[0]
            fault = f"Its input {name!r} could not be parsed." if known else f"Nothing gives its input {name!r}."
            raise Refusal("Node input was not registered.", fault, ErrorCode.INVALID_GRAPH)

    def around(self) -> Around:
        """Return what is known so far to those who bring nodes to opset 17."""
        return around_of(self, self._warn_of, plain=self.beyond)

    def _warn_of(self, node: onnx.NodeProto, refusal: Refusal) -> None:
        """Say what TensorRT 8.6 has against a form that opset 17 says otherwise, which is what is added here."""
        self.warn(f"{title(node)}: {refusal}")

    def _is_plugin(self, node: onnx.NodeProto, operands: list[Any]) -> bool:
        """Add a node that names a plugin; whether it did."""
        if not is_beyond(node):
            return False
        for find in PLUGINS:
            first = self.network.num_layers
            found = find(self, node, operands)
            if found is not None:
                results = list(found)
                for name, value in zip(node.output, results, strict=False):
                    self.told[name] = self._told_of(value)
                self._name(node, first, results)
                return True
        return False

    def _told_of(self, tensor: ITensor) -> Told:
        """Return what a layer says of its output."""
        sizes = tuple(size if size >= 0 else self.inference.new_size() for size in tensor.shape)
        return Told(next(key for key, value in TYPES.items() if value == tensor.native_dtype), sizes)

    def _is_constant(self, node: onnx.NodeProto) -> bool:
        """Note what a Constant gives, which is weights to TensorRT; whether it is one."""
        if node.op_type != "Constant" or node.domain not in OWN_DOMAINS:
            return False
        self._hold(node.output[0], given_by(node, self.warn))
        return True

    def _hold(self, name: str, array: np.ndarray) -> None:
        """Note a constant that TensorRT has as weights, under its name."""
        check_rank("Failed to import initializer.", name, array.shape)
        held = array if self.beyond or name in self._steps else as_weights(array)
        self.constant(name, held)
        self.weights.add(name)
        if held.size:
            self._names[memory(held)] = name

    def _name_weights(self, layer: ILayer) -> None:
        """Name the weights of a layer, for a refitter, as the model does; what was computed of others has no name."""
        for held in vars(layer).values():
            if isinstance(held, Weights) and held.size and not held.name:
                held.name = self._names.get(memory(held.numpy()), "")

    def _inline(self, node: onnx.NodeProto) -> None:
        """Add the branch of an If whose condition is constant, as TensorRT does."""
        condition = self.values[node.input[0]]
        assert isinstance(condition, np.ndarray)
        wanted = "then_branch" if condition.item() else "else_branch"
        branch = next(item.g for item in node.attribute if item.name == wanted)
        for initializer in branch.initializer:
            self.add_initializer(initializer)
        for inner in branch.node:
            self.step(inner)
        for name, value in zip(node.output, branch.output, strict=True):
            self.values[name], self.told[name] = self.values[value.name], self.told[value.name]

    def _infer(self, node: onnx.NodeProto) -> list[Told]:
        """Return what is known of each output that is there, their values too."""
        results = self.inference.of(node, self.told, self.opsets)
        for name, told in zip([name for name in node.output if name], results, strict=True):
            if name in self._declared:
                self.inference.refine(told, self._declared[name])
        inputs = [self.told.get(name) for name in node.input]
        floats = any(item is not None and item.elem_type in FLOATS for item in inputs)
        if any(item is None for item in inputs) or (floats and node.op_type in ("Div", "Mod")):
            return results
        values = [None if item is None else item.known for item in inputs]
        known = known_results(node, values, [None if item is None else item.shape for item in inputs])
        for told, value in zip(results, known or [], strict=False):
            told.known = value
        return results

    def _fold(self, node: onnx.NodeProto, operands: list[Operand | None], results: list[Told]) -> bool:
        """Note the outputs of a node that are constant; whether they are."""
        steps = node.op_type == "Cast" and results[0].elem_type == INT8  # of which the builder asks what makes them
        if node.op_type in UNFOLDED or steps:
            return False
        names = [name for name in node.output if name]
        reads = [self.values[name] for name in captured(node)]
        constant = all(value is None or isinstance(value, np.ndarray) for value in (*operands, *reads))
        floats = any(item.elem_type in FLOATS for item in (*results, *(self.told[name] for name in node.input if name)))
        exact = None if constant and floats else exactly(results)  # what is known of floats is for shapes only
        if exact is not None and names:
            for name, array in zip(names, exact, strict=True):
                self.constant(name, array)
            return True
        if not constant:
            return False
        found = self._compute(node, results)
        for name, array in zip(names, found or [], strict=False):
            self.constant(name, array)
        return found is not None

    def _compute(self, node: onnx.NodeProto, results: list[Told]) -> list[np.ndarray] | None:
        """Return the outputs of a node of constants; None where its layers may take types that ONNX's operator has not.

        Raises:
            Refusal: it cannot be computed.
        """
        feeds: dict[str, Any] = {name: self.values[name] for name in (*node.input, *captured(node)) if name}
        try:
            return fold(node, feeds, self.opsets, [told.elem_type for told in results])
        except Refusal as fault:
            try:
                self.inference.check_types(node, self.told, self.opsets)
            except Refusal as untyped:
                if node.op_type in OPERATORS:
                    return None
                raise untyped from fault
            raise

    def _add_layers(self, node: onnx.NodeProto, operands: list[Operand | None], results: list[Told]) -> None:
        first = self.network.num_layers
        function = OPERATORS.get(node.op_type) if node.domain in OWN_DOMAINS else None
        try:
            if function is None:
                raise UnsupportedForm
            made = function(self, node, [self._single(item) for item in operands])
            values = made if isinstance(made, list) else [made]
            check_layers(self, node, self.network._layers[first:])
            check_shapes(node, values, results)
        except (UnsupportedForm, NetworkError):
            del self.network._layers[first:]
            values = self.keep(node, operands, results)
        told = iter(results)
        for name in node.output:
            if name:
                self.told[name] = next(told)
        self._name(node, first, values)

    def _single(self, operand: Operand | None) -> Operand | None:
        """Return a constant of double precision as TensorRT has it, under the name of its weights."""
        if not isinstance(operand, np.ndarray) or operand.dtype != np.float64:
            return operand
        array = narrowed(operand)
        if operand.size and (name := self._names.get(memory(operand))):
            self._names[memory(array)] = name
        self._kept.append(array)  # so that its memory is no other's
        return array

    def _add_own(self, node: onnx.NodeProto, operands: list[Operand | None]) -> None:
        """Add a node of whose outputs only its layers tell."""
        first = self.network.num_layers
        value = OPERATORS[node.op_type](self, node, operands)
        self.told[node.output[0]] = self._told_of(value)
        self._name(node, first, [value])

    def _name(self, node: onnx.NodeProto, first: int, results: list[Any]) -> None:
        """Name the layer that gives a node's value by the node, others after it, and tensors by ONNX's values."""
        title = node.name or f"{node.op_type}_{node.output[0]}"
        added = list(self.network)[first:]
        for index, layer in enumerate(added):
            layer.name = f"{title}_{index}"
            self._name_weights(layer)
        for name, value in zip(node.output, results, strict=False):
            if not name or value is None:
                continue
            self.values[name] = value
            if isinstance(value, ITensor) and value.producer in added:
                value.name = name
                assert value.producer is not None
                value.producer.name = title
