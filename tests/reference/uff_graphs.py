"""UFF graphs by hand: a node a line, as NVIDIA's converter writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import trtflow.reference as trt
from trtflow.formats.uff import MetaGraph, blob_of, data_of, orders_key, serialized
from trtflow.runtime.build import build_plan
from trtflow.runtime.session import Session

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int32)


class UffGraph:
    """A graph under construction; each call returns the name of the node that it adds."""

    def __init__(self) -> None:
        self.meta = MetaGraph(version=1, descriptor_core_version=1)
        self.meta.descriptors.add(id="tensorflow_extension", version=1)
        self.meta.graphs.add(id="main")

    def node(
        self, name: str, operation: str, inputs: Sequence[str] = (), orders: Sequence[str] = (), **fields: Any
    ) -> str:
        """Add a node; orders are those of its inputs, such as N+C and +CK."""
        node = self.meta.graphs[0].nodes.add(id=name, operation=operation, inputs=inputs)
        for key, value in fields.items():
            node.fields[key].CopyFrom(data_of(value))
        if orders:
            node.fields["inputs_orders"].CopyFrom(orders_key(self.meta, orders))
        return name

    def input(self, name: str = "x", shape: Sequence[int] = (), dtype: np.dtype = FLOAT) -> str:
        """Add an input; the shape has the batch, or is empty where the graph does not say."""
        return self.node(name, "Input", shape=list(shape), dtype=dtype)

    def const(self, name: str, values: Any) -> str:
        """Add a constant; floats become float32, integers int32."""
        array = np.asarray(values)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        return self.node(
            name, "Const", shape=list(array.shape), dtype=array.dtype, values=blob_of(self.meta, name, array)
        )

    def convolution(self, name: str, data: str, kernel: np.ndarray, order: str = "N+C", **fields: Any) -> str:
        """Add a convolution with a kernel [H, W, C, K]."""
        weights = self.const(f"{name}_kernel", kernel)
        return self.node(name, "Conv", [data, weights], [order, "+CK"], **{"strides": [1, 1], **fields})

    def product(self, name: str, data: str, matrix: np.ndarray) -> str:
        """Add a fully connected layer with a matrix [C, K]."""
        weights = self.const(f"{name}_matrix", matrix)
        return self.node(name, "FullyConnected", [data, weights], ["NC", "CK"])

    def binary(self, name: str, function: str, first: str, second: str) -> str:
        """Add a function of two values."""
        return self.node(name, "Binary", [first, second], func=function)

    def bytes(self) -> bytes:
        """Return the graph as a file has it."""
        return serialized(self.meta)


Inputs = Mapping[str, tuple[Sequence[int], trt.UffInputOrder]]


def parse(graph: UffGraph, inputs: Inputs, outputs: Sequence[str] = ("y",), **arguments: Any) -> trt.INetworkDefinition:
    """Return the network of a graph, given the dimensions and the order of each input."""
    network = trt.Builder(trt.Logger()).create_network()
    add_to(network, graph, inputs, outputs, **arguments)
    return network


def add_to(network: Any, graph: UffGraph, inputs: Inputs, outputs: Sequence[str], **arguments: Any) -> None:
    """Parse a graph into a network."""
    parser = trt.UffParser()
    for name, (shape, order) in inputs.items():
        assert parser.register_input(name, shape, order)
    for name in outputs:
        assert parser.register_output(name)
    assert parser.parse_buffer(graph.bytes(), network, **arguments)


def run(
    graph: UffGraph,
    feeds: Mapping[str, np.ndarray],
    outputs: Sequence[str] = ("y",),
    order: trt.UffInputOrder = trt.UffInputOrder.NCHW,
) -> list[np.ndarray]:
    """Return a graph's outputs for a batch of each input, registered with the shapes of the feeds in one order."""
    inputs = {name: (feed.shape[1:], order) for name, feed in feeds.items()}
    batch = len(next(iter(feeds.values())))
    plan = build_plan(trt, lambda _, network: add_to(network, graph, inputs, outputs), "fp32", batch)
    session = Session(trt, trt.Runtime(trt.Logger()).deserialize_cuda_engine(plan))
    found = session.run(dict(feeds))
    return [found[name] for name in outputs]
