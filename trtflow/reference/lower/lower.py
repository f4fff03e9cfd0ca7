"""From a recorded network to an ONNX model: walks the layers, sets types and quantisation between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from onnx import helper

import trtflow.reference.lower.common_plugins
import trtflow.reference.lower.element_layers
import trtflow.reference.lower.index_layers
import trtflow.reference.lower.layers
import trtflow.reference.lower.mnist_plugins
import trtflow.reference.lower.nms_plugins
import trtflow.reference.lower.onnx_nodes
import trtflow.reference.lower.recurrent_layers
import trtflow.reference.lower.rpn_plugins
import trtflow.reference.lower.slices
import trtflow.reference.lower.ssd_plugins
import trtflow.reference.lower.tensor_layers  # noqa: F401 - each registers its lowerings
from trtflow.reference.errors import BuildError, NetworkError
from trtflow.reference.lower.blocks import Block, Unit, arrange
from trtflow.reference.lower.flows import lower_block
from trtflow.reference.lower.graph import BATCH, IR_VERSION, ONNX_TYPES, OPSET, SEPARATOR, Graph, lowering_of
from trtflow.reference.lower.int8_tensors import all_tensors
from trtflow.reference.lower.precision import Precisions
from trtflow.reference.record.enums import DataType
from trtflow.reference.record.layer import FLOATS, ILayer
from trtflow.reference.record.network import INetworkDefinition
from trtflow.reference.record.tensor import ITensor
from trtflow.reference.record.values import Logger


def lower(network: INetworkDefinition, precisions: Precisions, outputs: list[ITensor] | None = None) -> onnx.ModelProto:
    """Return the network as ONNX: float16 where layers compute in it, INT8 as Q/DQ pairs.

    Bindings keep TensorRT's names and types; values inside are named `<layer>::<operator>`.

    Args:
        network: the network.
        precisions: what `precision.choose` decided.
        outputs: tensors to bind in place of the marked outputs, for calibration.

    Raises:
        NetworkError: a layer has no lowering, or two tensors share a name.
    """
    return Lowering(network, precisions).model(_marked(network) if outputs is None else outputs)


def lower_for_engine(
    network: INetworkDefinition, precisions: Precisions, refittable: bool
) -> tuple[onnx.ModelProto, dict[str, Any] | None, dict[str, str]]:
    """Return the network as `lower` does, and what an engine must know of it.

    Returns:
        the model; where it is to be refitted, `weights`, a list of what `Graph.refittable` says, and `scales`, in
        network order the name of each quantised tensor and the initializer of its scale; and for each output that says
        whether a condition holds what an error says where it does not. These outputs are behind all others.

    Raises:
        NetworkError: as `lower`; also when two layers share a name, by which a refitter could not tell them apart.
    """
    if refittable:
        _check_layer_names(network)
    lowering = Lowering(network, precisions)
    model = lowering.model(_marked(network))
    refit = {"weights": lowering.graph.refittable, "scales": list(lowering.scales.items())} if refittable else None
    return model, refit, lowering.graph.assertions


def _check_layer_names(network: INetworkDefinition) -> None:
    names: set[str] = set()
    for layer in network:
        if layer.name in names:
            raise NetworkError(layer.name, "a second layer has this name", "Give each layer its own name to refit it.")
        names.add(layer.name)


def _marked(network: INetworkDefinition) -> list[ITensor]:
    return [network.get_output(index) for index in range(network.num_outputs)]


class Lowering:
    """The values of the tensors lowered so far, by tensor and type."""

    def __init__(self, network: INetworkDefinition, precisions: Precisions) -> None:
        self.network, self.precisions = network, precisions
        self.graph = Graph(network.has_implicit_batch_dimension)
        self.native: dict[ITensor, DataType] = {}
        self.values: dict[tuple[ITensor, DataType], str] = {}
        self.scales: dict[str, str] = {}

    def model(self, outputs: list[ITensor]) -> onnx.ModelProto:
        """Lower everything and bind the outputs."""
        _check_names(self.network)
        inputs = [self.network.get_input(index) for index in range(self.network.num_inputs)]
        if not outputs:
            raise BuildError("the network has no outputs. Mark at least one with network.mark_output.")
        for tensor in inputs:
            self._define_input(tensor)
        for unit in arrange(self.network):
            self.lower_unit(unit)
        for tensor in outputs:
            self._bind_output(tensor)
        graph = helper.make_graph(
            self.graph.nodes,
            "network",
            [self._value_info(tensor) for tensor in inputs],
            [*(self._value_info(tensor) for tensor in outputs), *self._assertions()],
            list(self.graph.initializers.values()),
        )
        for text in self.graph.spoilt:
            self.network.logger.log(Logger.WARNING, text)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="trtflow")
        model.ir_version = IR_VERSION
        return model

    def _assertions(self) -> list[onnx.ValueInfoProto]:
        """Return the outputs that say whether conditions hold."""
        return [helper.make_tensor_value_info(name, ONNX_TYPES[DataType.BOOL], []) for name in self.graph.assertions]

    def _define_input(self, tensor: ITensor) -> None:
        """Note where an input's value is; from half precision it passes to float32, as no kernel knows of bindings."""
        value, dtype = tensor.name, tensor.dtype
        if dtype == DataType.HALF:
            self.graph.layer_name, dtype = tensor.name, DataType.FLOAT
            value = self.graph.node("Cast", [value], to=ONNX_TYPES[dtype])
        if tensor.is_quantised_input:
            self.graph.layer_name, dtype = tensor.name, DataType.FLOAT
            value = self._dequantised(tensor, value)
            self.native[tensor], self.values[tensor, dtype] = dtype, value
        else:
            self.define(tensor, value, dtype)
        self.graph.batched.add(tensor)

    def _dequantised(self, tensor: ITensor, value: str) -> str:
        """Return the floats of an input whose binding is INT8.

        Raises:
            BuildError: the builder may not use INT8.
        """
        scale = self.precisions.scales.get(tensor.name)
        if scale is None:
            raise BuildError(
                f"input {tensor.name!r} is INT8, but INT8 is not configured in the builder. "
                "Allow it with config.set_flag(BuilderFlag.INT8)."
            )
        step = [self.graph.constant("scale", scale, np.float32), self.graph.constant("zero", 0, np.int8)]
        self.scales[tensor.name] = step[0]
        return self.graph.node("DequantizeLinear", [value, *step])

    def lower_unit(self, unit: Unit) -> None:
        """Lower a layer, or a loop or a conditional with all that it holds."""
        if isinstance(unit, Block):
            lower_block(self, unit)
        else:
            self._lower_layer(unit)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Forget afterwards which values there are of tensors that are defined inside."""
        native, values = dict(self.native), dict(self.values)
        try:
            yield
        finally:
            self.native, self.values = native, values

    def _lower_layer(self, layer: ILayer) -> None:
        layer.check_types()
        graph, precision = self.graph, self.precisions.layers[layer]
        graph.layer_name = layer.name
        graph.quantised_weights = precision == DataType.INT8
        graph.dtype = DataType.FLOAT if precision == DataType.INT8 else precision
        inputs = [self.read(tensor, graph.dtype) for tensor in layer.inputs]
        names = lowering_of(layer)(layer, graph, inputs)
        if graph.batched.intersection(layer.inputs):
            graph.batched.update(layer.outputs)
        for tensor, name in zip(layer.outputs, names, strict=True):
            dtype = graph.dtype if tensor.native_dtype in FLOATS else tensor.native_dtype
            self.define(tensor, *self._in_output_type(layer, tensor, name, dtype))

    def _in_output_type(self, layer: ILayer, tensor: ITensor, value: str, dtype: DataType) -> tuple[str, DataType]:
        """Return an output's value and type as `ILayer.set_output_type` wants them; INT8 is the builder's choice.

        Raises:
            NetworkError: the layer cannot give that type.
        """
        wanted = layer.get_output_type(tensor.index) if layer.output_type_is_set(tensor.index) else dtype
        if wanted == dtype or (wanted == DataType.INT8 and dtype in FLOATS):
            return value, dtype
        if wanted not in FLOATS or dtype not in FLOATS:
            fault = f"its output {tensor.name!r} is {dtype.name} and cannot be {wanted.name}"
            raise NetworkError(layer.name, fault, "Convert it with add_cast.")
        return self.graph.node("Cast", [value], to=ONNX_TYPES[wanted]), wanted

    def define(self, tensor: ITensor, value: str, dtype: DataType) -> None:
        """Note where a tensor's value is; a tensor that is stored in INT8 passes through a Q/DQ pair first."""
        scale = self.precisions.scales.get(tensor.name)
        if scale is not None:
            self.graph.layer_name = tensor.name
            if dtype != DataType.FLOAT:
                value, dtype = self.graph.node("Cast", [value], to=ONNX_TYPES[DataType.FLOAT]), DataType.FLOAT
            step = [self.graph.constant("scale", scale, np.float32), self.graph.constant("zero", 0, np.int8)]
            self.scales[tensor.name] = step[0]
            quantised = self.graph.node("QuantizeLinear", [value, *step])
            value = self.graph.node("DequantizeLinear", [quantised, *step])
        self.native[tensor], self.values[tensor, dtype] = dtype, value

    def read(self, tensor: ITensor, dtype: DataType) -> str:
        """Return a tensor's value in a type; the cast is made once."""
        native = self.native[tensor]
        if native not in FLOATS or native == dtype:
            return self.values[tensor, native]
        if (tensor, dtype) not in self.values:
            self.graph.layer_name, layer_name = tensor.name, self.graph.layer_name
            name = self.graph.unique(dtype.name.lower())
            self.graph.layer_name = layer_name
            source = self.values[tensor, native]
            self.graph.nodes.append(helper.make_node("Cast", [source], [name], name=name, to=ONNX_TYPES[dtype]))
            self.values[tensor, dtype] = name
        return self.values[tensor, dtype]

    def _bind_output(self, tensor: ITensor) -> None:
        """Give an output its binding's name and type, which do not depend on what the network computes in.

        Raises:
            NetworkError: a loop or a conditional computes it inside, or it is INT8 without a scale.
        """
        if tensor not in self.native:
            remedy = "Mark what add_loop_output or add_output of a conditional returns."
            raise NetworkError(tensor.name, "network output not allowed to be in a loop or a conditional", remedy)
        native, bound = self.native[tensor], tensor.dtype
        value = self.read(tensor, DataType.FLOAT)
        if bound == DataType.INT8 and native in FLOATS and tensor.name in self.scales:
            zero = self.graph.constant("zero", 0, np.int8)
            value, native = self.graph.node("QuantizeLinear", [value, self.scales[tensor.name], zero]), bound
        if bound != native and DataType.INT8 in (native, bound):
            producer = tensor.producer.name if tensor.producer else tensor.name
            fault = f"its output {tensor.name!r} is {native.name}, but the binding {bound.name}"
            raise NetworkError(producer, fault, "INT8 has a scale: use add_quantize or add_dequantize.")
        plain = bound == DataType.FLOAT if native in FLOATS else bound == native
        attributes: dict[str, Any] = {} if plain else {"to": ONNX_TYPES[bound]}
        operator, name = "Identity" if plain else "Cast", f"{tensor.name}{SEPARATOR}output"
        self.graph.nodes.append(helper.make_node(operator, [value], [tensor.name], name=name, **attributes))

    def _value_info(self, tensor: ITensor) -> onnx.ValueInfoProto:
        shape: list[int | str] = [BATCH] * self.graph.batch_axes
        shape += [size if size >= 0 else f"{tensor.name}_{axis}" for axis, size in enumerate(tensor.shape)]
        return helper.make_tensor_value_info(tensor.name, ONNX_TYPES[tensor.dtype], shape)


def _check_names(network: INetworkDefinition) -> None:
    seen: set[str] = set()
    for tensor in all_tensors(network):
        if tensor.name in seen:
            producer = tensor.producer.name if tensor.producer else tensor.name
            raise NetworkError(producer, f"a second tensor is named {tensor.name!r}", "Give each tensor its own name.")
        seen.add(tensor.name)
