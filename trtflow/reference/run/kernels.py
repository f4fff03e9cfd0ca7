"""Fits a lowered network to the kernels that ONNX Runtime has on a CPU, without changing a value it computes.

The lowered network is written for everybody: float16 tensors and symmetric INT8 as TensorRT defines them. On a CPU

- float16 operators are missing or are silently run in float32 from end to end, so each is run in float32 and its
  result rounded to float16 by a pair of casts, which ONNX Runtime keeps;
- integer convolutions are fast for uint8 inputs only (measured: int8 inputs ten times slower), so zero points move
  from int8 0 to uint8 128, the same steps; ReLU moves behind the quantisation, where it is a maximum with 128, so that
  ONNX Runtime recognises DequantizeLinear, Conv, QuantizeLinear as one QLinearConv. Convolutions of few channels
  take the same quantised values through float kernels, which are faster there.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ZERO_POINT = 128
LEAST_CHANNELS = 16  # below, integer convolutions are slower than float ones (measured: 3 and 8 channels)
KEEP_ROUNDING = {"Cast", "Concat", "Flatten", "Gather", "Identity", "MaxPool", "Relu", "Reshape", "Transpose"}


def for_cpu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a lowered network that computes the same with the kernels a CPU has."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _emulate_half(copy)
    _use_unsigned_steps(copy)
    return copy


class _Index:
    """Who makes and who reads each value of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in graph.output}

    def only_consumer(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Return the node that alone reads the single output of `node`, or None."""
        readers = self.consumers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 and node.output[0] not in self.outputs else None

    def array(self, name: str) -> np.ndarray:
        """Return the values of an initializer."""
        return numpy_helper.to_array(self.initializers[name])


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    del graph.node[:]
    graph.node.extend(nodes)


def _set_initializer(tensor: TensorProto, array: np.ndarray) -> None:
    # Not ascontiguousarray, which gives a scalar a dimension: QLinearAveragePool takes scalar zero points only.
    tensor.CopyFrom(numpy_helper.from_array(np.require(array, requirements="C"), tensor.name))


def _emulate_half(model: onnx.ModelProto) -> None:
    """Run float16 operators in float32 and round what they compute to float16."""
    graph = model.graph
    if not any(node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT16 for node in graph.node):
        return
    typed = onnx.shape_inference.infer_shapes(model).graph.value_info
    half = {value.name for value in typed if value.type.tensor_type.elem_type == TensorProto.FLOAT16}
    index = _Index(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Cast":
            if node.output[0] in half:
                _round(node, nodes)
            elif node.input[0] in half:
                node.op_type = "Identity"
                del node.attribute[:]
        elif half.intersection(node.output) and _rounds_here(node, index):
            for place, name in enumerate(node.output):
                if name in half:
                    _round(node, nodes, place)
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            _set_initializer(tensor, numpy_helper.to_array(tensor).astype(np.float32))
    _replace_nodes(graph, nodes)


def _rounds_here(node: onnx.NodeProto, index: _Index) -> bool:
    """Whether a result needs rounding: not where values only move, and behind a ReLU rather than before it."""
    if node.op_type == "Relu":
        producer = index.producers.get(node.input[0])
        return producer is not None and index.only_consumer(producer) is node and producer.op_type not in KEEP_ROUNDING
    reader = index.only_consumer(node)
    deferred = reader is not None and reader.op_type == "Relu"
    return node.op_type not in KEEP_ROUNDING and not deferred


def _round(node: onnx.NodeProto, nodes: list[onnx.NodeProto], place: int = 0) -> None:
    """Give `node` a float32 result that is rounded to float16 under its old name."""
    name = node.output[place]
    exact, rounded = f"{name}/exact", f"{name}/half"
    if node.op_type == "Cast":
        node.output[place] = rounded
    else:
        node.output[place] = exact
        nodes.append(helper.make_node("Cast", [exact], [rounded], name=rounded, to=TensorProto.FLOAT16))
    nodes.append(helper.make_node("Cast", [rounded], [name], name=f"{name}/float", to=TensorProto.FLOAT))


def _use_unsigned_steps(model: onnx.ModelProto) -> None:
    """Move INT8 activations to uint8 and bring each convolution into the form that becomes a QLinearConv."""
    graph = model.graph
    quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    if not quantisers:
        return
    index = _Index(graph)
    for node in quantisers:
        _set_initializer(index.initializers[node.input[2]], np.array(ZERO_POINT, np.uint8))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Relu" and index.only_consumer(node) in quantisers:
            continue  # it is written behind its quantiser
        nodes.append(node)
        if node.op_type == "QuantizeLinear":
            _move_relu_behind(node, index, nodes)
        elif node.op_type in ("Conv", "Gemm") and (kernel := _weights(node, index)) is not None:
            _fit_product(node, kernel, index, quantisers, nodes, graph)
    _replace_nodes(graph, nodes)


def _move_relu_behind(quantiser: onnx.NodeProto, index: _Index, nodes: list[onnx.NodeProto]) -> None:
    relu = index.producers.get(quantiser.input[0])
    if relu is None or relu.op_type != "Relu" or index.only_consumer(relu) is not quantiser:
        return
    name = quantiser.output[0]
    quantiser.input[0], quantiser.output[0] = relu.input[0], f"{name}/signed"
    nodes.append(helper.make_node("Clip", [quantiser.output[0], quantiser.input[2]], [name], name=relu.name))


def _weights(node: onnx.NodeProto, index: _Index) -> onnx.NodeProto | None:
    """Return the DequantizeLinear of a product's INT8 kernel, or None."""
    producer = index.producers.get(node.input[1])
    return producer if producer is not None and producer.input[0] in index.initializers else None


def _fit_product(
    node: onnx.NodeProto,
    kernel: onnx.NodeProto,
    index: _Index,
    quantisers: list[onnx.NodeProto],
    nodes: list[onnx.NodeProto],
    graph: onnx.GraphProto,
) -> None:
    """Quantise the bias of a product whose result is quantised; give any other its kernel in float32."""
    follower = index.only_consumer(node)
    if follower is not None and follower.op_type == "Relu":
        follower = index.only_consumer(follower)
    step = index.producers.get(node.input[0])
    scale = index.array(kernel.input[1])
    wide = node.op_type != "Conv" or index.array(kernel.input[0]).shape[1] >= LEAST_CHANNELS
    if wide and follower in quantisers and step is not None and step.op_type == "DequantizeLinear":
        if len(node.input) > 2:
            _quantise_bias(node, index.array(node.input[2]), index.array(step.input[1]) * scale, nodes, graph)
        return
    values = index.array(kernel.input[0]).astype(np.float32)
    nodes.remove(kernel)
    name = f"{node.name}/kernel"
    dequantised = values * scale.reshape(-1, *[1] * (values.ndim - 1))
    graph.initializer.append(numpy_helper.from_array(dequantised, name))
    node.input[1] = name


def _quantise_bias(
    node: onnx.NodeProto, bias: np.ndarray, scale: np.ndarray, nodes: list[onnx.NodeProto], graph: onnx.GraphProto
) -> None:
    """Write the bias in steps of the accumulator, int32, as the integer kernels take it."""
    limit = 2**30  # room for the sum of products
    steps = np.clip(np.rint(bias.astype(np.float64) / scale), -limit, limit).astype(np.int32)
    names = [f"{node.name}/bias", f"{node.name}/bias_scale", f"{node.name}/bias_zero"]
    for name, array in zip(names, (steps, scale.astype(np.float32), np.zeros(scale.shape, np.int32)), strict=True):
        graph.initializer.append(numpy_helper.from_array(array, name))
    node.input[2] = f"{node.name}/bias_float"
    nodes.insert(-1, helper.make_node("DequantizeLinear", names, [node.input[2]], name=node.input[2], axis=0))
