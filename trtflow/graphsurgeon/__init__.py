"""Search and change TensorFlow graphs, with the names of NVIDIA's graphsurgeon (guide §13.2, chapters 22 and 24)."""

from trtflow.graphsurgeon import extras
from trtflow.graphsurgeon.dynamic_graph import DynamicGraph
from trtflow.graphsurgeon.nodes import (
    create_node,
    create_plugin_node,
    extract_numpy_array,
    shape,
    update_node,
)
from trtflow.graphsurgeon.static_graph import StaticGraph

__all__ = [
    "DynamicGraph",
    "StaticGraph",
    "create_node",
    "create_plugin_node",
    "extract_numpy_array",
    "extras",
    "shape",
    "update_node",
]
