"""The dimensions that the inputs of a UFF graph are registered with, from what the graph says of them.

TensorRT goes by the registered dimensions alone. A graph may declare its placeholder with or without the batch and in
either order: [-1, 28, 28, 1], [28, 28, 1], or NVIDIA's [1, 3, 300, 300] over a graph of channels last. So what the
first convolution behind an input takes tells its channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtflow.formats import UserError
from trtflow.formats.uff import MetaGraph, value_of
from trtflow.formats.uff.data import ORDERS

CHANNELS_LAST = ORDERS["N+C"]
# Operations that leave the number of channels as it is.
KEEPING = (
    "Identity",
    "Activation",
    "LeakyRelu",
    "Unary",
    "Binary",
    "Pad",
    "Pool",
    "BatchNorm",
    "LRN",
    "_CustomClipPlugin",
)


def dimensions_of(node: Any, graph: MetaGraph, path: Path) -> list[int]:
    """Return the dimensions of an input as it is registered in NCHW: three sizes, without the batch.

    Args:
        node: the input.
        graph: its graph.
        path: what errors call the graph.

    Raises:
        UserError: the graph leaves them open.
    """
    declared = [int(size) for size in (value_of(node.fields["shape"]) if "shape" in node.fields else [])]
    candidates = [sizes for sizes in _candidates(declared, _channels_last(graph)) if min(sizes) > 0]
    channels = _channels_taken(node.id, graph)
    fitting = [sizes for sizes in candidates if channels in (None, sizes[0])]
    if not fitting:
        takes = "" if channels is None else f", and its first convolution takes {channels} channels"
        fault = f"{path}: input {node.id!r} has the shape {declared}{takes}"
        raise UserError(f"{fault}. Say its dimensions: --input {node.id},C,H,W")
    return fitting[0]


def _candidates(declared: Sequence[int], channels_last: bool) -> list[list[int]]:
    """Return all that a declared shape can mean as C, H, W, the likeliest first."""
    if len(declared) == 4:
        return _both_orders(declared[1:], channels_last)
    without_batch = [*declared[1:], 1, 1, 1][:3] if 1 < len(declared) < 4 else []
    if len(declared) != 3 or declared[0] < 0:
        return [without_batch] if without_batch else []
    pictures = _both_orders(declared, channels_last)
    return [without_batch, *pictures] if declared[0] == 1 and not channels_last else [*pictures, without_batch]


def _both_orders(sizes: Sequence[int], channels_last: bool) -> list[list[int]]:
    turned = [sizes[-1], *sizes[:-1]]
    return [turned, list(sizes)] if channels_last else [list(sizes), turned]


def _channels_last(graph: MetaGraph) -> bool:
    """Whether a node says that it takes its channels last, as TensorFlow's do unless told."""
    keys = [node.fields["inputs_orders"].ref for node in graph.graphs[0].nodes if "inputs_orders" in node.fields]
    return any(CHANNELS_LAST in value_of(graph.referenced_data[key]) for key in keys)


def _channels_taken(name: str, graph: MetaGraph) -> int | None:
    """Return how many channels the first convolution behind an input takes, or None where there is none."""
    nodes = {node.id: node for node in graph.graphs[0].nodes}
    readers: dict[str, list[Any]] = {}
    for node in nodes.values():
        for source in node.inputs[:2]:
            readers.setdefault(source, []).append(node)
    pending, seen = [name], {name}
    while pending:
        for node in readers.get(pending.pop(0), []):
            if node.operation == "Conv" and len(node.inputs) > 1 and node.inputs[1] in nodes:
                return _kernel_channels(node, nodes[node.inputs[1]], graph)
            if node.operation in KEEPING and node.id not in seen:
                seen.add(node.id)
                pending.append(node.id)
    return None


def _kernel_channels(node: Any, kernel: Any, graph: MetaGraph) -> int | None:
    """Return how many channels a convolution takes; a depthwise kernel is [H, W, C, M]."""
    shape = list(value_of(kernel.fields["shape"])) if "shape" in kernel.fields else []
    orders = value_of(graph.referenced_data[node.fields["inputs_orders"].ref]) if "inputs_orders" in node.fields else []
    if len(shape) != 4 or len(orders) < 2:
        return None
    channels = int(shape[list(orders[1]).index(1) + 1]) if 1 in orders[1] else None  # behind the two spatial axes
    groups = int(value_of(node.fields["number_groups"])) if "number_groups" in node.fields else 1
    return channels if channels is None or channels == groups else channels * groups
