"""From the layers of a Darknet network and their values to an ONNX model.

Each layer becomes the nodes that say the same (`layers.py`). A route of one whole layer, what only training asks for,
such as dropout, and the layers that predict boxes have no node: what the latter read is an output of the network, to be
decoded on the host (`trtflow.runtime.darknet_boxes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from trtflow.converters.darknet.graph import Graph
from trtflow.converters.darknet.layers import LAYERS
from trtflow.formats import UserError
from trtflow.formats.darknet import Layer, Values

OPSET, IR_VERSION = 13, 7  # TensorRT 8.6 reads opsets up to 17
INPUT = "000_net"
BATCH = "N"
MOST_BYTES = (1 << 31) - (1 << 24)  # of protobuf, with room for the nodes
NO_NODE = {"route": "another name of its source"}
HEAD, PASSED = "its source is an output", "nothing at inference"


def convert(
    layers: Sequence[Layer], values: Mapping[int, Values], shape: tuple[int, int, int], batch: int | str = BATCH
) -> tuple[onnx.ModelProto, list[str]]:
    """Convert a network.

    Args:
        layers: its layers.
        values: values of the layers that have some, by the layer's index.
        shape: channels, height and width of its input.
        batch: pictures of a batch, or a name where the engine is to leave it open.

    Returns:
        the model, checked by ONNX, with input 000_net, float32 [batch, *shape], and one output a layer that predicts
        boxes in their order, named after the layer before it, float32 [batch, boxes x (5 + classes), height, width], or
        where there is none what the last layer gives, float32 [batch, channels, height, width]; and a line a layer: its
        number, its kind, its shape and the nodes it became.

    Raises:
        UserError: a value is no number, as in a damaged file, or there are more than one ONNX file holds.
    """
    _check_values(layers, values)
    graph, names, account = Graph(), {-1: INPUT}, []
    for layer in layers:
        first = len(graph.nodes)
        owner = layer.options.get("share_index")
        own = values.get(layer.index if owner is None else owner, {})
        sources = [names[source] for source in layer.sources]
        names[layer.index] = LAYERS[layer.kind](graph, layer, sources, own)
        nodes = ", ".join(node.op_type for node in graph.nodes[first:])
        account.append(f"{layer.name}: {layer.shape} -> {nodes or _no_node(layer)}")
    return _model(graph, _outputs(graph, layers, names), shape, batch), account


def _check_values(layers: Sequence[Layer], values: Mapping[int, Values]) -> None:
    """Refuse values that no layer can compute with, or of more bytes than protobuf takes."""
    again = "Fetch the weights again, or train with a smaller learning rate."
    for layer in layers:
        for name, array in values.get(layer.index, {}).items():
            if not np.isfinite(array).all():
                raise UserError(f"{layer.name}: {name} that are infinite or no numbers. {again}")
            if name == "variances" and array.min() < 0:
                raise UserError(f"{layer.name}: variances below 0. {again}")
    total = sum(array.nbytes for arrays in values.values() for array in arrays.values())
    if total > MOST_BYTES:
        raise UserError(f"the network has {total} bytes of values, more than the {MOST_BYTES} that an ONNX file holds.")


def _no_node(layer: Layer) -> str:
    return HEAD if layer.is_head else NO_NODE.get(layer.kind, PASSED)


def _outputs(graph: Graph, layers: Sequence[Layer], names: dict[int, str]) -> dict[str, tuple[int, int, int]]:
    """Return the shapes of the outputs by their names; an output is never the input itself."""
    ends = [layer for layer in layers if layer.is_head] or [layers[-1]]
    outputs = {}
    for layer in ends:
        name = names[layer.index]
        if name == INPUT:
            name = graph.node("Identity", layer.name, [INPUT])
        outputs[name] = layer.shape
    return outputs


def _model(
    graph: Graph, outputs: dict[str, tuple[int, int, int]], shape: tuple[int, int, int], batch: int | str
) -> onnx.ModelProto:
    def info(name: str, sides: tuple[int, int, int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *sides])

    ends = [info(name, sides) for name, sides in outputs.items()]
    whole = helper.make_graph(graph.nodes, "darknet", [info(INPUT, shape)], ends, graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="trtflow")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
