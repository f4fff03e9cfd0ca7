"""UFF: graphs that TensorRT 3 to 8 take in place of TensorFlow's. Reading, writing, and the text form."""

from trtflow.formats.uff.data import ORDERS, array_of, blob_of, data_of, dtype_of, orders_key, value_of
from trtflow.formats.uff.files import read_uff, serialized, write_uff
from trtflow.formats.uff.text import to_text
from trtflow.formats.uff.uff_pb2 import Data, Graph, MetaGraph, Node

__all__ = [
    "ORDERS",
    "Data",
    "Graph",
    "MetaGraph",
    "Node",
    "array_of",
    "blob_of",
    "data_of",
    "dtype_of",
    "orders_key",
    "read_uff",
    "serialized",
    "to_text",
    "value_of",
    "write_uff",
]
