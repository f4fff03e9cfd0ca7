"""Shape tensors: those whose values are sizes, or from which sizes are computed.

TensorRT keeps them on the host, and needs the values of those among the inputs before it knows the outputs' shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtflow.reference.record.enums import DataType, LayerType

if TYPE_CHECKING:
    from trtflow.reference.record.network import INetworkDefinition
    from trtflow.reference.record.tensor import ITensor

# layers that TensorRT computes on the host where what they make is a size
CARRIERS = {
    LayerType.ELEMENTWISE,
    LayerType.UNARY,
    LayerType.CONCATENATION,
    LayerType.GATHER,
    LayerType.SLICE,
    LayerType.SHUFFLE,
    LayerType.REDUCE,
    LayerType.SELECT,
    LayerType.IDENTITY,
    LayerType.CAST,
    LayerType.FILL,
    LayerType.NON_ZERO,
    LayerType.ASSERTION,
    LayerType.TOPK,
    LayerType.ONE_HOT,
    LayerType.SCATTER,
    LayerType.CONSTANT,
}
MOST_DIMENSIONS = 1  # of a shape tensor
TYPES = (DataType.INT32, DataType.BOOL, DataType.FLOAT)


def shape_tensors(network: INetworkDefinition) -> set[ITensor]:
    """Return the tensors of a network that are shape tensors."""
    found: set[ITensor] = set()
    pending = [tensor for layer in network for tensor in layer.size_inputs()]
    pending += network.shape_outputs
    while pending:
        tensor = pending.pop()
        if tensor in found or len(tensor.shape) > MOST_DIMENSIONS or tensor.native_dtype not in TYPES:
            continue
        found.add(tensor)
        layer: Any = tensor.producer
        if layer is not None and (layer.layer_type in CARRIERS or layer.carries_sizes):
            pending += layer.inputs
    found.update(tensor for layer in network if layer.layer_type == LayerType.SHAPE for tensor in layer.outputs)
    return found
