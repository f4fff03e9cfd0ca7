"""One parse of a model: its values so far, constants folded on the way, and the layers that they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from trtflow.formats import UserError
from trtflow.reference.errors import NetworkError
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.onnx.errors import ErrorCode
from trtflow.reference.record.onnx.registry import (
    OPERATORS,
    OPSET,
    PLUGINS,
    UNFOLDED,
    Operand,
    UnsupportedForm,
    has_graph,
    reads_outside,
    schema_of,
)
from trtflow.reference.record.onnx.types import TYPES, narrowed, type_and_shape
from trtflow.reference.record.onnx_layer import IOnnxLayer
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Weights


class Parse:
    """One parse: the model, the network, and the values so far."""

    def __init__(
        self, model: onnx.ModelProto, network: INetworkDefinition, fail: Callable[[ErrorCode, str, int], bool]
    ) -> None:
        self.model, self.graph, self.network, self.fail = model, model.graph, network, fail
        self.opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), OPSET)
        self.values: dict[str, Operand] = {}
        self.infos: dict[str, onnx.ValueInfoProto] = {}

    def run(self) -> None:
        """Add everything; what is wrong with a node is told, and those that depend on it are passed over."""
        for initializer in self.graph.initializer:
            self.values[initializer.name] = numpy_helper.to_array(initializer)
        self.infer_shapes()
        for value in self.graph.input:
            if value.name not in self.values:
                self.values[value.name] = self.network.add_input(value.name, *type_and_shape(value))
        for index, node in enumerate(self.graph.node):
            try:
                self.add(node)
            except (UserError, UnsupportedForm) as error:
                self.fail(ErrorCode.UNSUPPORTED_NODE, f"node {index}, {node.name!r} ({node.op_type}): {error}", index)
        for value in self.graph.output:
            self.mark(value.name)

    def infer_shapes(self) -> None:
        """Note types and shapes of all values, as far as ONNX can tell them."""
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model, data_prop=True).graph
        except onnx.shape_inference.InferenceError as error:
            if all(schema_of(node, self.opset) for node in self.graph.node):
                raise UserError(f"the model contradicts itself: {error}") from error
            return  # an unknown operator, which is told with its node
        for value in (*inferred.input, *inferred.value_info, *inferred.output):
            self.infos[value.name] = value

    def mark(self, name: str) -> None:
        value = self.values.get(name)
        if value is None:
            if not any(name in node.output for node in self.graph.node):
                self.fail(ErrorCode.INVALID_GRAPH, f"no node gives the output {name!r}", -1)
            return
        tensor = self.tensor(value, name)
        if tensor.is_network_input or tensor.is_network_output:
            tensor = self.network.add_identity(tensor).outputs[0]
        tensor.name = name
        self.network.mark_output(tensor)

    def add(self, node: onnx.NodeProto) -> None:
        """Add a node: fold it, make TensorRT's own layer of it, or keep it as it is."""
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            known = any(missing[0] in other.output for other in self.graph.node)
            raise UserError(
                f"its input {missing[0]!r} could not be parsed" if known else f"nothing gives its input {missing[0]!r}"
            )
        operands = [self.values[name] if name else None for name in node.input]
        constant = all(operand is None or isinstance(operand, np.ndarray) for operand in operands)
        if constant and not has_graph(node) and node.op_type not in UNFOLDED:
            self.fold(node)
            return
        first = self.network.num_layers
        function = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        try:
            if function is None:
                raise UnsupportedForm
            result = function(self, node, operands)
        except (UnsupportedForm, NetworkError):
            del self.network._layers[first:]
            result = self.keep(node, operands)
        results = result if isinstance(result, list) else [result]
        self.name(node, first, results)

    def name(self, node: onnx.NodeProto, first: int, results: list[Any]) -> None:
        """Name the layer that gives a node's value by the node, others after it, and tensors by ONNX's values."""
        title = node.name or f"{node.op_type}_{node.output[0]}"
        added = list(self.network)[first:]
        for index, layer in enumerate(added):
            layer.name = f"{title}_{index}"
        for name, value in zip(node.output, results, strict=False):
            if not name:
                continue
            self.values[name] = value
            if isinstance(value, ITensor) and value.producer in added:
                value.name = name
                assert value.producer is not None
                value.producer.name = title

    def fold(self, node: onnx.NodeProto) -> None:
        """Compute a node of constants."""
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            self.values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            return
        model = onnx.helper.make_model(
            onnx.helper.make_graph(
                [node],
                "folded",
                [onnx.helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.input) if name],
                [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
            ),
            opset_imports=self.model.opset_import,
        )
        try:
            feeds = {name: self.values[name] for name in node.input if name}
            results = ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:  # whatever an operator meets
            raise UserError(f"it cannot be computed ({error})") from error
        for name, value in zip([name for name in node.output if name], results, strict=True):
            self.values[name] = np.asarray(value)

    def keep(self, node: onnx.NodeProto, operands: list[Operand | None]) -> list[ITensor | None]:
        """Add a node as it is."""
        if not onnx.defs.has(node.op_type, OPSET, node.domain):
            if (plugin := self.plugin(node, operands)) is not None:
                return plugin
            place = f" of domain {node.domain!r}" if node.domain else ""
            raise UserError(f"no such operator{place} in opset {OPSET}, and no plugin for it")
        if reads_outside(node):
            raise UserError("it holds a graph of its own that reads values around it. Unroll it first")
        outputs = [self.infos.get(name) for name in node.output if name]
        if any(info is None or not info.type.tensor_type.elem_type for info in outputs):
            raise UserError("ONNX cannot tell the type of its output. Simplify the model first.")
        told = [type_and_shape(info) for info in outputs if info is not None]
        tensors = [self.tensor(item, f"{node.name}_{index}") for index, item in enumerate(operands) if item is not None]
        given = [
            onnx.helper.np_dtype_to_tensor_dtype(item.dtype)
            if isinstance(item, np.ndarray)
            else self.elem_type(name, item)
            for name, item in zip(node.input, operands, strict=True)
            if item is not None
        ]
        results = [info.type.tensor_type.elem_type for info in outputs if info is not None]
        if node.op_type.startswith("Reduce") and node.op_type != "ReduceSum" and len(node.input) > 1:
            raise UserError(f"its axes depend on an input, which opset {OPSET} does not know. Make them constant")
        layer = IOnnxLayer(
            self.network,
            tensors,
            node,
            (given, results),
            [tuple(shape) for _, shape in told],
            [dtype for dtype, _ in told],
        )
        made = iter(self.network._add(layer).outputs)
        return [next(made) if name else None for name in node.output]

    def plugin(self, node: onnx.NodeProto, operands: list[Operand | None]) -> list[ITensor | None] | None:
        """Return what one of the functions that look for plugins makes of an operator unknown to ONNX."""
        for find in PLUGINS:
            found = find(self, node, operands)
            if found is not None:
                return list(found)
        return None

    def elem_type(self, name: str, tensor: ITensor) -> int:
        """Return ONNX's type of a value."""
        info = self.infos.get(name)
        if info is not None and info.type.tensor_type.elem_type:
            return int(info.type.tensor_type.elem_type)
        return next(key for key, value in TYPES.items() if value == tensor.dtype)

    def tensor(self, value: Operand | None, name: str) -> ITensor:
        """Return a value as a tensor; of a constant it is a layer's."""
        if isinstance(value, ITensor):
            return value
        assert value is not None
        array = narrowed(value)
        layer = self.network.add_constant(array.shape, Weights(array))
        layer.name = f"{name}_constant"
        layer.outputs[0].name = f"{name}_constant_{self.network.num_layers}"
        return layer.outputs[0]

    def ranked(self, value: Operand, rank: int, name: str) -> ITensor:
        """Return a value with 1s in front up to a rank, as ONNX stretches."""
        if isinstance(value, np.ndarray):
            return self.tensor(value.reshape((1,) * (rank - value.ndim) + value.shape), name)
        if len(value.shape) == rank:
            return value
        if -1 in value.shape:
            raise UnsupportedForm
        layer = self.network.add_shuffle(value)
        layer.reshape_dims = (1,) * (rank - len(value.shape)) + tuple(value.shape)
        return layer.outputs[0]
