"""From Darknet's `.cfg` and `.weights` to ONNX, with the names of the guide's yolov3_onnx (ch. 23).

Each layer becomes the nodes that say the same: a convolution Conv, BatchNormalization and LeakyRelu; an upsampling
Resize (Upsample in the guide's days); a shortcut Add; a route of several layers Concat. A route of one layer and a yolo
layer have no node: the first only names its source, the second marks it as an output of the network, to be decoded on
the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trtflow.formats.darknet import Layer, Values

OPSET, IR_VERSION = 13, 7  # TensorRT 8.6 reads opsets up to 17
INPUT = "000_net"
EPSILON = 1e-5  # of batch normalisation
SLOPE = 0.1  # of leaky below 0
BATCH = "N"
ACTIVATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "leaky": ("lrelu", "LeakyRelu", {"alpha": SLOPE}),
    "relu": ("relu", "Relu", {}),
    "logistic": ("logistic", "Sigmoid", {}),
}


def convert(
    layers: Sequence[Layer], values: Mapping[int, Values], shape: tuple[int, int, int], batch: int | str = BATCH
) -> tuple[onnx.ModelProto, list[str]]:
    """Convert a network.

    Args:
        layers: its layers.
        values: values of the convolutions, by the layer's index.
        shape: channels, height and width of its input.
        batch: pictures of a batch, or a name where the engine is to leave it open.

    Returns:
        the model, checked by ONNX, with input 000_net, float32 [batch, *shape], and one output a yolo layer in their
        order, named after the layer before it, float32 [batch, boxes x (5 + classes), height, width]; and a line a
        layer: its number, its kind, its shape and the nodes it became.
    """
    conversion = _Conversion(values)
    account = []
    for layer in layers:
        first = len(conversion.nodes)
        conversion.add(layer)
        nodes = ", ".join(node.op_type for node in conversion.nodes[first:])
        account.append(f"{layer.name}: {layer.shape} -> {nodes or NO_NODE[layer.kind]}")
    ends = [layer for layer in layers if layer.kind == "yolo"] or [layers[-1]]
    outputs = [
        helper.make_tensor_value_info(conversion.names[layer.index], TensorProto.FLOAT, [batch, *layer.shape])
        for layer in ends
    ]
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [batch, *shape])]
    graph = helper.make_graph(conversion.nodes, "darknet", inputs, outputs, conversion.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="trtflow")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model, account


NO_NODE = {"route": "another name of its source", "yolo": "its source is an output"}


class _Conversion:
    """The nodes so far, and the name of what each layer gives."""

    def __init__(self, values: Mapping[int, Values]) -> None:
        self.values = values
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names = {-1: INPUT}

    def add(self, layer: Layer) -> None:
        """Add a layer."""
        sources = [self.names[source] for source in layer.sources]
        self.names[layer.index] = getattr(self, f"_{layer.kind}")(layer, sources)

    def _node(self, operator: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _constant(self, name: str, array: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _activated(self, layer: Layer, value: str) -> str:
        """Append the layer's activation; a linear one is none."""
        if layer.options["activation"] == "linear":
            return value
        suffix, operator, attributes = ACTIVATIONS[layer.options["activation"]]
        return self._node(operator, f"{layer.name}_{suffix}", [value], **attributes)

    def _convolutional(self, layer: Layer, sources: list[str]) -> str:
        name, options, values = layer.name, layer.options, self.values[layer.index]
        inputs = [sources[0], self._constant(f"{name}_conv_weights", values["weights"])]
        if not options["batch_normalize"]:
            inputs.append(self._constant(f"{name}_conv_bias", values["biases"]))
        value = self._node(
            "Conv",
            name,
            inputs,
            kernel_shape=[options["size"]] * 2,
            strides=[options["stride"]] * 2,
            pads=[options["pad"]] * 4,
            group=options["groups"],
        )
        if options["batch_normalize"]:
            roles = {"scale": "scales", "bias": "biases", "mean": "means", "var": "variances"}
            norm = [self._constant(f"{name}_bn_{role}", values[key]) for role, key in roles.items()]
            value = self._node("BatchNormalization", f"{name}_bn", [value, *norm], epsilon=EPSILON)
        return self._activated(layer, value)

    def _maxpool(self, layer: Layer, sources: list[str]) -> str:
        # Darknet's window begins half the padding, rounded down, before the picture
        size, stride, padding = (layer.options[key] for key in ("size", "stride", "padding"))
        less = padding // 2
        pads = [less, less, padding - less, padding - less]
        return self._node("MaxPool", layer.name, sources, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)

    def _upsample(self, layer: Layer, sources: list[str]) -> str:
        factor = layer.options["stride"]
        scales = self._constant(f"{layer.name}_scales", np.array([1, 1, factor, factor], np.float32))
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self._node("Resize", layer.name, [*sources, "", scales], **how)

    def _shortcut(self, layer: Layer, sources: list[str]) -> str:
        return self._activated(layer, self._node("Add", layer.name, sources))

    def _route(self, layer: Layer, sources: list[str]) -> str:
        return sources[0] if len(sources) == 1 else self._node("Concat", layer.name, sources, axis=1)

    def _yolo(self, layer: Layer, sources: list[str]) -> str:
        return sources[0]
